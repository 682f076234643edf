"""A call's timeline as the store keeps it, made by this release's core from a few events."""

from __future__ import annotations

from typing import Any

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.call import Call
from orchestrator.core.profile import Profile
from orchestrator.core.transition import begin, transition
from orchestrator.store.codec import state_of
from orchestrator.store.reading import TimelineEntry

CALL, AMY, ROOM = "CA" + "a" * 32, "CA" + "b" * 32, "CF" + "c" * 32
T0 = 1_767_355_200_000  # 2026-01-02T12:00:00Z


def told(*events: e.Event) -> tuple[Call, list[TimelineEntry]]:
    """The call after these events, and its timeline."""
    first, *rest = events
    assert isinstance(first, e.CallArrived | e.CallAdopted)
    call = begin(first)
    entries = [_entry(first, call, 1)]
    for number, event in enumerate(rest, start=2):
        call = transition(call, event)
        entries.append(_entry(event, call, number))
    return call, entries


def _entry(event: e.Event, call: Call, version: int) -> TimelineEntry:
    return TimelineEntry(event.at, e.name_of(event), event, state_of(call), version)


def arrived(**more: Any) -> e.CallArrived:
    profile = Profile(route="conference")
    return e.CallArrived(
        at=T0, call_sid=CALL, profile=profile, customer_number="+15555550101", has_stream_url=True, **more
    )


def in_room(kind: type[e.ParticipantNews], at: int, leg: str, sequence: int, **more: Any) -> Any:
    label = "customer" if leg == CALL else "agent-amy"
    return kind(at=at, conference=ROOM, leg=leg, sequence=sequence, label=label, is_own_room=True, **more)


def asked(at: int, action: a.Action, attempt: int) -> e.ActionIntended:
    return e.ActionIntended(at=at, action=action, attempt=attempt, worker="w1")


def answered(at: int, action: a.Action, attempt: int, verdict: Verdict = Verdict.DONE, **more: Any) -> e.ActionEnded:
    return e.ActionEnded(at=at, action=action, attempt=attempt, outcome=Outcome(verdict=verdict, **more))


START = a.StartTranscription(agent_id="amy", stream="asapp-1")
STOP = a.StopTranscription()


def held_once() -> tuple[Call, list[TimelineEntry]]:
    """Amy joins after 5 s, holds the customer at 10 s and unholds them at 20 s; each wish is met 100 ms later."""
    return told(
        arrived(),
        e.StreamStarted(at=T0 + 500, name="asapp-1", sid="MZ" + "d" * 32),
        in_room(e.ParticipantJoined, T0 + 1000, CALL, 1),
        in_room(e.ParticipantJoined, T0 + 5000, AMY, 2),
        asked(T0 + 5010, START, 1),
        answered(T0 + 5100, START, 1, duration_ms=90),
        in_room(e.ParticipantHeld, T0 + 10_000, CALL, 3, is_held=True),
        asked(T0 + 10_010, STOP, 2),
        answered(T0 + 10_100, STOP, 2),
        in_room(e.ParticipantUnheld, T0 + 20_000, CALL, 4, is_held=False),
        asked(T0 + 20_310, START, 3),
        answered(T0 + 20_400, START, 3),
        e.LegEnded(at=T0 + 30_000, leg=CALL),
    )
