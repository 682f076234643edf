"""Audits: nothing is believed for ever; Twilio is asked at times, and when something was seen to be missing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, ReadCall, ReadParticipants, Verdict
from orchestrator.core.backoff import spread
from orchestrator.core.transition import transition
from tests.unit.core.given import AMY, CUSTOMER, ROOM, Story

MINUTE_MS = spread(CUSTOMER, 60_000)


def test_conference_is_read_every_minute_of_talk() -> None:
    """Every 60 s of conversation the participants are read."""
    story = Story(silence_probe_s=0).talks()
    story.at((story.call.audit_at or 0) - story.now)
    assert story.next_is(ReadParticipants).why == "audit"
    story.settles()
    assert (story.next_action(), story.look_again_in()) == (None, MINUTE_MS)


def test_call_without_a_conference_is_read_itself() -> None:
    """Outside a conference the call itself is read."""
    story = Story(silence_probe_s=0).arrives().stream_started().told(e.AgentConnected, agent_id="amy").settles()
    assert story.at(MINUTE_MS).next_is(ReadCall).why == "audit"


def test_waiting_call_is_read_rarely() -> None:
    """A call without an agent is read every five minutes, so that a lost end is found."""
    story = Story().arrives().stream_started().settles()
    assert story.look_again_in() == spread(CUSTOMER, 300_000)


def test_first_agent_brings_the_audit_forward() -> None:
    """With the first agent the next audit comes within the minute."""
    assert Story().arrives().customer_joins().agent_joins().call.audit_at == Story().now + MINUTE_MS


def test_requested_audit_reads_everything() -> None:
    """After a reconnect to Redis the call and its conferences are read; conferences that ended are not."""
    story = Story().talks().customer_joins(room="CF" + "0" * 32, sequence=1)
    story.told(e.ConferenceEnded, conference="CF" + "0" * 32, sequence=2).told(e.AuditRequested, why="reconnect")
    assert [each.key for each in story.call.readings] == ["call", f"conference:{ROOM}"]
    story.next_is(ReadCall)


def test_earlier_read_wins() -> None:
    """A read that is due later is brought forward, never put off."""
    story = Story().talks().told(e.CallRead, status="missing").told(e.AuditRequested)
    assert [each.not_before - story.now for each in story.call.readings if each.key == "call"] == [0]
    story.at(1_000).told(e.AuditRequested)
    assert [each.not_before - story.now for each in story.call.readings if each.key == "call"] == [-1_000]


def test_failing_reads_keep_their_spacing() -> None:
    """A request for a read does not break the spacing of one that keeps failing."""
    story = Story().talks().told(e.CallRead, status="unreadable").told(e.CallEndReported)
    assert story.call.readings[0].not_before == story.now + 2_000


def test_answer_puts_the_next_look_off() -> None:
    """An early answer does not move the next look; a due one starts the minute anew."""
    story = Story().talks()
    due = story.call.audit_at
    assert story.told(e.CallRead, status="in-progress").call.audit_at == due


def test_read_told_as_an_outcome() -> None:
    """The outcome of a read changes nothing by itself: its answer is an event of its own."""
    story = Story().talks()
    before = story.call
    failed = e.ActionEnded(at=story.now, action=ReadCall(), attempt=0, outcome=Outcome(verdict=Verdict.UNKNOWN))
    assert story.hears(failed).call is before


def test_event_that_is_none() -> None:
    """What is not an event of ours is a bug of the caller, and says so."""
    with pytest.raises(AssertionError):
        transition(Story().talks().call, cast("e.Event", Outcome(verdict=Verdict.DONE)))


def test_unknown_deadline_changes_nothing() -> None:
    """A deadline of a later version is ignored."""
    story = Story().talks()
    before = story.call
    assert story.told(e.TimePassed, what="something new").call is before


@pytest.mark.parametrize(
    ("kind", "refused", "told"),
    [
        (e.CallRead, {"status": "unreadable"}, {"status": "in-progress"}),
        (e.LegRead, {"leg": AMY}, {"leg": AMY, "identity": "client:amy"}),
        (e.ParticipantsRead, {"conference": ROOM, "asked_at": 0, "is_readable": False}, {}),
    ],
)
def test_reads_that_twilio_refuses_us_are_told(kind: type[Any], refused: dict[str, Any], told: dict[str, Any]) -> None:
    """401 to a look is a problem until one is answered; a look that only failed changes nothing about that."""
    story = Story().talks().told(kind, refusal="20003 Authenticate", **refused)
    assert story.problems == ["twilio-unreadable"]
    story.told(kind, **refused)
    assert story.problems == ["twilio-unreadable"]
    told = told or {"conference": ROOM, "asked_at": story.now}
    assert story.told(kind, **told).problems == []
