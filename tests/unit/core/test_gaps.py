"""Gaps: time in which transcription was wanted and was not on."""

from __future__ import annotations

from tests.unit.core.given import Story


def test_a_hang_up_told_by_the_stream_first_is_no_gap() -> None:
    """The stream's end comes before the customer's leaving at every hang-up; no transcript tells it as a loss."""
    story = Story().talks()
    before = story.call.gaps
    story.stream_stopped()
    assert story.call.gaps != before
    story.at(40).customer_leaves()
    assert story.call.gaps == before


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
