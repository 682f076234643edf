"""`/console/calls`: every call that is listed, filtered, ordered and paged."""

from __future__ import annotations

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.web.console import playbook
from orchestrator.web.console.lists import PER_PAGE, Wish, chosen
from orchestrator.web.console.pages import bp, floor, page
from orchestrator.web.console.words import STATES
from orchestrator.web.context import CALL_SID, services

_SORTS = {"need": "Need of attention", "newest": "Newest first", "longest": "Longest first"}
_LONGEST = 64
_LAST_PAGE = 10_000


@bp.get("/calls")
def calls() -> str | AnyResponse:
    wish = _wish()
    if CALL_SID.match(wish.number):
        return redirect(url_for("console.one_call", sid=wish.number), 303)
    found = chosen(floor().rows(), wish, services().clock.now_ms())
    last = max(1, -(-len(found) // PER_PAGE))
    number = min(_page_number(), last)
    return page(
        "calls",
        wish=wish,
        states=STATES,
        problems=playbook.PROBLEMS,
        sorts=_SORTS,
        rows=floor().refreshed(found[(number - 1) * PER_PAGE : number * PER_PAGE]),
        total=len(found),
        number=number,
        last=last,
        first=(number - 1) * PER_PAGE + 1 if found else 0,
        asked={name: value for name, value in request.args.items() if name != "page" and value},
    )


def _wish() -> Wish:
    """What is not understood asks for nothing."""
    given = {name: request.args.get(name, "").strip()[:_LONGEST] for name in ("state", "agent", "number", "problem")}
    if given["state"] not in {*STATES, "live"}:
        given["state"] = ""
    sort = request.args.get("sort", "need")
    return Wish(**given, sort=sort if sort in _SORTS else "need")


def _page_number() -> int:
    text = request.args.get("page", "1")
    return max(1, min(int(text), _LAST_PAGE)) if text.isdecimal() and text.isascii() else 1
