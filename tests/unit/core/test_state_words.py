"""The one word that desktops see; the first match of the table wins. And whether there is anything left to do."""

from __future__ import annotations

import pytest

from orchestrator.core import actions, events
from orchestrator.core import events as e
from orchestrator.core.actions import Verdict
from orchestrator.core.desired import is_converged
from tests.unit.core.given import CUSTOMER, Story

STORIES = {
    "ended": Story().talks().told(e.SurveyReached).ends(),
    "survey": Story().talks().told(e.SurveyReached),
    "not-transcribed": Story(transcribe=False).arrives().customer_joins().agent_joins(),
    "pausing": Story().talks().customer_held(),
    "paused": Story().talks().customer_held().settles(),
    "waiting": Story().arrives().stream_started().customer_joins(),
    "interrupted": Story().talks().stream_failed(),
    "starting": Story().arrives().stream_started().customer_joins().agent_joins(),
    "transcribing": Story().talks(),
}


@pytest.mark.parametrize("word", STORIES)
def test_each_word(word: str) -> None:
    """Each state of the table is seen in its situation."""
    assert STORIES[word].state == word


def test_hold_of_the_only_agent_is_a_pause() -> None:
    """A conversation whose only agent is held is paused."""
    story = Story().talks().agent_held().settles()
    assert (story.state, story.call.paused[-1].reason) == ("paused", "agent-hold")


def test_no_agent_left_is_waiting() -> None:
    """After the last agent has left and off is confirmed, the call waits."""
    assert Story().talks().agent_leaves().settles().state == "waiting"


@pytest.mark.parametrize("word", ["paused", "waiting", "transcribing"])
def test_converged(word: str) -> None:
    """A call at rest is converged; coming audits do not count as left to do."""
    assert is_converged(STORIES[word].call)


@pytest.mark.parametrize("word", ["pausing", "starting", "interrupted", "survey"])
def test_not_converged(word: str) -> None:
    """A call with something left to do is not."""
    assert not is_converged(STORIES[word].call)


def test_in_flight_is_not_converged() -> None:
    """While an answer is awaited a call is not converged."""
    assert not is_converged(Story().talks().at(60_000).intends().call)


def test_converged_means_the_right_agent_on_a_live_stream() -> None:
    """Transcribing for another agent is not converged."""
    assert not is_converged(Story().talks().agent_joins("bob").at(1).agent_leaves("amy").call)


def test_settling_start_is_left_to_do() -> None:
    """A start that settles counts as left to do."""
    assert not is_converged(Story().talks().customer_held().settles().customer_unheld().call)


def test_ended_and_off_is_converged() -> None:
    """After the end, off confirmed is all."""
    assert is_converged(Story().talks().ends().settles().call)


def test_gap_tells_the_first_trouble() -> None:
    """A gap lasts while transcription is wanted and not on; its reason is the first trouble behind it."""
    story = Story().arrives().stream_started().customer_joins().agent_joins()
    assert story.call.gaps[-1].reason == "starting"
    story.answers(Verdict.REFUSED_FOR_NOW, family="429").at(5_000).answers(Verdict.REFUSED_FOR_NOW, family="5xx")
    assert story.call.gaps[-1].reason == "asapp-429"
    assert story.at(5_000).answers().call.gaps[-1].end == story.now


def test_problem_to_show() -> None:
    """What gave up is shown before what is still tried, then the oldest."""
    assert Story().talks().call.problem is None
    story = Story().talks().told(e.TimePassed, what="stop-unconfirmed").at(1)
    shown = story.told(e.TimePassed, what="restarts-exhausted").call.problem
    assert shown is not None
    assert (shown.id, shown.gave_up) == ("stream-restarts-exhausted", True)


def test_problem_keeps_its_beginning() -> None:
    """A problem raised again keeps its `since`."""
    story = Story().talks().told(e.TimePassed, what="stop-unconfirmed")
    since = story.call.problems[0].since
    assert [each.since for each in story.at(9).told(e.TimePassed, what="stop-unconfirmed").call.problems] == [since]


def test_names_for_people_and_programs() -> None:
    """Actions and events have the names that timelines and metrics use."""
    assert actions.name_of(actions.StopTranscription()) == "stop-transcription"
    assert events.name_of(e.LegEnded(at=0, leg=CUSTOMER)) == "leg-ended"
