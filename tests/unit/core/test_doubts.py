"""What is told past the ordinary: a stop sent with the store away, actions held back, calls that were parked."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.actions import StartTranscription, StopTranscription, Verdict
from tests.unit.core.given import Story


def talking() -> Story:
    return Story().arrives().stream_started().customer_joins().agent_joins().answers()


def test_a_doubted_transcription_is_looked_into_before_it_is_begun_again() -> None:
    """Twilio is asked who is held; only then stop, and start."""
    story = talking().told(e.TranscriptionDoubted)
    assert (story.transcription, story.state) == ("unknown", "interrupted")
    assert not isinstance(story.next_action(), StopTranscription | StartTranscription)
    assert story.call.readings
    story.at(2_000)
    assert story.call.segments[-1].end is not None


def test_a_doubted_transcription_that_is_not_wanted_is_stopped_at_once() -> None:
    """The hold came, too."""
    story = talking().told(e.TranscriptionDoubted).told(e.HoldReported)
    assert story.next_is(StopTranscription).purpose == "wanted"


def test_a_doubt_about_what_is_off_changes_nothing() -> None:
    """It was stopped properly in the meantime."""
    story = talking().told(e.HoldReported).answers(Verdict.DONE)
    story.told(e.TranscriptionDoubted)
    assert (story.transcription, story.state) == ("off", "paused")


def test_a_start_that_is_held_back_is_a_failure_behind_it() -> None:
    """The state says so, though this call never tried; once on it is forgotten."""
    story = Story().arrives().stream_started().customer_joins().agent_joins()
    assert story.state == "starting"
    story.told(e.TimePassed, what="held-back", subject="asapp-unwell")
    assert (story.state, story.call.gaps[-1].reason) == ("interrupted", "asapp-unwell")
    assert story.answers().state == "transcribing"
    story.told(e.TimePassed, what="held-back", subject="asapp-unwell")
    assert story.state == "transcribing"


def test_a_parked_call_shows_it_until_it_is_cured() -> None:
    """`gave_up`, since nothing is tried."""
    story = talking().told(e.TimePassed, what="parked", subject="20 failures in a row")
    assert [(each.id, each.gave_up) for each in story.call.problems] == [("parked", True)]
    assert story.told(e.TimePassed, what="unparked").problems == []


def test_the_doubt_asks_for_the_call_and_its_conference() -> None:
    """Nothing else would tell of a hold that could not be stored."""
    story = talking().told(e.TranscriptionDoubted)
    assert sorted(each.key.partition(":")[0] for each in story.call.readings) == ["call", "conference"]
