"""Why was this not transcribed between these two times?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import Verdict
from orchestrator.narration.stretches import Stretch, reason, stretches
from orchestrator.web.parameters import STATES
from tests.unit.narration.story import CALL, START, STOP, T0, answered, arrived, asked, held_once, in_room, told


def at(found: list[Stretch], after_ms: int) -> Stretch:
    (there,) = [each for each in found if each.within(T0 + after_ms, T0 + after_ms + 1)]
    return there


def test_a_hold_is_told_with_the_events_that_began_and_ended_it() -> None:
    """What an operator asks: not transcribed because of the hold, from its event to the resumption."""
    call, entries = held_once()
    found = stretches(entries, call)
    held = at(found, 15_000)
    assert (held.start - T0, held.heard) == (10_100, "no")
    assert held.why == "paused: the customer was on hold in the conference"
    assert (held.cause, held.caused_at - T0) == ("The customer was put on hold", 10_000)
    stopping = at(found, 10_050)
    assert stopping.cause == "The customer was put on hold"
    assert (stopping.end, stopping.heard) == (held.start, "perhaps")
    starting = at(found, 20_200)
    assert (starting.why, starting.cause) == (
        "wanted, and a start was on its way",
        "The customer was taken off hold",
    )


def test_stretches_leave_no_moment_out() -> None:
    """Each begins where the one before ends; the last one lasts."""
    call, entries = held_once()
    found = stretches(entries, call)
    assert found[0].start == T0
    assert [each.end for each in found[:-1]] == [each.start for each in found[1:]]
    assert found[-1].end is None
    on = [(each.start - T0, (each.end or 0) - T0) for each in found if each.heard == "yes"]
    assert on == [(5100, 10_000), (20_400, 30_000)]


def test_before_an_agent_comes_nobody_is_transcribed() -> None:
    """And after the call there is nothing to."""
    call, entries = held_once()
    found = stretches(entries, call)
    assert at(found, 2000).why == "no agent was connected"
    assert at(found, 40_000).why == "the call had ended"


def test_a_named_pause_and_a_failure_are_told_by_name() -> None:
    """The reason as the desktop gave it; the failure as the call's books have it."""
    call, entries = told(
        arrived(),
        e.StreamStarted(at=T0 + 500, name="asapp-1", sid="MZ" + "d" * 32),
        in_room(e.ParticipantJoined, T0 + 1000, CALL, 1),
        in_room(e.ParticipantJoined, T0 + 5000, "CA" + "b" * 32, 2),
        asked(T0 + 5010, START, 1),
        answered(T0 + 5100, START, 1, Verdict.REFUSED_FOR_NOW, family="429"),
        asked(T0 + 7000, START, 2),
        answered(T0 + 7100, START, 2),
        e.PauseRequested(at=T0 + 9000, reason="payment"),
        asked(T0 + 9010, STOP, 3),
        answered(T0 + 9100, STOP, 3),
    )
    found = stretches(entries, call)
    assert at(found, 6000).why == "wanted, and broken off: asapp-429"
    assert at(found, 9500).why == "paused: payment"


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_has_a_reason(state: str) -> None:
    """In words, not by its name."""
    assert " " in reason({"state": state})


def test_stretches_do_not_overlap_where_commits_overtook_each_other() -> None:
    """An event of an earlier moment that was committed later begins where the one before it began."""
    call, entries = held_once()
    entries[7], entries[8] = replace(entries[7], at=T0 + 10_200), replace(entries[8], at=T0 + 10_100)
    found = stretches(entries, call)
    assert all(each.end is None or each.end >= each.start for each in found)
    assert [each.end for each in found[:-1]] == [each.start for each in found[1:]]
