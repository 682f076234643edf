"""The demo's table on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestrator.demo.traffic import Playing
from orchestrator.demo.view import View
from orchestrator.demo.watching import Row

TITLE = "An existing call flow behind a redirect; the desktop reports agent and holds"
WORDS = "customer: the router keeps losing its connection in the evening, and nobody answers"


def drawn(columns: int, rows: list[Row]) -> set[str]:
    """The lines; the picture is drawn more than once."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns, height=30, color_system=None)
    with View(console, "demo") as view:
        view.show(rows, [])
    return set(out.getvalue().splitlines())


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_who_and_how_are_told_whole(columns: int) -> None:
    """Caller and state give way to nothing, whatever the story and the words; each call is one line."""
    rows = [
        Row(Playing(TITLE, "+15555550112", step="wait until the call has ended"), state=state, words=WORDS)
        for state in ("transcribing", "not-transcribed", "interrupted")
    ]
    lines = drawn(columns, rows)
    for state in ("transcribing", "not-transcribed", "interrupted"):
        (line,) = [line for line in lines if line.strip().startswith("…0112") and f" {state} " in line]
        assert "An existing" in line
        assert "customer: " in line
        assert len(line.rstrip()) <= columns
