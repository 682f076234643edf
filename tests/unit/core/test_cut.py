"""The cut: off not confirmed in time takes the media stream down, so that nothing more can be heard."""

from __future__ import annotations

import pytest

from orchestrator.core.actions import CreateStream, StartTranscription, StopStream, StopTranscription, Verdict
from orchestrator.core.backoff import STOP_DEADLINE_MS
from tests.unit.core.given import Story


def overdue(**keys: object) -> Story:
    """On hold; the stops so far have failed and the cut is due."""
    return (
        Story(**keys).talks().customer_held().settles_all_but_stops(Verdict.FAILED, for_ms=STOP_DEADLINE_MS - 1).at(1)
    )


def test_cut_after_three_seconds() -> None:
    """3 s after the pause was known the stream is cut if off is not confirmed, and not before."""
    cut = overdue().next_is(StopStream)
    assert (cut.name, cut.purpose) == ("asapp-1", "cut")
    assert cut.sid is not None


def test_confirmed_in_time_is_not_cut() -> None:
    """With off confirmed the stream stays up through the pause."""
    story = Story().talks().customer_held().answers().at(STOP_DEADLINE_MS)
    assert (story.next_action(), story.stream.state) == (None, "live")


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.NOT_FOUND, Verdict.NOT_IN_PROGRESS])
def test_stopped_stream_satisfies_the_cut(verdict: Verdict) -> None:
    """200, 20404 and 21220 end the exposure; the state stays `stopping`, and stops go on."""
    story = overdue().answers(verdict)
    assert (story.stream.state, story.call.exposure_since, story.transcription) == ("stopped", None, "stopping")
    story.at(60_000).next_is(StopTranscription)


def test_failed_cut_is_repeated() -> None:
    """A cut that failed is repeated every second, with a short time limit, beside the stops."""
    story = overdue().answers(Verdict.UNKNOWN)
    assert story.stream.may_live
    story.at(1_000)
    assert story.next_is(StopStream).timeout_ms == 1_000


def test_unauthorized_cut_is_told() -> None:
    """401 from Twilio is a problem for people."""
    story = overdue().answers(Verdict.REFUSED_FOR_NOW, family="auth")
    assert "twilio-unauthorized" in story.problems
    story.at(1_000).answers()
    assert story.problems == []


def test_no_rebuild_while_a_stop_is_unconfirmed() -> None:
    """A stream that was cut stays down while its stop is unconfirmed and while the pause lasts."""
    story = overdue().answers()
    assert not story.wanted.stream
    story.at(60_000).answers()
    assert (story.transcription, story.wanted.stream, story.settles().next_action()) == ("off", False, None)


def test_rebuilt_when_wanted_again() -> None:
    """A stream that was cut is rebuilt once transcription is wanted again, after its stop was confirmed."""
    story = overdue().answers().at(5_000).customer_unheld()
    assert story.wanted.stream
    story.at(300).next_is(StopTranscription)
    assert story.answers().at(1_000).next_is(CreateStream).name == "asapp-2"
    story.answers().stream_started("asapp-2").next_is(StartTranscription)


def test_cut_intent_alone_keeps_the_stream_down() -> None:
    """From the intent of the cut on, the stream is not wanted."""
    assert not overdue().intends().wanted.stream


def test_every_stream_that_may_live_is_cut() -> None:
    """All streams that may live are cut, not only the newest."""
    story = Story().talks().stream_started("asapp-9").customer_held()
    story.settles_all_but_stops(Verdict.FAILED, for_ms=STOP_DEADLINE_MS)
    story.at(5_000).settles()
    assert [(stream.name, stream.state) for stream in story.call.streams] == [
        ("asapp-1", "stopped"),
        ("asapp-9", "stopped"),
    ]
    assert story.call.is_cut
