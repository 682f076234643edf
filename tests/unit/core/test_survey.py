"""The survey: transcription off, stream down, then the redirect, each step bounded; the caller does not wait."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, RedirectToSurvey, StopStream, StopTranscription, Verdict
from tests.unit.core.given import Story

URL = "https://example.com/survey"


def transferred(**keys: object) -> Story:
    return Story(**{"survey_url": URL, **keys}).talks().told(e.SurveyTransferRequested)


def test_off_then_stream_then_redirect() -> None:
    """Off is confirmed, the stream stopped, then the customer's leg is redirected (story 7)."""
    story = transferred()
    assert story.state == "survey"
    story.next_is(StopTranscription)
    story.answers().next_is(StopStream)
    redirect = story.answers().next_is(RedirectToSurvey)
    assert (redirect.survey_url, redirect.streams) == (URL, ())
    assert story.answers().next_action() is None


def test_steps_are_bounded() -> None:
    """With both vendors failing the redirect goes out after 2 s for each step, and stops the stream itself."""
    story = transferred().settles_all_but_stops(Verdict.FAILED, for_ms=3_999)
    assert not isinstance(story.next_action(), RedirectToSurvey)
    assert story.at(1).next_is(RedirectToSurvey).streams == ("asapp-1",)


def test_only_one_step_left() -> None:
    """With off confirmed the redirect waits for the stream alone, 2 s."""
    story = transferred().answers().answers(Verdict.FAILED)
    assert story.at(2_000).next_is(RedirectToSurvey).streams == ("asapp-1",)


def test_request_under_way_does_not_outlast_the_steps() -> None:
    """A stop of the stream is given no more time than the steps have left."""
    story = transferred().answers(Verdict.UNKNOWN, after=2_000)
    assert story.next_is(StopStream).timeout_ms == 1_000
    assert transferred().at(1_500).answers().next_is(StopStream).timeout_ms == 500
    assert transferred().at(1_900).answers().next_is(StopStream).timeout_ms == 250


def test_redirect_is_not_starved_by_retries() -> None:
    """Stops go on beside the survey, after the redirect."""
    story = transferred().settles_all_but_stops(Verdict.FAILED, for_ms=3_999).at(1).answers()
    assert story.call.survey is not None
    assert story.call.survey.redirect == "done"
    story.at(1_000).next_action()
    assert not story.wanted.survey_redirect


def test_without_a_survey_url() -> None:
    """Without `survey_url`: off and stream down, no redirect."""
    story = transferred(survey_url=None).settles()
    assert (story.transcription, story.stream.state, story.next_action()) == ("off", "stopped", None)


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.FAILED, Verdict.TERMINAL])
def test_unknown_outcome_is_not_repeated_blindly(verdict: Verdict) -> None:
    """A survey must not start twice: a redirect of unknown outcome is a problem, until `retry`."""
    story = transferred().answers().answers().answers(verdict)
    assert (story.next_action(), story.problems) == (None, ["survey-transfer"])
    story.told(e.RetryRequested).next_is(RedirectToSurvey)
    assert story.answers().problems == []


def test_abandoned_redirect_is_unknown() -> None:
    """A worker killed while redirecting leaves it unknown."""
    story = transferred().answers().answers().intends().abandons()
    assert story.problems == ["survey-transfer"]


@pytest.mark.parametrize("verdict", [Verdict.REFUSED_FOR_NOW, Verdict.NOT_IN_PROGRESS, Verdict.NOT_FOUND])
def test_refused_redirect_is_repeated(verdict: Verdict) -> None:
    """A redirect that was certainly not carried out is repeated, and Twilio is asked whether the call lives."""
    story = transferred().answers().answers().answers(verdict, family="auth" if verdict == "refused-for-now" else "")
    assert [each.key for each in story.call.readings] == ["call"]
    story.settles().at(500).next_is(RedirectToSurvey)


def test_asked_twice_is_one() -> None:
    """A second request of the transfer changes nothing."""
    story = transferred()
    since = story.call.survey
    assert story.at(1_000).told(e.SurveyTransferRequested).call.survey == since


def test_echo_of_our_own_redirect() -> None:
    """The survey step that Twilio fetches after our redirect is its echo."""
    story = transferred().settles().told(e.SurveyReached)
    assert story.call.survey is not None
    assert story.call.survey.source == "api"


def test_survey_reached_by_twiml() -> None:
    """A fetched survey step wants transcription off and the stream down, with no redirect of ours (story 8)."""
    story = Story(survey_url=URL).talks().told(e.SurveyReached).settles().at(2_000).settles()
    assert (story.transcription, story.stream.state, story.state) == ("off", "stopped", "survey")
    assert not story.wanted.survey_redirect


def test_request_after_the_twiml() -> None:
    """A transfer asked for after an action URL was fetched is carried out."""
    story = Story(survey_url=URL).talks().told(e.SurveyReached).told(e.SurveyTransferRequested)
    assert story.wanted.survey_redirect


@pytest.mark.parametrize("leads", [True, False])
def test_dial_ended(leads: bool) -> None:
    """The end of a dial is a survey only if our answer leads there."""
    story = Story().talks().told(e.DialEnded, outcome="completed", goes_to_survey=leads)
    assert (story.call.survey is not None) is leads


def test_join_refutes_a_fetched_action_url() -> None:
    """After a REST redirect Twilio fetches the action URL too: a customer who then joins a conference is not in it."""
    story = Story().talks().customer_leaves().told(e.DialEnded, outcome="completed", goes_to_survey=True)
    assert story.customer_joins().wanted.transcription


def test_repeated_join_refutes_nothing() -> None:
    """A join of before, delivered again, does not end the survey; nor does a hold, nor the agent's join."""
    story = Story().talks().told(e.SurveyReached)
    story.customer_joins(sequence=1).news(e.ParticipantModified, story.call.call_sid).agent_joins("bob")
    assert story.state == "survey"


def test_join_does_not_refute_the_desktops_wish() -> None:
    """A transfer that the desktop asked for stands."""
    assert transferred().customer_joins().state == "survey"


def test_nothing_of_it_after_the_end() -> None:
    """After the end no survey is begun."""
    story = Story(survey_url=URL).talks().ends().told(e.SurveyTransferRequested).told(e.SurveyReached)
    assert story.call.survey is None


def test_outcome_of_a_redirect_without_a_survey() -> None:
    """A redirect's outcome for a call without a survey changes nothing but the intent."""
    story = Story().talks()
    before = story.call
    redirect = RedirectToSurvey(survey_url=URL)
    story.told(e.ActionIntended, action=redirect, attempt=before.attempts + 1)
    story.attempt = before.attempts + 1
    assert story.answered().call.in_flight is None
    assert story.call.problems == ()
    late = e.ActionEnded(at=story.now, action=redirect, attempt=1, outcome=Outcome(verdict=Verdict.DONE))
    settled = story.call
    assert story.hears(late).call == settled


def test_the_surveys_document_stops_the_stream_first() -> None:
    """Reached by TwiML, whose `<Stop>` must find its stream: ASAPP is stopped at once, the stream by REST 2 s later."""
    story = Story(survey_url=URL).talks().told(e.SurveyReached)
    story.next_is(StopTranscription)
    assert story.answers().next_action() is None
    assert 0 < (story.look_again_in() or 0) <= 2_000
    story.at(2_000).next_is(StopStream)
