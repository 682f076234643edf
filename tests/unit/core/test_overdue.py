"""A pause that somebody forgot, whatever it was called meanwhile."""

from __future__ import annotations

from orchestrator.core.actions import NoteTime
from tests.unit.core.given import Story


def test_a_pause_within_a_hold_is_one_pause() -> None:
    """The reason changes, the time goes on; a conversation in between begins it anew."""
    story = Story(max_pause_s=60).talks().customer_held().settles()
    story.at(40_000).settles().paused("payment").settles().at(19_000).settles()
    assert not story.problems
    assert story.at(1_000).next_is(NoteTime).subject == "payment"
    again = Story(max_pause_s=60).talks().paused("payment").settles().at(40_000).resumed("payment").at(1_000).settles()
    again.paused("payment").settles().at(30_000).settles()
    assert not again.problems
