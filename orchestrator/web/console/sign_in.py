"""Signing in and out.

Tries are counted before a password is looked at: by name and address, by address, and by name alone (wide enough that
nobody is locked out by somebody else's few tries). The form of somebody who is not signed in carries the token of a
cookie that only this site can set.
"""

from __future__ import annotations

import hmac
import re
import secrets

from flask import Response, g, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.web.console import guests
from orchestrator.web.console.pages import bp, floor, page
from orchestrator.web.console.users import GUEST, cookie_name, proof_of, set_cookie
from orchestrator.web.context import services

TRIES_OF_NAME_AND_ADDRESS = 5
TRIES_OF_ADDRESS = 30
TRIES_OF_NAME = 100
_LONGEST = 200
_WITHIN = re.compile(r"/console(/[\w/-]*)?(\?[\w.=&%+:-]*)?\Z")


@bp.get("/sign-in")
def sign_in_form() -> Response:
    floor().warm_up()
    return _form(200)


def _form(status: int, *, said: str = "", name: str = "") -> Response:
    token = request.cookies.get(_form_cookie()) or secrets.token_urlsafe(24)
    text = page("sign_in", token=token, said=said, name=name, next=_next(), is_guest=guests.is_guest())
    answer = make_response(text, status)
    secure = services().settings.public_base_url.startswith("https://")
    answer.set_cookie(_form_cookie(), token, secure=secure, httponly=True, samesite="Lax")
    return answer


def _form_cookie() -> str:
    return f"{cookie_name()}-form"


@bp.post("/sign-in")
def sign_in() -> AnyResponse:
    token = request.cookies.get(_form_cookie(), "")
    if not token or not hmac.compare_digest(request.form.get("form_token", "").encode(), token.encode()):
        return _form(403, said="This form was too old. Please try again.")
    if "guest" in request.form and guests.is_guest():
        return _opened(services().settings.console_guest, GUEST, "guest")
    name = request.form.get("name", "").strip()[:_LONGEST]
    wait_s = services().sessions.count_try(_limits(name))
    if wait_s:
        minutes = -(-wait_s // 60)
        said = f"Too many tries. Please wait {minutes} minute{'s' if minutes > 1 else ''} and try again."
        answer = _form(429, said=said, name=name)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    proof = proof_of(name, request.form.get("password", "")[:_LONGEST])
    if proof is None:
        services().audit.record(name if _is_user(name) else "unknown", "failed-to-sign-in")
        return _form(401, said="Name or password is wrong.", name=name)
    services().sessions.forget_tries(_limits(name)[0][0])
    return _opened(name, proof, "password")


def _is_user(name: str) -> bool:
    """What is no user's name may be a password that was typed into the wrong field."""
    return name in services().settings.console_logins()


def _limits(name: str) -> list[tuple[str, int]]:
    address = request.remote_addr or "unknown"
    return [
        (f"name {name} at {address}", TRIES_OF_NAME_AND_ADDRESS),
        (f"address {address}", TRIES_OF_ADDRESS),
        (f"name {name}", TRIES_OF_NAME),
    ]


def _opened(name: str, proof: str, how: str) -> AnyResponse:
    services().audit.record(name, "signed-in", detail=how)
    answer = redirect(_next(), 303)
    g.opened_token = services().sessions.open(name, proof)
    return answer


def _next() -> str:
    """Where to go afterwards: within the console only."""
    wanted = request.args.get("next") or request.form.get("next") or ""
    return wanted if _WITHIN.match(wanted) else url_for("console.front")


@bp.post("/sign-out")
def sign_out() -> AnyResponse:
    services().sessions.close(request.cookies.get(cookie_name(), ""))
    services().audit.record(g.session.name, "signed-out")
    answer = make_response(redirect(url_for("console.sign_in_form"), 303))
    set_cookie(answer, "")
    return answer
