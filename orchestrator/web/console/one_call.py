"""`/console/calls/<sid>`: one call. Its transcript is opened on request only, and that is written down."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.core.people import current_agent, is_stopped
from orchestrator.errors import OrchestratorError
from orchestrator.log import clean_text
from orchestrator.shown import event_json
from orchestrator.store.reading import TimelineEntry
from orchestrator.transcripts import view
from orchestrator.transcripts.coverage import coverage
from orchestrator.web.console import playbook, timeline
from orchestrator.web.console.actions import NOT_LIFTED, offered
from orchestrator.web.console.pages import bp, page
from orchestrator.web.console.words import fine_clock, sentence
from orchestrator.web.context import call_of, services

EVENTS_SHOWN = 60
_HIDDEN = frozenset({"event", "at", "call_sid", "occurred_at", "timeout_ms", "is_paced"})
_TIMES = frozenset({"until", "asked_at"})
_EMPTY: tuple[object, ...] = ("", {}, [], None)


def known(sid: str) -> Call:
    """The call of any of its legs. Raises `no-such-call`."""
    found = call_of(sid)
    if found is None:
        raise OrchestratorError("no-such-call", "No call is known by this SID")
    return found


@bp.get("/calls/<sid>")
def one_call(sid: str) -> str | AnyResponse:
    call = known(sid)
    if call.call_sid != sid:
        return redirect(url_for("console.one_call", sid=call.call_sid), 303)
    is_open = request.args.get("transcript") == "open"
    if is_open:
        _write_down(call.call_sid)
    entries = services().store.timeline(call.call_sid)
    now = services().clock.now_ms()
    shown = len(entries) if request.args.get("events") == "all" else EVENTS_SHOWN
    return page(
        "one_call",
        call=call,
        state=state_of(call),
        sentence=sentence(call, now),
        agent=current_agent(call),
        is_stopped=is_stopped(call),
        actions=offered(call),
        not_lifted=NOT_LIFTED,
        ledger=coverage(call),
        problems=[(each, playbook.entries_for(each.id, each.detail)) for each in call.problems],
        drawing=timeline.drawn(call, entries, now),
        events=[_shown(entry) for entry in reversed(entries[-shown:])],
        events_total=len(entries),
        transcript=_talk(view.transcript_of(services(), call.call_sid)) if is_open else None,
        is_open=is_open,
        trail=services().audit.of_call(call.call_sid),
    )


def _write_down(call_sid: str) -> None:
    """The opening of a transcript, once for as long as it is looked at."""
    sessions = services().sessions
    if not sessions.has_opened(g.session, call_sid):
        services().audit.record(g.session.name, "opened-transcript", call_sid=call_sid)
        sessions.note_opened(g.session, call_sid)


def _shown(entry: TimelineEntry) -> dict[str, Any]:
    told = event_json(entry.event)
    action = told.pop("action", None)
    pieces = [f"{action.pop('action', '')} {_value(action)}".strip()] if isinstance(action, dict) else []
    for name, value in told.items():
        if name not in _HIDDEN:
            shown = fine_clock(value) if name in _TIMES else _value(value)
            pieces.append(f"{name.replace('_', ' ')} {shown}")
    return {
        "at": entry.at,
        "name": entry.name.replace("-", " "),
        "details": clean_text(" · ".join(pieces)),
        "state": entry.state.get("state", ""),
        "note": entry.note,
    }


def _value(value: object) -> str:
    if isinstance(value, dict):
        shown = [f"{name} {_value(each)}" for name, each in value.items() if name not in _HIDDEN and each not in _EMPTY]
        return ", ".join(shown).replace("_", " ")
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _talk(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    """Utterances, pauses and gaps in the order of their beginning."""
    lines = [{"kind": "said", **each} for each in transcript["utterances"]]
    lines += [{"kind": "pause", **each} for each in transcript["pauses"]]
    lines += [{"kind": "gap", **each} for each in transcript["gaps"]]
    lines += [{"kind": "withheld", **each} for each in transcript["quarantined"]]
    return sorted(lines, key=lambda each: str(each["start"]))
