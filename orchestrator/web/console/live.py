"""`/console/live`: tells a page that something of what it shows has changed, and nothing else.

The page then asks for itself again, so whoever may not see something any more, and whatever is to be written down, is
seen to in one place. An open stream holds no thread (`feeds`).
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, g, request

from orchestrator.feeds.view import CHANGE, View
from orchestrator.web import streams
from orchestrator.web.console.one_call import known
from orchestrator.web.console.pages import bp
from orchestrator.web.console.users import is_good
from orchestrator.web.context import services


@bp.get("/live")
def live() -> Response:
    """`?of=` a Call SID, or `all`."""
    of = request.args.get("of", "all")
    call_sid = None if of == "all" else known(of).call_sid
    return streams.follow(
        View(call_sid=call_sid, kinds=frozenset((CHANGE,))), _recheck(), owner=f"console:{g.session.name}"
    )


def _recheck() -> Callable[[], bool]:
    """Whether the session lasts, as far as can be told without asking Redis."""
    session, settings, clock = g.session, services().settings, services().clock
    return lambda: is_good(session, settings) and clock.now_ms() < session.until
