"""The console's blueprint: is there a console, who asks, may this form be taken, and how pages are rendered.

Every page but signing in needs a session; every form carries the session's token. Pages run no inline script and no
inline style, and load nothing from elsewhere (Content-Security-Policy).
"""

from __future__ import annotations

import hashlib
import hmac
from importlib import resources
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.errors import OrchestratorError
from orchestrator.web.console import charts, guests, playbook, words
from orchestrator.web.console.floor import Floor
from orchestrator.web.console.rows import need_of
from orchestrator.web.console.users import cookie_name, is_good, set_cookie
from orchestrator.web.context import services

if TYPE_CHECKING:
    from orchestrator.services import Services

bp = Blueprint("console", __name__, url_prefix="/console", static_folder="../static/console", static_url_path="/static")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_OPEN = frozenset({"console.sign_in", "console.sign_in_form", "console.static"})
"""What answers without a session."""
_FLOOR = "orchestrator-floor"
_ASSETS = ("console.css", "console.js")


def register(app: Flask, of: Services) -> None:
    """The console as part of this application."""
    from orchestrator.web.console import actions, calls, front, live, one_call, problems, sign_in  # noqa: PLC0415  they use `bp`

    del actions, calls, front, live, one_call, problems, sign_in  # imported for the routes that they add
    app.extensions[_FLOOR] = Floor(of)
    app.register_blueprint(bp)
    filters: dict[str, Any] = {
        **words.FILTERS,
        **charts.FILTERS,
        "need_of": need_of,
        "problem_title": lambda name: playbook.entries_for(name)[0].title,
    }
    app.jinja_env.filters.update(filters)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def floor() -> Floor:
    from flask import current_app  # noqa: PLC0415

    found: Floor = current_app.extensions[_FLOOR]
    return found


@bp.before_request
def _enter() -> AnyResponse | None:
    settings = services().settings
    if not settings.console_logins() and not settings.console_guest:
        raise NotFound
    if request.endpoint in _OPEN:
        return None
    g.session = _session() or guests.signed_in()
    if g.session is None:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("console.sign_in_form", next=wanted), 303)
    if request.method == "POST":
        check_form(g.session.form_token)
    return None


def _session() -> Any:
    token = request.cookies.get(cookie_name(), "")
    found = services().sessions.find(token) if token else None
    return found if found is not None and is_good(found) else None


def check_form(token: str) -> None:
    """Raises 403 unless this form was made for whoever sends it."""
    given = request.form.get("form_token", "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise OrchestratorError("forbidden", "This form is not of your session; load the page again")


@bp.after_request
def _guarded(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = _POLICY
    if "opened_token" in g:
        set_cookie(answer, g.opened_token)
    return answer


@bp.errorhandler(OrchestratorError)
def _of_ours(error: OrchestratorError) -> tuple[str, int] | Response:
    """The same words as everywhere, on a page; what is not for the console's eyes stays in the log."""
    from orchestrator.web.problems import of_ours  # noqa: PLC0415

    answer = of_ours(error)
    return _failed(answer.status_code, error.error_id)


@bp.errorhandler(HTTPException)
def _of_http(error: HTTPException) -> tuple[str, int] | Response:
    status = error.code or 500
    if isinstance(error, NotFound) and "session" not in g:
        return Response("not-found", status=404, content_type="text/plain; charset=utf-8")
    return _failed(status, {404: "not-found"}.get(status, "error"))


def _failed(status: int, slug: str) -> tuple[str, int]:
    return page("failed", status=status, slug=slug, told=words.FAILURES.get(slug, words.FAILURES["error"])), status


def page(template: str, **values: Any) -> str:
    """One page of `templates/console`."""
    session = g.get("session")
    return render_template(
        f"console/{template}.html",
        session=session,
        form_token=session.form_token if session else "",
        now=services().clock.now_ms(),
        asset=_asset,
        **values,
    )


def _asset(name: str) -> str:
    return url_for("console.static", filename=name, v=_digests[name])


def _digest(name: str) -> str:
    text = (resources.files("orchestrator.web") / "static" / "console" / name).read_bytes()
    return hashlib.sha256(text).hexdigest()[:12]


_digests = {name: _digest(name) for name in _ASSETS}
"""So that a new release's files are fetched anew."""
