"""Pause reasons: a set of names that stand until taken away by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import NoteTime, StopStream, StopTranscription, Verdict
from tests.unit.core.given import AMY, Story


def reasons(story: Story) -> list[str]:
    return [pause.reason for pause in story.call.pauses]


def test_reasons_stand_side_by_side() -> None:
    """A payment pause outlives the resume of another reason."""
    story = Story().talks().paused("payment").paused("manual").resumed("manual")
    assert reasons(story) == ["payment"]
    assert not story.wanted.transcription
    assert story.resumed("payment").wanted.transcription


def test_resume_without_reason_clears_manual() -> None:
    """`resume` without a reason clears `manual` alone."""
    story = Story().talks().paused("payment").told(e.PauseRequested).told(e.PauseLifted)
    assert reasons(story) == ["payment"]


def test_same_reason_twice_is_one() -> None:
    """A reason that stands keeps its beginning when it is given again."""
    story = Story().talks().paused("payment")
    since = story.call.pauses[0].since
    assert [pause.since for pause in story.at(5_000).paused("payment").call.pauses] == [since]


def test_unhold_before_resume() -> None:
    """A payment pause during a hold stands after the unhold (story 4)."""
    story = Story().talks().customer_held().paused("payment").customer_unheld()
    assert not story.wanted.transcription
    assert story.resumed("payment").wanted.transcription


def test_desktop_hold_is_a_reason_of_its_own() -> None:
    """The API's hold and unhold move `hold:desktop` only."""
    story = Story().talks().told(e.HoldReported)
    assert reasons(story) == ["hold:desktop"]
    assert story.told(e.UnholdReported).wanted.transcription


def test_api_cannot_clear_a_conference_hold() -> None:
    """The desktop's unhold does not end a hold that Twilio told."""
    story = Story().talks().customer_held().told(e.UnholdReported).resumed("hold:desktop")
    assert not story.wanted.transcription


def test_newer_conference_unhold_clears_the_desktop_hold() -> None:
    """A conference unhold of the customer that is newer than the desktop's hold ends it."""
    story = Story().talks().told(e.HoldReported).at(1_000).customer_unheld()
    assert reasons(story) == []


def test_unhold_of_the_agent_leaves_the_desktop_hold() -> None:
    """Only the customer's unhold ends the desktop's hold."""
    story = Story().talks().told(e.HoldReported).at(1_000).news(e.ParticipantUnheld, story_agent())
    assert reasons(story) == ["hold:desktop"]


def story_agent() -> str:
    return Story().talks().call.agents[0].leg or ""


def test_repeated_unhold_does_not_clear_a_later_desktop_hold() -> None:
    """An unhold delivered again after the desktop's hold is old news."""
    story = Story().talks().customer_held().customer_unheld()
    repeat = e.ParticipantUnheld(
        at=story.now + 2_000, conference=story.call.conferences[0].sid, leg=story.call.call_sid, sequence=story.sequence
    )
    story.at(1_000).told(e.HoldReported).at(1_000).hears(repeat)
    assert reasons(story) == ["hold:desktop"]


def test_overtaken_unhold_does_not_clear_the_desktop_hold() -> None:
    """An unhold with a lower sequence than the hold that stands changes nothing."""
    story = Story().talks().told(e.HoldReported).customer_held().customer_unheld(sequence=1)
    assert reasons(story) == ["hold:desktop"]


@pytest.mark.parametrize(("told_ms_ago", "still_held"), [(4_000, True), (500, False), (60_000, False)])
def test_age_of_an_unhold_is_its_source_time(told_ms_ago: int, still_held: bool) -> None:
    """An unhold that happened before the desktop's hold does not end it; its time is believed within 5 s only."""
    hold_age = 2_000 if told_ms_ago < 5_000 else 5_500
    story = Story().talks().told(e.HoldReported).at(hold_age)
    story.customer_unheld(occurred_at=story.now - told_ms_ago)
    assert (reasons(story) == ["hold:desktop"]) is still_held


def test_desktop_hold_ends_with_the_last_agent() -> None:
    """When no agent is left the desktop's hold is over: nobody is there to lift it."""
    story = Story().talks().told(e.HoldReported).agent_leaves()
    assert reasons(story) == []
    assert reasons(story.at(2_001).agent_joins("bob")) == []


@pytest.mark.parametrize(("later_ms", "still_held"), [(30, True), (2_000, True), (2_001, False)])
def test_desktop_hold_outlives_news_that_was_overtaken(later_ms: int, still_held: bool) -> None:
    """Bob came before amy left, and was told after it: nobody has lifted the hold."""
    story = Story().talks().told(e.HoldReported)
    story.agent_leaves("amy", sequence=4).at(later_ms).agent_joins("bob", sequence=3)
    assert (reasons(story) == ["hold:desktop"]) is still_held
    assert story.wanted.transcription is not still_held


def test_desktop_hold_outlives_the_customers_coming() -> None:
    """The desktop told of the agent and of the hold before the conference told of anybody."""
    story = Story().arrives().told(e.AgentConnected, agent_id="amy", agent_leg=AMY).told(e.HoldReported)
    story.customer_joins().agent_joins("amy")
    assert reasons(story) == ["hold:desktop"]


@pytest.mark.parametrize("lifted", ["desktop", "conference"])
def test_desktop_hold_that_was_lifted_meanwhile_does_not_come_back(lifted: str) -> None:
    """While nobody seemed to be there the unhold was told."""
    story = Story().talks().told(e.HoldReported).at(1_500).agent_leaves("amy", sequence=5)
    story = story.told(e.UnholdReported) if lifted == "desktop" else story.customer_unheld(sequence=6)
    assert reasons(story.agent_joins("bob", sequence=4)) == []


def test_conference_unhold_of_before_leaves_the_hold_to_come_back() -> None:
    """It happened before the desktop's hold."""
    story = Story().talks().at(3_000).told(e.HoldReported).at(1_000).agent_leaves("amy", sequence=5)
    story.customer_unheld(sequence=6, occurred_at=story.now - 3_000)
    assert reasons(story.agent_joins("bob", sequence=4)) == ["hold:desktop"]


def test_desktop_hold_outlives_one_of_two_agents() -> None:
    """The desktop's hold stands while an agent is left."""
    story = Story().talks().agent_joins("bob").told(e.HoldReported).agent_leaves("amy")
    assert reasons(story) == ["hold:desktop"]


def test_consent_required_stands_from_the_first_moment() -> None:
    """Before consent was given neither stream nor transcription is wanted, and the TwiML starts no stream."""
    story = Story(consent="required").arrives()
    assert not story.call.streams
    story.customer_joins().agent_joins()
    assert (story.wanted.stream, story.wanted.transcription) == (False, False)
    assert (story.next_action(), story.state) == (None, "paused")


def test_consent_required_without_cut_still_has_no_stream() -> None:
    """Before consent no media stream, even where the profile cuts none for consent."""
    story = Story(consent="required", cut_stream_on=()).arrives().customer_joins().agent_joins()
    assert not story.call.streams
    assert not story.wanted.stream


def test_consent_given_begins() -> None:
    """With consent the stream is created by REST and transcription follows."""
    story = Story(consent="required").arrives().customer_joins().agent_joins().told(e.ConsentGiven).settles()
    assert (story.transcription, story.stream.state) == ("on", "live")


def test_consent_withdrawn_takes_the_stream_down() -> None:
    """Withdrawn consent stops transcription first, then the media stream, so that not even audio leaves."""
    story = Story().talks().told(e.ConsentWithdrawn)
    story.next_is(StopTranscription)
    assert story.answers().next_is(StopStream).name == "asapp-1"
    assert story.answers().next_action() is None
    assert story.state == "paused"


def test_reasons_of_cut_stream_on_cut_even_if_the_stop_fails() -> None:
    """A stop that was tried without success does not keep the media stream up."""
    story = Story(cut_stream_on=("payment",)).talks().paused("payment")
    story.answers(Verdict.FAILED, after=100)
    story.next_is(StopStream)


@pytest.mark.parametrize(
    ("reason", "hold"),
    [
        ("hold", Story.customer_held),
        ("hold", lambda story: story.told(e.HoldReported)),
        ("hold", lambda story: story.paused("payment").customer_held()),
        ("agent-hold", Story.agent_held),
    ],
)
def test_holds_in_cut_stream_on_take_the_stream_down(reason: str, hold: Callable[[Story], Story]) -> None:
    """`hold` and `agent-hold` cut like any other reason, whoever told of them; by default a hold keeps the stream."""
    story = hold(Story(cut_stream_on=(reason,)).talks())
    assert (story.wanted.stream, story.settles().stream.state) == (False, "stopped")
    assert hold(Story().talks()).wanted.stream


def test_only_consent_given_gives_consent() -> None:
    """A `resume` that names consent changes nothing."""
    story = Story().talks().told(e.ConsentWithdrawn).resumed("consent")
    assert [pause.reason for pause in story.call.pauses] == ["consent"]
    assert not Story(consent="required").arrives().resumed("consent").wanted.stream


def test_stream_is_not_cut_before_its_stop_was_tried() -> None:
    """A worker that comes late leaves the stream to the cut rather than take it down before any stop."""
    story = Story().talks().told(e.ConsentWithdrawn).at(2_900)
    assert (story.next_action(), story.look_again_in()) == (None, 100)
    assert story.at(100).next_is(StopStream).purpose == "cut"


def test_forgotten_pause_is_told_and_stays() -> None:
    """A pause beyond `max_pause_s` raises a problem and does not end by itself (story 17)."""
    story = Story(max_pause_s=60).talks().paused("payment").settles()
    assert story.at(59_000).settles().problems == []
    assert story.at(1_000).next_is(NoteTime).what == "pause-overdue"
    assert story.settles().problems == ["pause-overdue"]
    assert not story.wanted.transcription
    assert story.resumed("payment").problems == []


def test_pause_outside_a_conversation_is_no_stretch() -> None:
    """Without an agent nothing is told as a pause of the conversation."""
    assert Story().arrives().customer_joins().paused("payment").call.paused == ()


def test_stretches_follow_the_reason_shown() -> None:
    """Each stretch of pause is kept with its reason, for the transcript."""
    story = Story().talks().paused("payment").at(1_000).customer_held().at(1_000).resumed("payment").at(1_000)
    story.customer_unheld()
    told = [(each.reason, (each.end or 0) - each.start) for each in story.call.paused]
    assert told == [("payment", 2_000), ("hold", 1_000)]


def test_more_stretches_than_are_kept_become_fewer() -> None:
    """Each moment of a pause stays one: the two that are nearest are joined."""
    story = Story(max_pause_s=7_200).talks()
    for number in range(201):
        story.at(10_000 if number != 150 else 1_000).paused("manual").at(1_000).resumed("manual").at(1)
    stretches = story.call.paused
    assert len(stretches) == 200
    assert [each.end - each.start for each in stretches if each.end is not None].count(3_001) == 1
    assert story.call.paused[0].start == story.call.unwanted[0].start


def test_from_the_end_of_a_talk_to_the_next_nothing_is_conversation() -> None:
    """Not even where a payment pause stands and nobody is there to be paused."""
    story = Story().talks().at(10_000).paused("payment")
    paused_at = story.now
    story.at(200).agent_leaves().at(10_000).agent_joins("bob").at(100).resumed("payment")
    story.at(10_000).agent_leaves("bob")
    stretches = [
        (each.start - paused_at, each.end and each.end - paused_at, each.reason) for each in story.call.unwanted
    ]
    assert stretches == [(0, 10_300, "payment"), (20_300, None, "no-agent")]
