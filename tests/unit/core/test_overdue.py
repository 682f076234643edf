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


def test_a_named_pause_outlasts_its_agent() -> None:
    """The payment pause that stands while one agent leaves and another comes is one pause, and told during it."""
    story = Story(max_pause_s=60).talks().paused("payment").settles().at(40_000).agent_leaves().settles()
    assert story.at(20_000).next_is(NoteTime).subject == "payment"
    story.settles().agent_joins("bob").settles()
    assert story.problems == ["pause-overdue"]
    assert not story.resumed("payment").problems


def test_consent_that_nobody_could_ask_for_is_not_overdue() -> None:
    """It stands from the first moment; its time begins with the agent."""
    story = Story(max_pause_s=60, consent="required").arrives().customer_joins().at(200_000).settles()
    assert not story.problems
    story.agent_joins().settles().at(60_000).settles()
    assert story.problems == ["pause-overdue"]
