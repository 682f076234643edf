"""The end: only Twilio's word ends a call; it is absorbing for what is wanted, not for outcomes."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import (
    CompleteConference,
    HandOverTranscript,
    ReadCall,
    ReadParticipants,
    StartTranscription,
    StopTranscription,
    Verdict,
)
from orchestrator.core.call import Progress
from tests.unit.core.given import AMY, BOB, CUSTOMER, ROOM, Story


def test_terminal_status_of_the_customers_leg() -> None:
    """A terminal CallStatus of the customer's leg ends the call; streams end with it."""
    story = Story().talks().ends("completed")
    assert (story.state, story.call.end_reason, story.stream.may_live) == ("ended", "completed", False)


def test_off_is_still_confirmed() -> None:
    """After the end a stop still confirms off, then the transcript is handed over, then there is rest (story 16)."""
    story = Story().talks().ends()
    story.next_is(StopTranscription)
    story.answers().next_is(HandOverTranscript)
    assert story.settles().plan().look_again_at is None


def test_end_during_a_start() -> None:
    """A start under way when the caller hangs up is recorded and stopped; nothing is retried for ever."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().intends().ends()
    assert not story.answered().wanted.transcription
    story.next_is(StopTranscription)
    assert story.settles().transcription == "off"


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.REFUSED_FOR_NOW])
def test_start_that_failed_when_the_call_ended(verdict: Verdict) -> None:
    """Nothing is started for an ended call, whatever became of the start under way."""
    story = Story().arrives().stream_started().customer_joins().agent_joins().intends().ends().answered(verdict)
    assert story.settles().at(60_000).settles().transcription == "off"
    assert not isinstance(story.next_action(), StartTranscription)


def test_ended_is_absorbing() -> None:
    """Nothing that comes later makes an ended call want anything."""
    story = Story(survey_url="https://example.com/s").talks().ends()
    story.customer_joins().agent_joins("bob").told(e.SurveyTransferRequested).stream_started("asapp-3")
    story.told(e.CallRead, status="in-progress").told(e.RetryRequested).hears(story.arrival()).ends("again")
    want = story.wanted
    assert (want.stream, want.transcription, want.survey_redirect) == (False, False, False)
    assert story.call.end_reason == "completed"


def test_end_of_an_agents_leg_is_not_the_end() -> None:
    """The end of an agent's leg ends nothing but the agent's part."""
    assert not Story().talks().told(e.LegEnded, leg=AMY).call.is_ended


def test_desktops_word_is_checked() -> None:
    """The API's `call-ended` leads to a read of the call, and that decides."""
    story = Story().talks().told(e.CallEndReported)
    assert not story.call.is_ended
    story.next_is(ReadCall)
    assert story.told(e.CallRead, status="in-progress").wanted.transcription
    assert story.told(e.CallEndReported).told(e.CallRead, status="ended", reason="completed").state == "ended"
    assert not story.told(e.CallEndReported).call.readings


def test_found_ended() -> None:
    """A read that finds the call ended without a reason says so."""
    assert Story().talks().told(e.CallRead, status="ended").call.end_reason == "found ended"


def test_one_missing_read_is_not_the_end() -> None:
    """20404 is believed at the second read 2 s apart."""
    story = Story().talks().told(e.CallRead, status="missing")
    assert not story.call.is_ended
    assert story.call.readings[0].not_before == story.now + 2_000
    assert story.at(2_000).next_is(ReadCall).why == "second look"
    story.told(e.CallRead, status="missing")
    assert (story.state, story.call.end_reason) == ("ended", "not known to Twilio")


def test_missing_reads_must_be_in_a_row() -> None:
    """A read that finds the call in progress forgets an earlier 20404."""
    story = Story().talks().told(e.CallRead, status="missing").told(e.CallRead, status="in-progress")
    assert not story.told(e.CallRead, status="missing").call.is_ended


def test_ringing_is_not_the_end() -> None:
    """`ringing` (21220 means that too) ends nothing and asks nothing more."""
    story = Story().talks().told(e.CallEndReported).told(e.CallRead, status="ringing")
    assert (story.call.is_ended, story.call.readings) == (False, ())


def test_unreadable_call_is_asked_again() -> None:
    """A read that told nothing is repeated later."""
    story = Story().talks().told(e.CallRead, status="unreadable")
    assert [each.not_before - story.now for each in story.call.readings] == [2_000]


@pytest.mark.parametrize("status", ["missing", "unreadable", "ringing", "in-progress", "ended"])
def test_ended_call_is_asked_about_no_more(status: str) -> None:
    """No read is due for an ended call, whatever late answers say."""
    story = Story().talks().ends().settles().told(e.CallRead, status=status)
    assert story.told(e.AuditRequested).told(e.LegRead, leg=AMY).call.readings == ()
    assert story.plan().look_again_at is None


def test_customer_left_alone() -> None:
    """30 s after the last agent left, the conference is completed, so that no customer sits alone (story 18)."""
    story = Story(agent_return_s=30).talks().agent_leaves().settles().at(29_999)
    assert story.next_action() is None
    assert story.at(1).next_is(ReadParticipants).conference == ROOM
    assert story.reads().next_is(CompleteConference).conference == ROOM
    assert story.answers().settles().next_action() is None


def test_agent_who_returns_in_time() -> None:
    """An agent who joins within that time keeps the call (story 18)."""
    story = Story().talks().agent_leaves().settles().at(10_000).agent_joins("bob").settles().at(30_000).settles()
    assert (story.transcription, story.call.alone_since) == ("on", None)


def test_queue_is_not_being_left_alone() -> None:
    """A customer who waits for a first agent is never hung up on by us."""
    assert Story().arrives().customer_joins().call.alone_since is None


@pytest.mark.parametrize("label", ["specialist", None])
def test_customer_with_somebody_else_is_not_alone(label: str | None) -> None:
    """Whom the agent brought in and left with the customer may be anybody: an outside number, an unlisted device."""
    story = Story().talks().news(e.ParticipantJoined, BOB, label=label).settles()
    story.agent_leaves().settles()
    assert (story.call.alone_since, story.wanted.transcription) == (None, False)
    left_at = story.at(60_000).settles().now
    story.news(e.ParticipantLeft, BOB, label=label)
    assert story.call.alone_since == left_at
    story.settles().at(30_000).reads().next_is(CompleteConference)


def test_whoever_comes_before_the_first_agent_leaves_nobody_alone() -> None:
    """The customer waits on for an agent when an announcement's leg has come and gone."""
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, BOB, label="announcement").settles()
    assert story.news(e.ParticipantLeft, BOB, label="announcement").call.alone_since is None


def test_somebody_whose_coming_was_lost_is_found_before_the_end() -> None:
    """Twilio is asked who is in before a conference is completed; what cannot be read is not acted upon."""
    story = Story().talks().agent_leaves().settles().at(30_000)
    story.next_is(ReadParticipants)
    story.told(e.ParticipantsRead, conference=ROOM, asked_at=story.now, is_readable=False)
    assert story.next_action() is None
    assert story.look_again_in() == 2_000
    rows = [(CUSTOMER, "customer"), (BOB, "agent-bob")]
    seen = tuple(e.ParticipantSnapshot(leg=leg, label=label, is_held=False, is_coaching=False) for leg, label in rows)
    story.at(2_000).told(e.ParticipantsRead, conference=ROOM, asked_at=story.now, participants=seen)
    assert (story.call.alone_since, story.wanted.agent_id) == (None, "bob")


def test_a_look_of_long_ago_ends_no_conference() -> None:
    """A worker that comes back late asks again."""
    story = Story().talks().agent_leaves().settles().at(30_000).reads()
    story.next_is(CompleteConference)
    story.at(10_001).next_is(ReadParticipants)


def test_only_conferences_of_ours_are_completed() -> None:
    """A conference that somebody else created is not ours to end."""
    assert Story(route="redirect:https://example.com/flow").talks().agent_leaves().call.alone_since is None


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED])
def test_completion_that_failed_is_repeated(verdict: Verdict) -> None:
    """A completion of unknown outcome is tried again after the same time."""
    story = Story().talks().agent_leaves().settles().at(30_000).reads().answers(verdict).settles()
    story.at(30_000).reads().next_is(CompleteConference)


def test_handed_over_once() -> None:
    """The after-call work is made due once."""
    story = Story().arrives().ends()
    story.next_is(HandOverTranscript)
    assert story.settles().call.is_handed_over
    assert story.next_action() is None


def test_late_webhook_for_a_call_in_progress() -> None:
    """The voice webhook fetched twice changes nothing."""
    story = Story().talks()
    before = story.call
    assert story.hears(story.arrival()).call == before
    assert story.told(e.CallAdopted, call_sid=CUSTOMER, profile=story.profile, via="api").call == before
    assert story.call.progress is Progress.IN_PROGRESS
