"""A stored timeline through this release's core."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.errors import OrchestratorError
from orchestrator.narration.replay import Difference, replay
from orchestrator.store.reading import CUT, TimelineEntry
from tests.unit.narration.story import AMY, CALL, START, STOP, T0, answered, arrived, asked, held_once, in_room, told


def test_what_this_release_made_it_decides_alike() -> None:
    """No difference at all."""
    _, entries = held_once()
    assert replay(entries) == []


def test_another_state_is_shown_with_both() -> None:
    """Only what differs, where it began."""
    _, entries = held_once()
    entries[6] = replace(entries[6], state={**entries[6].state, "state": "transcribing"})
    assert replay(entries) == [
        Difference(T0 + 10_000, "state", "participant-held", {"state": "transcribing"}, {"state": "pausing"})
    ]


def test_another_action_is_shown_with_both() -> None:
    """Then a stream's end was asked for, now ASAPP is told to stop; times allowed do not count."""
    _, entries = held_once()
    entries[7] = replace(entries[7], event=asked(T0 + 10_010, a.StopStream(name="asapp-1"), 2))
    (first, *_) = [each for each in replay(entries) if each.kind == "action"]
    assert (first.then, first.now) == (
        {"action": "stop-stream", "name": "asapp-1"},
        {"action": "stop-transcription"},
    )


def test_an_action_that_nobody_took_is_shown() -> None:
    """Off was wanted, and for ten seconds nothing was asked."""
    _, entries = told(
        arrived(),
        e.StreamStarted(at=T0 + 500, name="asapp-1", sid="MZ" + "d" * 32),
        in_room(e.ParticipantJoined, T0 + 1000, CALL, 1),
        in_room(e.ParticipantJoined, T0 + 5000, AMY, 2),
        asked(T0 + 5010, START, 1),
        answered(T0 + 5100, START, 1),
        in_room(e.ParticipantHeld, T0 + 10_000, CALL, 3, is_held=True),
        in_room(e.ParticipantModified, T0 + 20_000, CALL, 4, is_held=True),
        asked(T0 + 20_010, STOP, 2),
    )
    idle = [each for each in replay(entries) if each.kind == "idle"]
    assert [(each.at - T0, each.after) for each in idle] == [(10_000, "participant-held")]


def test_an_event_of_another_release_is_shown_and_passed_over() -> None:
    """The rest is compared all the same."""
    _, entries = held_once()
    entries[2] = replace(entries[2], event=None, name="martian-landed")
    assert replay(entries)[0].after == "martian-landed"


@pytest.mark.parametrize("first", [None, "cut", "later"])
def test_without_its_beginning_a_call_is_not_replayed(first: str | None) -> None:
    """A long call's first entries are dropped; a guess would look like a difference."""
    _, entries = held_once()
    cut = TimelineEntry(T0, CUT, None, {}, 1, "3 earlier entries were dropped")
    given = {None: [], "cut": [cut, *entries[3:]], "later": entries[3:]}[first]
    with pytest.raises(OrchestratorError, match="beginning"):
        replay(given)
