"""The buttons of a call's page: events like those of the desktop's API, each written down before it is applied."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.core import events
from orchestrator.core.applied.desktop import CONSENT, DESKTOP_HOLD
from orchestrator.core.call import Call
from orchestrator.core.people import STOPPED, is_stopped
from orchestrator.errors import OrchestratorError
from orchestrator.web.console.pages import bp
from orchestrator.web.context import received_at, services

MANUAL = "manual"
NOT_LIFTED = frozenset({CONSENT, DESKTOP_HOLD, STOPPED})
"""Pauses that end by what began them: a consent, the desktop's unhold, or nothing."""


class Action(NamedTuple):
    """`asks`: the question before it is done; `means`: what follows. `look`: how the button looks."""

    slug: str
    label: str
    asks: str
    means: str
    look: str = ""


PAUSE = Action(
    "pause",
    "Pause",
    "Pause transcription?",
    "Nothing more of this call is transcribed until somebody resumes it. The callers notice nothing.",
)
RESUME = Action(
    "resume",
    "Resume",
    "Resume transcription?",
    "The pause is taken away; other reasons, such as a hold, still count.",
    "primary",
)
RETRY = Action(
    "retry", "Try again", "Try again?", "Everything that was given up for this call is tried once more, from the start."
)
STOP = Action(
    "stop",
    "Stop for good",
    "Stop transcription for good?",
    "Nothing more of this call is transcribed, whatever happens, and its audio no longer goes to ASAPP. "
    "This cannot be undone. The callers notice nothing.",
    "danger",
)


def offered(call: Call) -> list[Action]:
    """What may sensibly be done with this call now."""
    if call.is_ended or not call.profile.transcribe:
        return []
    if is_stopped(call):
        return [RETRY]
    has_own = any(pause.reason == MANUAL for pause in call.pauses)
    retry = RETRY._replace(look="primary") if call.problem is not None and call.problem.gave_up else RETRY
    return [RESUME if has_own else PAUSE, retry, STOP]


@bp.post("/calls/<sid>/<slug>")
def act(sid: str, slug: str) -> AnyResponse:
    """Applies the event and shows the call again."""
    from orchestrator.web.console.one_call import known  # noqa: PLC0415  pages and buttons know each other

    call = known(sid)
    reason = request.form.get("reason", MANUAL)
    if slug == "resume" and (reason in NOT_LIFTED or all(pause.reason != reason for pause in call.pauses)):
        raise OrchestratorError("invalid-parameter", "This pause does not stand, or does not end by hand")
    event = _event(slug, reason)
    detail = reason if slug == "resume" else ""
    services().audit.record(g.session.name, f"asked-{slug}", call_sid=call.call_sid, detail=detail)
    services().store.apply(call.call_sid, event)
    is_open = request.form.get("transcript") == "open"
    shown = {"transcript": "open"} if is_open else {}
    return redirect(f"{url_for('console.one_call', sid=call.call_sid)}?{urlencode({'done': slug, **shown})}", 303)


def _event(slug: str, reason: str) -> events.Event:
    at, source = received_at(), f"console:{g.session.name}"
    match slug:
        case "pause":
            return events.PauseRequested(at=at, source=source, reason=MANUAL)
        case "resume":
            return events.PauseLifted(at=at, source=source, reason=reason)
        case "retry":
            return events.RetryRequested(at=at, source=source)
        case "stop":
            return events.PauseRequested(at=at, source=source, reason=STOPPED)
        case _:
            raise OrchestratorError("invalid-parameter", "There is no such action")
