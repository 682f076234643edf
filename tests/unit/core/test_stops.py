"""Stopping: at once, again and again until confirmed, and confirmed only by an answer."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import (
    NoteTime,
    Outcome,
    ReadCall,
    ReadLeg,
    ReadParticipants,
    StartTranscription,
    StopStream,
    StopTranscription,
    Verdict,
)
from orchestrator.core.backoff import REASSERT_MS, STOP_WRITE_OFF_MS
from orchestrator.core.reconcile import is_urgent
from tests.unit.core.given import Story, sid

NOT_CONFIRMED = [Verdict.UNKNOWN, Verdict.FAILED, Verdict.REFUSED_FOR_NOW, Verdict.TERMINAL, Verdict.NOT_FOUND]


def on_hold(**keys: object) -> Story:
    return Story(**keys).talks().customer_held()


def waits(story: Story, count: int, verdict: Verdict = Verdict.FAILED) -> list[int]:
    seen = []
    for _ in range(count):
        story.next_is(StopTranscription)
        story.answers(verdict)
        seen.append(story.call.transcription.not_before - story.now)
        story.at(seen[-1])
    return seen


def test_stop_never_waits() -> None:
    """A hold plans a stop at once."""
    assert on_hold().next_is(StopTranscription).purpose == "wanted"


def test_intent_makes_it_stopping() -> None:
    """From the intent until a confirmed answer the state is `stopping`."""
    assert on_hold().intends().transcription == "stopping"


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.ALREADY, Verdict.NO_STREAM])
def test_confirmed_off(verdict: Verdict) -> None:
    """200, 409-201 and 400-203 confirm off."""
    story = on_hold().answers(verdict)
    assert (story.transcription, story.state) == ("off", "paused")


@pytest.mark.parametrize("verdict", [*NOT_CONFIRMED, Verdict.BUSY])
def test_not_confirmed(verdict: Verdict) -> None:
    """Anything else is not off: stopped again."""
    story = on_hold().answers(verdict)
    assert (story.transcription, story.state) == ("stopping", "pausing")
    story.at(250).next_is(StopTranscription)


def test_ladder_of_a_stop() -> None:
    """Stops go out at 0, 0.25, 0.75 and 1.75 s, then every second."""
    assert waits(on_hold(), 3) == [250, 500, 1_000]


def test_every_second_after_the_cut_failed() -> None:
    """With stop and cut both failing, stops go on every second while audio may be heard (fault 26)."""
    story = on_hold()
    times = []
    start = story.now
    while story.now < start + 8_000:
        action = story.next_action()
        if action is None:
            story.at(story.look_again_in() or 1)
        elif isinstance(action, NoteTime):
            story.settles_note()
        else:
            if isinstance(action, StopTranscription):
                times.append(story.now - start)
            story.answers(Verdict.FAILED)
    assert times == [0, 250, 750, 1_750, 2_750, 3_750, 4_750, 5_750, 6_750, 7_750]


def test_slow_ladder_once_nothing_can_be_heard() -> None:
    """Once the stream is down stops go out after 2, 4, 8 ... 60 s."""
    story = on_hold().stream_stopped()
    assert waits(story, 7) == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]


def test_the_slow_ladder_begins_with_the_end_of_the_stream() -> None:
    """Failures from before the stream was down do not lengthen it."""
    story = on_hold()
    waits(story, 3)
    assert waits(story.stream_stopped(), 3) == [2_000, 4_000, 8_000]


def test_wanted_stop_does_not_wait_for_a_lost_stream() -> None:
    """The end of the stream during a pause does not put the wanted stop off."""
    on_hold().stream_stopped().next_is(StopTranscription)


def test_busy_stop_is_repeated_soon() -> None:
    """409-202: again after a short delay."""
    assert waits(on_hold(), 3, Verdict.BUSY) == [250, 250, 250]


def test_stop_does_not_outlast_the_cut() -> None:
    """A stop's time limit ends at the moment when the stream is to be cut."""
    story = on_hold().answers(Verdict.UNKNOWN, after=2_000).at(250)
    assert story.next_is(StopTranscription).timeout_ms == 750


def test_too_little_time_for_another_stop() -> None:
    """Right before the cut no stop is begun that would delay it."""
    story = on_hold().answers(Verdict.UNKNOWN, after=2_600).at(250)
    assert (story.next_action(), story.look_again_in()) == (None, 150)


def test_new_pause_begins_the_ladder_anew() -> None:
    """A pause that follows a troubled one is stopped at once, with its own ladder."""
    story = on_hold()
    waits(story, 2)
    story.customer_unheld().at(100).customer_held()
    assert story.call.transcription.failures == 0
    story.next_is(StopTranscription)


def test_stop_tells_counts_and_closes_the_segment() -> None:
    """The stop's summary is kept with the segment that it closes."""
    story = on_hold().answers(promised={"customer": 3, "agent": 4}, duration_ms=5_000)
    segment = story.call.segments[-1]
    assert (segment.end, segment.promised, segment.promised_ms) == (story.now, {"customer": 3, "agent": 4}, 5_000)


def test_two_holds_make_three_segments() -> None:
    """Two holds leave three segments in the ledger (story 2)."""
    story = Story().talks()
    for _ in range(2):
        story.at(1_000).customer_held().settles().at(1_000).customer_unheld().at(300).settles()
    assert (story.transcription, len(story.call.segments)) == ("on", 3)


def test_unauthorized_stop_is_a_problem() -> None:
    """401 to a stop is told to people and repeated (fault 8)."""
    story = on_hold().answers(Verdict.REFUSED_FOR_NOW, family="auth", code="401")
    assert story.problems == ["asapp-unauthorized"]
    story.at(250).next_is(StopTranscription)


def test_stop_of_an_abandoned_start() -> None:
    """A worker killed while starting: whoever takes over knows that it may be on, and stops when off is wanted."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().intends().customer_held().abandons()
    assert story.transcription == "unknown"
    story.next_is(StopTranscription)
    assert story.answers().look_again_in() == REASSERT_MS
    assert story.at(REASSERT_MS).next_is(StopTranscription).purpose == "assert"


def test_assertion_is_once_and_changes_nothing_if_already() -> None:
    """The assertion that is confirmed is the last."""
    story = on_hold().intends().abandons().answers().at(REASSERT_MS).answers(Verdict.ALREADY)
    assert (story.transcription, story.call.reassert_stop_at) == ("off", None)
    assert story.next_action() is None


def test_assertion_that_failed_is_repeated() -> None:
    """An assertion without an answer is repeated 6 s later; transcription counts as off meanwhile."""
    story = on_hold().intends().abandons().answers().at(REASSERT_MS).answers(Verdict.UNKNOWN)
    assert (story.transcription, story.call.reassert_stop_at) == ("off", story.now + REASSERT_MS)


def test_abandoned_attempt_of_long_ago() -> None:
    """The abandonment of an attempt that is not in flight changes nothing."""
    story = on_hold().answers()
    before = story.call
    assert story.told(e.ActionAbandoned, attempt=1).call == before


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.UNKNOWN])
def test_late_stop_of_a_frozen_worker_is_found_out_about(verdict: Verdict) -> None:
    """A stop's answer that comes after others went on cannot say what is so now: stop, then start."""
    story = on_hold().intends()
    late, attempt = story.call.in_flight, story.attempt
    assert late is not None
    story.abandons().customer_unheld().at(300).settles()
    assert story.transcription == "on"
    story.told(e.ActionEnded, action=late.action, attempt=attempt, outcome=Outcome(verdict=verdict))
    assert story.transcription == "unknown"
    assert story.next_is(StopTranscription).purpose == "reset"
    assert story.settles().transcription == "on"


def test_late_stop_that_was_refused_is_no_news() -> None:
    """Nor is one of which nothing was on."""
    story = on_hold().intends()
    late, attempt = story.call.in_flight, story.attempt
    assert late is not None
    story.abandons().settles()
    before = story.call
    story.told(e.ActionEnded, action=late.action, attempt=attempt, outcome=Outcome(verdict=Verdict.DONE))
    assert story.call.transcription == before.transcription
    story.customer_unheld().at(300).settles()
    refused = Outcome(verdict=Verdict.REFUSED_FOR_NOW)
    assert story.told(e.ActionEnded, action=late.action, attempt=attempt, outcome=refused).transcription == "on"


def test_hold_during_a_start_in_flight() -> None:
    """A stop follows as soon as the start's outcome is known (fault 42)."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().intends().at(500).customer_held()
    assert story.next_action() is None
    story.answered()
    assert story.transcription == "on"
    story.next_is(StopTranscription)


def test_no_stream_disproves_ours() -> None:
    """A stop that finds no stream at ASAPP tells that ours does not arrive there."""
    assert on_hold().answers(Verdict.NO_STREAM).stream.state == "failed"


def test_no_stream_right_after_its_start() -> None:
    """Within 3 s of its start that tells nothing of the stream."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().answers().customer_held()
    assert story.answers(Verdict.NO_STREAM).stream.state == "live"


def test_stop_after_the_call_has_ended_finds_no_stream() -> None:
    """After the end 400-203 is the expected confirmation."""
    story = Story().talks().ends().answers(Verdict.NO_STREAM)
    assert (story.transcription, story.stream.state) == ("off", "stopped")


def test_written_off_ten_minutes_after_the_end() -> None:
    """Ten minutes after the end an unconfirmed stop counts as off, noted in the timeline."""
    story = Story().talks().ends().settles_all_but_stops(Verdict.REFUSED_FOR_NOW, for_ms=STOP_WRITE_OFF_MS)
    assert story.next_is(NoteTime).what == "stop-written-off"
    story.settles()
    assert (story.transcription, story.plan().look_again_at) == ("off", None)
    assert story.call.segments[-1].end == story.call.ended_at


def test_unconfirmed_stop_is_told_to_people() -> None:
    """Audio that may still be heard 6 s after the wish is a problem until off is confirmed."""
    story = on_hold().settles_all_but_stops(Verdict.FAILED, for_ms=5_900)
    assert story.problems == []
    story.settles_all_but_stops(Verdict.FAILED, for_ms=1_000)
    assert story.problems == ["stop-unconfirmed"]
    story.at(1_000).next_is(StopStream)
    story.answers(Verdict.FAILED).next_is(StopTranscription)
    assert story.answers().problems == []


def test_stops_and_cuts_are_urgent() -> None:
    """A wanted stop, its repeats and the cut go before everything else; starts do not."""
    story = on_hold()
    assert is_urgent(story.call, story.plan())
    story.answers(Verdict.UNKNOWN)
    assert is_urgent(story.call, story.plan())
    starting = Story().arrives().stream_started().customer_joins().agent_joins()
    assert isinstance(starting.next_action(), StartTranscription)
    assert not is_urgent(starting.call, starting.plan())


def test_assertions_are_urgent() -> None:
    """The assertion after a takeover is a wanted stop too."""
    story = on_hold().intends().abandons().answers().at(REASSERT_MS)
    assert story.call.exposure_since is None
    assert is_urgent(story.call, story.plan())


def test_exposure_is_counted() -> None:
    """The time from the wish until off is confirmed or no stream lives is added up."""
    story = on_hold().answers(Verdict.FAILED).at(1_000).answers()
    assert story.call.unwanted_ms == 1_000
    story.at(1_000).customer_unheld().at(300).settles().at(1_000).customer_held().at(400).stream_stopped()
    assert story.call.unwanted_ms == 1_400
    assert not isinstance(story.next_action(), StopStream)


def test_looks_at_twilio_are_short_while_something_may_be_heard() -> None:
    """A hold that comes in while Twilio is slow waits for half a second, not for three; with it off there is time."""
    story = Story().talks().told(e.AuditRequested)
    assert story.next_is(ReadCall).timeout_ms == 500
    story.told(e.CallRead, status="in-progress")
    assert story.next_is(ReadParticipants).timeout_ms == 500
    story.settles().news(e.ParticipantJoined, sid("CA", "somebody"))
    assert story.next_is(ReadLeg).timeout_ms == 500
    story.settles().customer_held().settles().told(e.AuditRequested)
    assert (story.transcription, story.next_is(ReadCall).timeout_ms) == ("off", 3_000)


def test_stopping_an_extra_stream_is_short_while_something_may_be_heard() -> None:
    """A second stream that turned up goes down within a second's wait; the cut itself keeps its three."""
    story = Story().talks().stream_started("asapp-7")
    assert (story.next_is(StopStream).purpose, story.next_is(StopStream).timeout_ms) == ("unwanted", 1_000)
