"""Redis's clock is put back while a call is talking (fault 40): stops go at once, and are repeated in their time."""

from __future__ import annotations

from orchestrator.core.actions import StopStream, StopTranscription, Verdict
from orchestrator.core.backoff import STOP_DEADLINE_MS
from tests.unit.core.given import Story

BACK_MS = 60_000


def held_then_put_back() -> Story:
    """The hold was received by the old clock, all that follows is by the new one."""
    return Story().talks().at(10_000).customer_held().at(-BACK_MS)


def test_a_wanted_stop_does_not_wait_for_its_moment_to_come_again() -> None:
    """It is due by what the call knows."""
    held_then_put_back().next_is(StopTranscription)


def test_a_stop_that_fails_after_it_is_repeated_at_the_usual_pace() -> None:
    """Not at once, and not a minute later."""
    story = held_then_put_back().answers(Verdict.FAILED, family="5xx")
    assert story.next_action() is None
    story.at(300).next_is(StopTranscription)


def test_the_cut_is_due_by_the_new_clock() -> None:
    """3 s after the first news by the new clock the stream goes down."""
    story = held_then_put_back()
    for wait_ms in (0, 250, 500, 1_000, 1_000):
        story.at(wait_ms).answers(Verdict.FAILED, family="5xx")
    story.at(STOP_DEADLINE_MS).next_is(StopStream)


def test_the_unhold_after_it_is_on_in_its_time() -> None:
    """Nothing of the old clock keeps it waiting."""
    story = held_then_put_back().answers().at(5_000).customer_unheld().at(400).settles()
    assert story.transcription == "on"


def test_news_out_of_order_are_no_clock_put_back() -> None:
    """A second or two between processes change nothing of the call's time."""
    story = Story().talks().at(10_000).customer_held()
    known = story.call.updated_at
    story.at(-2_000).customer_unheld()
    assert story.call.updated_at == known
