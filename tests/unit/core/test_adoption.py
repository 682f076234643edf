"""Adoption: a call that the store did not know, unknown in everything until Twilio has been asked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orchestrator.core import events as e
from orchestrator.core.actions import (
    ReadCall,
    RedirectToSurvey,
    StartTranscription,
    StopStream,
    StopTranscription,
    Verdict,
)
from orchestrator.core.call import Progress
from orchestrator.core.reconcile import reconcile
from tests.unit.core.given import AMY, CUSTOMER, ROOM, Story, sid


def adopted(**keys: object) -> Story:
    return Story(**keys).is_adopted()


def in_talk() -> Story:
    """Adopted; Twilio says in progress and who is in the room."""
    return adopted().told(e.CallRead, status="in-progress").customer_joins().agent_joins()


def test_everything_is_unknown() -> None:
    """Transcription and stream are unknown, the call is read before anything else."""
    story = adopted()
    assert (story.transcription, story.stream.state, story.call.progress) == ("unknown", "unknown", Progress.UNKNOWN)
    story.next_is(ReadCall)


def test_acts_only_after_twilio_said_in_progress() -> None:
    """While Twilio has not answered nothing else is done; afterwards off is made sure of."""
    story = adopted().told(e.CallRead, status="in-progress")
    assert story.next_is(StopTranscription).purpose == "wanted"


def test_stops_are_sent_if_twilio_cannot_say() -> None:
    """If Twilio cannot be read, stops go out all the same: off is never wrong."""
    story = adopted().told(e.CallRead, status="unreadable")
    story.next_is(StopTranscription)
    assert story.answers().next_action() is None
    assert story.look_again_in() == 2_000
    story.at(2_000).next_is(ReadCall)


def test_nobody_is_sent_to_the_survey_unseen() -> None:
    """A SID of which Twilio has not said what it is may be an agent's leg, and the redirect would end the talk."""
    story = adopted(survey_url="https://example.com/survey").told(e.SurveyTransferRequested)
    for _ in range(10):
        story.next_is(ReadCall)
        story.told(e.CallRead, status="unreadable")
        if isinstance(story.next_action(), StopTranscription):
            story.answers()
        assert story.next_action() is None
        story.at(story.look_again_in() or 0)
    story.told(e.CallRead, status="in-progress")
    while not isinstance(story.next_action(), RedirectToSurvey):
        story.answers()


def test_lost_read_is_made_again() -> None:
    """An unverified call without a read due gets one."""
    unread = replace(adopted().call, readings=())
    assert reconcile(unread, unread.created_at).action == ReadCall(why="adopted", timeout_ms=500)


def test_ringing_call_is_looked_at_again() -> None:
    """A call that still rings is left alone and read again 2 s later."""
    story = adopted().told(e.CallRead, status="ringing")
    assert (story.next_action(), story.look_again_in()) == (None, 2_000)
    story.at(2_000).next_is(ReadCall)


def test_wanted_on_finds_out_by_stop_and_start() -> None:
    """Wanted on: a stop, then one start on the unknown stream; 200 confirms it."""
    story = in_talk()
    assert story.next_is(StopTranscription).purpose == "reset"
    start = story.answers().next_is(StartTranscription)
    assert start.purpose == "confirm"
    assert story.answers().stream.state == "live"


def test_unknown_stream_that_is_not_there() -> None:
    """400-203 to that stop says that no stream arrives: rebuilt under the adopted call's own names."""
    story = in_talk().answers(Verdict.NO_STREAM)
    assert story.stream.state == "failed"
    assert story.next_is(StopStream).name == "asapp-1"
    story.answers(Verdict.NOT_FOUND).settles()
    assert (story.stream.name, story.transcription) == ("asapp-1001", "on")


def test_stream_news_names_the_unknown_stream() -> None:
    """A `stream-started` of a later generation is the unknown stream; later names go on beyond 1000."""
    story = adopted().stream_started("asapp-3")
    assert [(stream.name, stream.state) for stream in story.call.streams] == [("asapp-3", "live")]


def test_day_old_replay_does_nothing() -> None:
    """A call that Twilio does not know at two looks is dropped: nothing is done for it any more."""
    story = adopted().told(e.CallRead, status="missing").at(2_000).told(e.CallRead, status="missing")
    assert (story.call.progress, story.transcription) == (Progress.DROPPED, "off")
    assert (story.plan().action, story.plan().look_again_at) == (None, None)


def test_replay_of_a_call_that_has_ended() -> None:
    """A call that Twilio knows as ended at the first look was none of today's: nothing is sent, nothing handed over."""
    story = adopted().told(e.CallRead, status="ended", reason="completed")
    assert (story.state, story.transcription, story.call.progress) == ("ended", "off", Progress.DROPPED)
    assert (story.plan().action, story.plan().look_again_at) == (None, None)


def test_adopted_call_that_was_seen_alive_ends_as_any_other() -> None:
    """Once Twilio has said in progress, its end is an end: off is made sure of, the after-call work is due."""
    story = in_talk().settles().told(e.CallRead, status="ended", reason="completed").settles()
    assert (story.call.progress, story.transcription, story.call.is_handed_over) == (Progress.ENDED, "off", True)


def test_another_calls_leg_is_dropped() -> None:
    """An agent's child leg resolves to its parent: it is no call of its own."""
    story = adopted().told(e.CallRead, status="in-progress", parent=sid("CA", "parent"))
    assert story.call.progress is Progress.DROPPED


def test_child_that_carries_our_stream_is_a_customer() -> None:
    """A child of an agent's device that carries a stream of ours is the customer's leg."""
    story = adopted().stream_started().told(e.CallRead, status="in-progress", parent=sid("CA", "device"))
    assert story.call.progress is Progress.IN_PROGRESS


def test_answered_child_of_a_device_is_a_customer() -> None:
    """The answered callback of the child that we dialled for an agent's device proves the customer's leg."""
    story = adopted().told(e.LegAnswered, leg=CUSTOMER)
    assert story.call.progress is Progress.IN_PROGRESS
    story.told(e.CallRead, status="in-progress", parent=sid("CA", "device"))
    assert story.call.progress is Progress.IN_PROGRESS


def test_webhook_proves_an_adopted_call() -> None:
    """The voice webhook of an adopted call tells who it is and proves it."""
    story = adopted()
    story.hears(story.arrival())
    assert (story.call.progress, story.call.customer_number) == (Progress.IN_PROGRESS, "+15555550101")
    assert not story.call.readings


def test_webhook_revives_a_dropped_call() -> None:
    """A SID that was dropped and then really calls is a call."""
    story = adopted().told(e.CallRead, status="missing").told(e.CallRead, status="missing")
    story.hears(story.arrival())
    assert (story.call.progress, story.stream.name) == (Progress.IN_PROGRESS, "asapp-1")


def test_numbers_are_learned_from_the_read() -> None:
    """The read of an adopted call brings its numbers; known ones stay."""
    story = adopted().told(
        e.CallRead, status="in-progress", customer_number="+15555550103", called_number="+15555550104"
    )
    story.told(e.CallRead, status="in-progress", customer_number="+15555550105")
    assert (story.call.customer_number, story.call.called_number) == ("+15555550103", "+15555550104")


def test_consent_holds_for_adopted_calls() -> None:
    """An adopted call of a profile that asks for consent starts without it."""
    story = adopted(consent="required").told(e.CallRead, status="in-progress").customer_joins().agent_joins()
    assert not story.wanted.transcription
    assert story.settles().stream.state == "stopped"


@pytest.mark.parametrize("leg", [AMY, CUSTOMER])
def test_emptied_store_heals(leg: str) -> None:
    """Conference news and the participants' list bring an adopted call back to where it was (fault 34)."""
    story = adopted().told(e.CallRead, status="in-progress").news(e.ParticipantModified, leg, label=None)
    story.told(
        e.ParticipantsRead,
        conference=ROOM,
        asked_at=story.now,
        participants=(
            e.ParticipantSnapshot(leg=CUSTOMER, label="customer"),
            e.ParticipantSnapshot(leg=AMY, label="agent-amy"),
        ),
    )
    assert story.settles().transcription == "on"
