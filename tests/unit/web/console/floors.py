"""Calls as the console finds them, made of events."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core import events as e
from orchestrator.core.actions import Action, Outcome, StartTranscription, StopTranscription, Verdict
from orchestrator.core.call import Call
from orchestrator.core.profile import Profile
from orchestrator.core.transition import begin, transition
from orchestrator.web.console.rows import Row, row_of

PROFILE = Profile(route="conference")
NOW = 1_700_000_000_000


def talking(sid: str, at: int, number: str = "+15555550101", agent: str = "amy") -> list[e.Event]:
    """A customer calls, an agent comes after five seconds, transcription is on half a second later."""
    return [
        e.CallArrived(at=at, call_sid=sid, profile=PROFILE, customer_number=number, has_stream_url=True),
        e.StreamStarted(at=at + 300, name="asapp-1", sid="MZ1"),
        e.AgentConnected(at=at + 5_000, agent_id=agent),
        *asked(StartTranscription(agent_id=agent, stream="asapp-1"), 1, at + 5_300, at + 5_500),
    ]


def asked(action: Action, attempt: int, at: int, ended: int, verdict: Verdict = Verdict.DONE) -> list[e.Event]:
    return [
        e.ActionIntended(at=at, action=action, attempt=attempt),
        e.ActionEnded(at=ended, action=action, attempt=attempt, outcome=Outcome(verdict=verdict)),
    ]


def held(at: int, off_after_ms: int, attempt: int = 2) -> list[e.Event]:
    """The desktop reports a hold; ASAPP confirms off some time later."""
    return [
        e.HoldReported(at=at),
        *asked(StopTranscription(), attempt, at + 5, at + off_after_ms),
    ]


def call_of(told: Iterable[e.Event]) -> Call:
    first, *rest = told
    assert isinstance(first, e.CallArrived)
    call = begin(first)
    for event in rest:
        call = transition(call, event)
    return call


def row(told: Iterable[e.Event]) -> Row:
    return row_of(call_of(told))
