"""The front page's charts: figures for inline SVG, computed here, drawn in templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orchestrator.web.console.lists import Hour
from orchestrator.web.console.words import length, state


class Column(NamedTuple):
    """One column of a chart: the whole and its lower part, in the units of a 40 high drawing."""

    x: float
    height: float
    part: float
    kind: str
    title: str


CHART_HEIGHT = 40


def hour_columns(hours: Sequence[Hour], width: float) -> list[Column]:
    """Talk by hour; the part is what was transcribed of it."""
    most = max((hour.transcribed_ms + hour.missing_ms for hour in hours), default=0) or 1
    columns = []
    for number, hour in enumerate(hours):
        talk = hour.transcribed_ms + hour.missing_ms
        height = round(CHART_HEIGHT * talk / most, 1)
        part = round(height * hour.transcribed_ms / talk, 1) if talk else 0
        title = (
            f"{hour.hour:02d}:00: {length(talk)} of talk, {length(hour.missing_ms)} missing" if talk else
            f"{hour.hour:02d}:00: no talk"
        )  # fmt: skip
        columns.append(Column(round(number * width, 1), max(height, 2 if talk else 0), part, "hour", title))
    return columns


OFF_EDGES = (50, 100, 150, 200, 300, 500, 1_000, 2_000)
"""Upper ends of the chart's columns, in ms; the last column is everything above 2 s, the promise."""


def off_columns(offs: Sequence[int], width: float) -> list[Column]:
    """How many pauses took how long to be off."""
    edges = (*OFF_EDGES, None)
    counts = [0] * len(edges)
    for each in offs:
        counts[next((n for n, edge in enumerate(OFF_EDGES) if each <= edge), len(OFF_EDGES))] += 1
    most = max(counts) or 1
    columns, low = [], 0
    for number, (edge, count) in enumerate(zip(edges, counts, strict=True)):
        told = f"{length(low)} to {length(edge)}" if edge else f"more than {length(low)}"
        height = round(CHART_HEIGHT * count / most, 1) if count else 0
        kind = "off" if edge else "off late"
        columns.append(Column(round(number * width, 1), max(height, 2 if count else 0), 0, kind, f"{told}: {count}"))
        low = edge or low
    return columns


class Share(NamedTuple):
    x: float
    width: float
    kind: str
    title: str


def shares(counts: dict[str, int], order: Sequence[str], width: float) -> list[Share]:
    """Parts of one bar, in this order, at least two wide so that one call among thousands is seen."""
    present = [(name, counts[name]) for name in order if counts.get(name)]
    total = sum(count for _, count in present)
    spare = width - 2 * len(present)
    found, x = [], 0.0
    for name, count in present:
        part = 2 + spare * count / total
        found.append(Share(round(x, 1), round(part, 1), name, f"{state(name)}: {count}"))
        x += part
    return found


FILTERS: dict[str, Callable[..., Any]] = {"hour_columns": hour_columns, "off_columns": off_columns, "shares": shares}
