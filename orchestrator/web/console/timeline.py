"""The timeline of one call, to scale: figures for inline SVG, computed here, drawn in a template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orchestrator.core.actions import StartTranscription, StopTranscription, Verdict, name_of
from orchestrator.core.call import Call
from orchestrator.core.events import ActionEnded
from orchestrator.store.reading import TimelineEntry
from orchestrator.transcripts.coverage import told_gaps
from orchestrator.web.console.words import clock, length, pause

WIDTH = 1000
GUTTER = 118
MARGIN = 8
LANE = 34
TOP = 8
AXIS = 22
_ENOUGH_TICKS = 8
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_ANSWERS = {
    Verdict.DONE: "well",
    Verdict.ALREADY: "well",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "failed",
    Verdict.REFUSED_FOR_NOW: "failed",
    Verdict.TERMINAL: "failed",
}
"""Everything else is an answer of its own: not yet, or no longer."""
_LETTER = 7
_KINDS = {
    "hold": "hold",
    "agent-hold": "hold",
    "hold:desktop": "hold",
    "payment": "payment",
    "manual": "payment",
    "stopped": "stopped",
}


class Bar(NamedTuple):
    """A stretch in a lane. `kind` is its class; `title` tells it in words; `label` is empty where it does not fit."""

    x: float
    width: float
    kind: str
    label: str
    title: str
    is_open: bool


class Mark(NamedTuple):
    """A moment in a lane: a request to a vendor. `kind`: `well`, `failed` or `again`."""

    x: float
    kind: str
    title: str


class Lane(NamedTuple):
    name: str
    y: int
    bars: Sequence[Bar]
    marks: Sequence[Mark]


class Tick(NamedTuple):
    x: float
    label: str


class Drawing(NamedTuple):
    """All of it; `span` is its length in words."""

    lanes: list[Lane]
    ticks: list[Tick]
    height: int
    span: str


class _Scale:
    """From times to places: from the call's beginning to its end, or to now."""

    def __init__(self, call: Call, now: int) -> None:
        self.start = call.created_at
        self.end = max(call.ended_at or now, call.created_at + 1_000)
        self._over = self.end if call.ended_at is not None else None
        self._per_ms = (WIDTH - GUTTER - MARGIN) / (self.end - self.start)

    def at(self, ms: int) -> float:
        return round(GUTTER + (min(max(ms, self.start), self.end) - self.start) * self._per_ms, 1)

    def bar(self, begin: int, end: int | None, kind: str, label: str, told: str) -> Bar:
        """`end` None: it lasts, or it ended with the call."""
        until = self._over if end is None else end
        last = self.end if until is None else until
        x = self.at(begin)
        width = max(1.5, round(self.at(last) - x, 1))
        title = f"{told}, {clock(begin)} to {'now' if until is None else clock(until)} ({length(last - begin)})"
        fits = width > _LETTER * len(label) + MARGIN
        return Bar(x, width, kind, label if fits else "", title, until is None)


def drawn(call: Call, entries: Iterable[TimelineEntry], now: int) -> Drawing:
    scale = _Scale(call, now)
    asapp, twilio = _requests(entries, scale)
    rows: list[tuple[str, Sequence[Bar], Sequence[Mark]]] = [
        ("Transcribed", _talk(call, scale), ()),
        ("Paused", _pauses(call, scale), ()),
        ("Missing", _gaps(call, scale), ()),
        ("Media stream", _streams(call, scale), ()),
        ("ASAPP requests", (), asapp),
        ("Twilio requests", (), twilio),
    ]
    lanes = [Lane(name, TOP + LANE * number, bars, marks) for number, (name, bars, marks) in enumerate(rows)]
    return Drawing(lanes, _ticks(scale), TOP + LANE * len(lanes) + AXIS, length(scale.end - scale.start))


def _talk(call: Call, scale: _Scale) -> list[Bar]:
    return [
        scale.bar(each.start, each.end, "talk", each.agent_id, f"Transcribed for {each.agent_id}")
        for each in call.segments
    ]


def _pauses(call: Call, scale: _Scale) -> list[Bar]:
    return [
        scale.bar(
            each.start, each.end, f"pause {_KINDS.get(each.reason, 'payment')}", pause(each.reason), pause(each.reason)
        )
        for each in call.paused
    ]


def _gaps(call: Call, scale: _Scale) -> list[Bar]:
    return [
        scale.bar(each.start, each.end, "gap", each.reason, f"Not transcribed, {each.reason}")
        for each in told_gaps(call)
    ]


def _streams(call: Call, scale: _Scale) -> list[Bar]:
    return [
        scale.bar(each.live_at, each.ended_at, "stream", each.name, f"Media stream {each.name}")
        for each in call.streams
        if each.live_at is not None
    ]


def _requests(entries: Iterable[TimelineEntry], scale: _Scale) -> tuple[list[Mark], list[Mark]]:
    """To ASAPP and to Twilio, at the time of their answers."""
    asapp: list[Mark] = []
    twilio: list[Mark] = []
    for entry in entries:
        if not isinstance(entry.event, ActionEnded):
            continue
        action, outcome = entry.event.action, entry.event.outcome
        told = f"{clock(entry.at)} {name_of(action)}: {outcome.verdict} {outcome.code} {outcome.detail}".rstrip()
        lane = asapp if isinstance(action, StartTranscription | StopTranscription) else twilio
        lane.append(Mark(scale.at(entry.at), _ANSWERS.get(outcome.verdict, "again"), told))
    return asapp, twilio


def _ticks(scale: _Scale) -> list[Tick]:
    span_s = (scale.end - scale.start) / 1_000
    step = next((each for each in _STEPS_S if span_s / each <= _ENOUGH_TICKS), _STEPS_S[-1])
    return [Tick(scale.at(scale.start + n * step * 1_000), _offset(n * step)) for n in range(int(span_s // step) + 1)]


def _offset(seconds: int) -> str:
    """Since the call's beginning."""
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
