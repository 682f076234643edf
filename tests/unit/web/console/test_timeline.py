"""The timeline's figures: to scale, within the drawing, open where it goes on."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.store.reading import TimelineEntry
from orchestrator.web.console import timeline
from tests.unit.web.console.floors import NOW, call_of, held, talking

SID = "CA" + "0" * 32


def lanes(told: list[e.Event], now: int = NOW) -> dict[str, timeline.Lane]:
    entries = [TimelineEntry(event.at, "", event, {}, 0) for event in told]
    return {lane.name: lane for lane in timeline.drawn(call_of(told), entries, now).lanes}


def test_stretches_are_to_scale() -> None:
    """Half of the time is half of the width."""
    began = NOW - 105_500
    told = [*talking(SID, began), *held(began + 55_500, 100), e.LegEnded(at=began + 105_500, leg=SID)]
    found = lanes(told)
    (talk,), (pause,) = found["Transcribed"].bars, found["Paused"].bars
    room = timeline.WIDTH - timeline.GUTTER - timeline.MARGIN
    assert talk.x == pytest.approx(timeline.GUTTER + room * 5.5 / 105.5, abs=0.2)
    assert talk.width == pytest.approx(room * 50.1 / 105.5, abs=0.3)
    assert pause.x + pause.width == pytest.approx(timeline.WIDTH - timeline.MARGIN, abs=0.2)
    assert not pause.is_open


def test_what_goes_on_is_open() -> None:
    """And reaches to now."""
    (talk,) = lanes(talking(SID, NOW - 60_000))["Transcribed"].bars
    assert talk.is_open
    assert talk.x + talk.width == pytest.approx(timeline.WIDTH - timeline.MARGIN, abs=0.2)
    assert "to now" in talk.title


def test_requests_are_marks_of_their_vendor() -> None:
    """With the answer in words."""
    found = lanes(talking(SID, NOW - 60_000))
    (mark,) = found["ASAPP requests"].marks
    assert mark.kind == "well"
    assert "start-transcription: done" in mark.title
    assert found["Twilio requests"].marks == []


@pytest.mark.parametrize("span_s", [1, 9, 61, 600, 7_300, 90_000])
def test_ticks_are_few(span_s: int) -> None:
    """Whatever the length of the call."""
    drawing = timeline.drawn(call_of(talking(SID, NOW - span_s * 1_000)), [], NOW)
    assert 1 <= len(drawing.ticks) <= 9
    assert drawing.ticks[0].label == "0:00"


def test_a_label_that_does_not_fit_is_left_out() -> None:
    """It is in the title."""
    told = [*talking(SID, NOW - 3_600_000), *held(NOW - 2_000_000, 100), e.UnholdReported(at=NOW - 1_999_000)]
    (pause,) = lanes(told)["Paused"].bars
    assert pause.label == ""
    assert pause.title.startswith("Hold (desktop)")
