"""Gaps: time in which transcription was wanted and was not on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from orchestrator.core import events as e
from tests.unit.core.given import ROOM, Story


def dial_ends(story: Story) -> Story:
    """Into the survey: nobody's leaving is known yet."""
    return story.told(e.DialEnded, outcome="answered", goes_to_survey=True)


@pytest.mark.parametrize("left", [Story.customer_leaves, Story.agent_leaves, Story.ends, dial_ends])
def test_a_hang_up_told_by_the_stream_first_is_no_gap(left: Callable[[Story], Story]) -> None:
    """Whoever's leaving is told next, the stream's end just before it is not told as a loss."""
    story = Story().talks()
    before = story.call.gaps
    story.stream_stopped()
    assert story.call.gaps != before
    left(story.at(40))
    assert story.call.gaps == before


def conference_ends(story: Story) -> Story:
    return story.told(e.ConferenceEnded, conference=ROOM, sequence=9)


def test_in_whatever_order_a_hang_up_is_told_nothing_was_missed() -> None:
    """Six callbacks side by side, in each of their orders, two milliseconds apart."""
    news: tuple[Callable[[Story], Story], ...] = (
        Story.stream_stopped,
        Story.customer_leaves,
        Story.agent_leaves,
        Story.ends,
        dial_ends,
        conference_ends,
    )
    for order in permutations(news):
        story = Story().talks()
        before = story.call.gaps
        for each in order:
            each(story.at(2))
        assert story.call.gaps == before, order


def test_a_gap_never_ends_before_it_begins() -> None:
    """Callbacks arrive in any order and carry their own times of receipt."""
    story = Story().talks()
    story.stream_stopped()
    story.at(-5).customer_leaves()
    assert all(gap.end is None or gap.end >= gap.start for gap in story.call.gaps)


def test_a_break_before_the_hang_up_is_a_gap() -> None:
    """What broke well before the customer left was lost, and is told."""
    story = Story().talks()
    story.stream_failed().at(5_000).customer_leaves()
    assert [(gap.reason, gap.end - gap.start) for gap in story.call.gaps if gap.end][-1] == ("stream-broken", 5_000)
