"""What is told past the ordinary: a stop sent with the store away, actions held back, calls that were parked."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.actions import CreateStream, StartTranscription, StopStream, StopTranscription, Verdict
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


def test_a_start_that_a_failover_forgot_is_stopped_by_the_pause_that_follows() -> None:
    """A start was due when the store became another one: it may be running, so a pause stops it."""
    story = Story().arrives().stream_started().customer_joins().agent_joins()
    story.told(e.AuditRequested, is_forgetful=True)
    assert (story.transcription, story.state) == ("unknown", "interrupted")
    story.at(400).paused("payment")
    assert story.next_is(StopTranscription).purpose == "wanted"


def test_a_start_that_a_failover_forgot_is_taken_back_before_it_is_repeated() -> None:
    """Talk goes on: a stop that finds out, then the start."""
    story = Story().arrives().stream_started().customer_joins().agent_joins()
    story.told(e.AuditRequested, is_forgetful=True)
    assert story.next_is(StopTranscription).purpose == "reset"
    assert story.answers(Verdict.DONE).settles().state == "transcribing"


def test_after_a_failover_a_call_that_is_off_is_told_to_stop_once_more() -> None:
    """Within a minute, each at its moment; half a second after the failover where a start was wanted until just now."""
    waiting = Story().arrives().stream_started().customer_joins().told(e.AuditRequested, is_forgetful=True)
    assert not isinstance(waiting.next_action(), StopTranscription)
    assert waiting.at(60_000).next_is(StopTranscription).purpose == "assert"

    held = talking().told(e.HoldReported).answers().told(e.AuditRequested, is_forgetful=True)
    assert held.at(500).next_is(StopTranscription).purpose == "assert"


def test_asking_again_after_a_failover_puts_no_stop_off() -> None:
    """Every process that noticed it asks, one after the other: the first moment holds."""
    held = talking().told(e.HoldReported).answers().told(e.AuditRequested, is_forgetful=True)
    first = held.call.reassert_stop_at
    assert first is not None
    assert held.at(100).told(e.AuditRequested, is_forgetful=True).call.reassert_stop_at == first


def test_what_has_ended_and_has_no_stream_is_not_stopped_once_more() -> None:
    """Nobody is there to be heard, and nothing is left to do."""
    story = Story().arrives().stream_started().customer_joins().told(e.AuditRequested, is_forgetful=True)
    story.ends().stream_stopped().settles()
    assert story.call.reassert_stop_at is not None
    assert story.look_again_in() is None


def test_a_reconnect_to_the_same_store_doubts_nothing() -> None:
    """What it acknowledged it has."""
    held = talking().told(e.HoldReported).answers().told(e.AuditRequested)
    assert held.call.reassert_stop_at is None


def test_a_stream_may_be_forgotten_with_its_start() -> None:
    """Where none is up it is stopped by the name that it would have, which is not used again; off is made sure of."""
    story = Story(stream_from="agent-connect").arrives().customer_joins().told(e.AuditRequested, is_forgetful=True)
    stop = story.next_is(StopStream)
    assert (stop.name, stop.purpose) == ("asapp-1", "unwanted")
    story.answers(Verdict.NOT_FOUND).settles()
    assert story.at(60_000).next_is(StopTranscription).purpose == "assert"
    story.settles().agent_joins().next_is(CreateStream)
    assert story.settles().stream.name == "asapp-2"


def test_a_forgotten_stream_that_is_heard_of_is_known_again() -> None:
    """Its callback comes after the failover."""
    story = Story(stream_from="agent-connect").arrives().customer_joins().told(e.AuditRequested, is_forgetful=True)
    story.agent_joins().stream_started("asapp-1")
    assert (story.stream.name, story.stream.may_live) == ("asapp-1", True)


def test_a_failover_forgets_no_stream_that_is_up_or_never_wanted() -> None:
    """Nothing is to be stopped then."""
    for story in (talking(), Story(transcribe=False).arrives().customer_joins(), Story().is_adopted()):
        before = [stream.name for stream in story.call.streams]
        story.told(e.AuditRequested, is_forgetful=True)
        assert [stream.name for stream in story.call.streams] == before


def test_the_doubt_asks_for_the_call_and_its_conference() -> None:
    """Nothing else would tell of a hold that could not be stored."""
    story = talking().told(e.TranscriptionDoubted)
    assert sorted(each.key.partition(":")[0] for each in story.call.readings) == ["call", "conference"]
