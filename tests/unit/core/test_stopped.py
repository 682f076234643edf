"""Stopped for good: somebody wants this call transcribed no more."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.desired import state_of
from tests.unit.core.given import Story


def stopped(**keys: object) -> Story:
    return Story(**keys).talks().paused("stopped")


def test_nothing_lifts_it() -> None:
    """Neither a resume, a retry, a consent nor a new hold and its end bring transcription back."""
    story = stopped().settles().resumed("stopped").resumed("manual").told(e.RetryRequested).told(e.ConsentGiven)
    story.customer_held().customer_unheld()
    assert not story.wanted.transcription
    assert state_of(story.settles().call) == "paused"


def test_it_takes_the_media_stream_down() -> None:
    """Not even audio leaves, whatever the profile cuts the stream for."""
    story = stopped(cut_stream_on=()).settles()
    assert not story.wanted.stream
    assert (story.transcription, story.stream.state) == ("off", "stopped")


def test_it_is_never_overdue() -> None:
    """A pause that is meant to last is not told as forgotten, even if another one stood before it."""
    story = Story(max_pause_s=60).talks().paused("payment").paused("stopped").settles()
    assert story.at(3_600_000).settles().problems == []


def test_the_survey_still_follows() -> None:
    """Callers do not notice: the desktop's survey transfer goes on."""
    story = stopped(survey_url="https://survey.example/start").settles().told(e.SurveyTransferRequested).settles()
    assert story.call.survey is not None
    assert story.call.survey.redirect == "done"
