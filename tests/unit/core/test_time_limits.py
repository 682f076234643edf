"""The time that a request has, and problems beside states: what the call model promises and no story is about."""

from __future__ import annotations

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Verdict
from tests.unit.core.given import ROOM, Story
from tests.unit.core.test_state_words import STORIES


def test_requests_to_asapp_have_two_seconds() -> None:
    """A start, a stop and a stop before a start."""
    first = Story().arrives().stream_started().customer_joins().agent_joins()
    assert first.next_is(a.StartTranscription).timeout_ms == 2_000
    assert Story().talks().customer_held().next_is(a.StopTranscription).timeout_ms == 2_000
    assert Story().talks().stream_failed().next_is(a.StopTranscription).timeout_ms == 2_000


@pytest.mark.parametrize(
    "action",
    [
        a.CreateStream(name="asapp-2"),
        a.StopStream(name="asapp-1"),
        a.RedirectToSurvey(survey_url="https://survey.example/"),
        a.CompleteConference(conference=ROOM),
        a.ReadCall(),
        a.ReadLeg(leg="CA1"),
        a.ReadParticipants(conference=ROOM),
    ],
    ids=a.name_of,
)
def test_requests_to_twilio_have_three_seconds(action: a.CreateStream) -> None:
    """Whatever is asked, unless a survey or a repeated cut leaves less."""
    assert action.timeout_ms == 3_000


@pytest.mark.parametrize("word", STORIES)
def test_problem_stands_beside_any_state(word: str) -> None:
    """A problem is told without changing the word."""
    story = Story()
    story._call = STORIES[word].call
    story.at(5_000).told(e.TimePassed, what="utterances-quarantined", subject="2")
    assert (story.state, story.problems) == (word, ["utterances-quarantined"])


def test_the_cut_comes_three_seconds_after_the_pause() -> None:
    """To the millisecond, whatever the constant is called."""
    story = Story().talks().customer_held().settles_all_but_stops(Verdict.FAILED, for_ms=2_999)
    assert not isinstance(story.next_action(), a.StopStream)
    story.at(1).next_is(a.StopStream)
