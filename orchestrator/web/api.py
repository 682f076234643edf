"""`/api/v1`: what agent desktops ask and report. JSON, bearer keys; README.md has an example.

Reports and commands are events like any other: stored, then acted on by a worker. With `?wait=` the answer waits
until what is true equals what is wanted; waiting costs a thread, so only so many may wait at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict

import msgspec
from flask import Blueprint, Response

from orchestrator.core.call import Call, Progress
from orchestrator.core.desired import is_converged, state_of
from orchestrator.errors import OrchestratorError
from orchestrator.feeds.view import agents_of
from orchestrator.log import get_logger
from orchestrator.shown import event_json, moment
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.reading import TimelineEntry
from orchestrator.web import access, limits
from orchestrator.web.adoption import apply_or_adopt, call_or_leg, learn_names
from orchestrator.web.context import CALL_SID, body, received_at, services
from orchestrator.web.desktop_events import DescribedBody, parse
from orchestrator.web.emergency import is_silencing, stop_at_once
from orchestrator.web.operations import operation
from orchestrator.web.parameters import AGENT_ID, CURSOR, FORMAT, LIMIT, SID, STATE, WAIT, visible_call
from orchestrator.web.render import Json, call_json
from orchestrator.web.shapes import CallShown, CallsShown, TimelineShown, TranscriptShown

bp = Blueprint("api", __name__, url_prefix="/api/v1")
access.protect(bp)

WAITERS = 24
FIRST_LOOK_S = 0.02
LONGEST_LOOK_S = 0.2
_log = get_logger("orchestrator.web.api")
_waiters = threading.BoundedSemaphore(WAITERS)


def _json(document: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status=status, content_type="application/json")


@bp.get("/calls")
@operation(
    "Calls, newest first.",
    answers={200: CallsShown},
    parameters=(STATE, AGENT_ID, CURSOR, LIMIT),
    problems=("invalid-parameter",),
)
def calls() -> Response:
    state, agent_id, limit, cursor = STATE.read(), AGENT_ID.read(), LIMIT.read(), CURSOR.read()
    who = access.caller()
    if who.agent_id is not None and agent_id not in {None, who.agent_id}:
        raise OrchestratorError("forbidden", "This token is for its own agent only")
    where = _filter(state, who.agent_id or agent_id, who.call_sid)
    page = services().store.list(limit=limit, cursor=cursor, where=where)
    return _json({"calls": [call_json(call) for call in page.calls], "cursor": page.cursor})


def _filter(state: str | None, agent_id: str | None, call_sid: str | None) -> Callable[[Call], bool]:
    """What was never a call is left out."""
    return lambda call: (
        call.progress is not Progress.DROPPED
        and call_sid in {None, call.call_sid}
        and state in {None, state_of(call)}
        and (agent_id is None or agent_id in agents_of(call))
    )


@bp.get("/calls/<sid>")
@operation("The call as it is now.", answers={200: CallShown}, parameters=(SID,), problems=("no-such-call",))
def call(sid: str) -> Response:
    return _json(call_json(visible_call(sid)))


@bp.post("/calls/<sid>/events")
@operation(
    "Reports a fact or gives a command. 202 with the call; with `wait` 200 once everything is as wanted.",
    answers={200: CallShown, 202: CallShown},
    parameters=(SID, WAIT),
    body=DescribedBody,
    problems=("no-such-call", "invalid-event", "invalid-parameter", "too-large"),
)
def events(sid: str) -> tuple[Response, int] | Response:
    """A fact or a command. 202 with the call; 200 once everything is as wanted, within `?wait=` milliseconds."""
    wait_ms = WAIT.read()
    if not CALL_SID.match(sid):
        raise OrchestratorError("no-such-call", "This is not a Call SID")
    who = access.caller()
    reported = parse(body(), source=who.source)
    is_urgent = is_silencing(reported.event(0))
    if not is_urgent:
        limits.take(who)
    try:
        event = reported.event(received_at())
        call_sid, known = call_or_leg(sid)
        access.check_report(call_sid, sid, reported)
        if reported.agent_leg:
            learn_names(call_sid, (("leg", reported.agent_leg),))
        after = apply_or_adopt(call_sid, event, via=f"api:{who.key}", known=known)
    except StoreUnavailable:
        if is_urgent:
            stop_at_once(services(), sid)
        raise
    seen = _watched(after, wait_ms) if wait_ms else after
    return _json(call_json(seen), 200 if wait_ms and is_converged(seen) else 202)


def _watched(call: Call, wait_ms: int) -> Call:
    """The call once what is true equals what is wanted, or as it is when time, or the room to wait, has run out.

    The event is stored, so a store that fails now only ends the wait.
    """
    until = time.monotonic() + wait_ms / 1000
    if is_converged(call) or not _waiters.acquire(blocking=False):
        return call
    pause = FIRST_LOOK_S
    try:
        while not is_converged(call) and time.monotonic() < until:
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause = min(pause * 1.5, LONGEST_LOOK_S)
            call = services().store.load(call.call_sid) or call
    except StoreUnavailable as error:
        _log.warning("stopped waiting for the call", call_sid=call.call_sid, error_id=error.error_id)
    finally:
        _waiters.release()
    return call


@bp.get("/calls/<sid>/timeline")
@operation(
    "Every event, decision and outcome of the call, with times and reasons.",
    answers={200: TimelineShown},
    parameters=(SID,),
    problems=("no-such-call",),
)
def timeline(sid: str) -> Response:
    found = visible_call(sid)
    entries = services().store.timeline(found.call_sid)
    return _json({"call_sid": found.call_sid, "entries": [_entry(entry) for entry in entries]})


def _entry(entry: TimelineEntry) -> Json:
    event = event_json(entry.event)
    shown = asdict(entry) | {"at": moment(entry.at), "recorded_at": moment(entry.recorded_at), "event": event or None}
    return {name: value for name, value in shown.items() if value not in (None, "")}


@bp.get("/calls/<sid>/transcript")
@operation(
    "The transcript: utterances in spoken order, gaps and pauses marked.",
    answers={200: TranscriptShown},
    parameters=(SID, FORMAT),
    media={"text/plain": {"type": "string"}, "text/vtt": {"type": "string"}},
    problems=("no-such-call", "invalid-parameter"),
)
def transcript(sid: str) -> Response:
    from orchestrator.transcripts import view  # noqa: PLC0415

    kind = FORMAT.read()
    document = view.transcript_of(services(), visible_call(sid).call_sid)
    match kind:
        case "text":
            return Response(view.as_text(document), content_type="text/plain; charset=utf-8")
        case "vtt":
            return Response(view.as_vtt(document), content_type="text/vtt; charset=utf-8")
        case _:
            return _json(document)
