"""The demo's terminal: a live table while it runs, plain lines where there is no terminal, a summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.demo.watching import PRIVATE, SPEECH, Row

_COLOURS = {
    "ringing": "dim",
    "waiting": "yellow",
    "starting": "cyan",
    "transcribing": "bold green",
    "pausing": "bold magenta",
    "paused": "magenta",
    "interrupted": "bold red",
    "survey": "blue",
    "ended": "dim",
}
_ROWS = 14


def seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s"


def heard(rows: Iterable[Row], kinds: Iterable[str]) -> float:
    """Milliseconds of these kinds of audio that ASAPP transcribed."""
    return sum(row.heard[kind] for row in rows for kind in kinds)


def kept_out(rows: Iterable[Row], kinds: Iterable[str]) -> float:
    """Milliseconds of these kinds of audio that reached ASAPP's side and were not transcribed."""
    return sum(row.received[kind] - row.heard[kind] for row in rows for kind in kinds)


class View:
    """A context manager; `show` redraws, or prints what changed where there is no terminal."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._live = Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, rows: list[Row], changes: list[tuple[Row, str, str]]) -> None:
        if self._live:
            self._live.update(Group(Text(self._title, style="bold"), self._table(rows), _totals(rows)))
            return
        clock = time.strftime("%H:%M:%S")
        for row, before, now in changes:
            problem = f"  problem: {row.problem}" if row.problem else ""
            caller = f"...{row.playing.customer[-4:]}"
            self._console.print(
                f"{clock}  {caller}  {before:>12} -> {now:<12}  {row.playing.title}{problem}", soft_wrap=True
            )

    def _table(self, rows: list[Row]) -> Table:
        table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False)
        for name, most in (("caller", 6), ("story", 60), ("state", 15), ("now", 26), ("last words", None)):
            table.add_column(name, max_width=most, no_wrap=name in {"caller", "state"})
        for row in sorted(rows, key=lambda each: (each.state == "ended", -each.playing.began))[:_ROWS]:
            state = Text(row.state, style=_COLOURS.get(row.state, ""))
            step = row.problem or row.playing.trouble or ("archived" if row.is_archived else row.playing.step)
            words = "" if row.state == "ended" else row.words
            table.add_row(f"…{row.playing.customer[-4:]}", _line(row.playing.title), state, _line(step), _line(words))
        return table


def _line(text: str) -> Text:
    """What gives way where room is short, and stays one line."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _totals(rows: list[Row]) -> Text:
    states = Counter(row.state for row in rows)
    line = "  ".join(f"{state} {count}" for state, count in sorted(states.items()))
    speech, private = heard(rows, SPEECH), kept_out(rows, PRIVATE)
    leaked = heard(rows, PRIVATE)
    return Text(
        f"{line}\nconversation transcribed {seconds(speech)}   kept out {seconds(private)} "
        f"(hold, queue, IVR, card numbers, survey)   heard of that {seconds(leaked)}\nCtrl-C ends the demo",
        style="dim",
    )


def summary(console: Console, rows: list[Row], pause_to_off: str) -> None:
    """The table that the demo leaves behind."""
    table = Table(title="What ASAPP heard, counted from the audio", box=SIMPLE_HEAD)
    for name in ("story", "calls", "conversation\ntranscribed", "kept out", "heard\nof that", "archived"):
        table.add_column(name, justify="left" if name == "story" else "right")
    for title in sorted({row.playing.title for row in rows}):
        mine = [row for row in rows if row.playing.title == title]
        table.add_row(title, *_cells(mine))
    table.add_section()
    table.add_row("all", *_cells(rows), style="bold")
    console.print(table)
    troubles = [row.playing.trouble for row in rows if row.playing.trouble]
    problems = Counter(row.problem for row in rows if row.problem)
    console.print(f"pause to off: {pause_to_off}")
    console.print(
        f"calls with a problem: {dict(problems) or 'none'}; scripts that could not be played: {len(troubles)}"
    )
    for trouble in troubles:
        console.print(f"  {trouble}", style="red")


def _cells(rows: list[Row]) -> tuple[str, ...]:
    return (
        str(len(rows)),
        seconds(heard(rows, SPEECH)),
        seconds(kept_out(rows, PRIVATE)),
        seconds(heard(rows, PRIVATE)),
        f"{sum(row.is_archived for row in rows)}/{sum(row.is_call for row in rows)}",
    )
