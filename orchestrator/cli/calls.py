"""`orchestrator calls`: what is going on, one line per call; with `--watch`, a table that keeps itself up to date."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import click

from orchestrator.cli.layout import counted
from orchestrator.cli.reading import services
from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.services import Services
from orchestrator.web.parameters import STATES
from orchestrator.web.render import call_json

_ORDER = (
    "interrupted",
    "pausing",
    "starting",
    "transcribing",
    "paused",
    "waiting",
    "survey",
    "not-transcribed",
    "ended",
)
_COLOURS = {
    "interrupted": "red",
    "pausing": "magenta",
    "starting": "cyan",
    "transcribing": "green",
    "paused": "yellow",
    "waiting": "white",
}


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--live", is_flag=True, help="Only calls that have not ended.")
@click.option("--state", metavar="STATE", type=click.Choice(sorted(STATES)), help="Only calls in this state.")
@click.option("--watch", is_flag=True, help="Keep it up to date, on a terminal, until Ctrl-C.")
@click.option("--every", default=1.0, show_default=True, type=click.FloatRange(0.2), help="Seconds between two looks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line, as the API gives it.")
def command(limit: int, live: bool, state: str | None, watch: bool, every: float, as_json: bool) -> None:
    """List calls, newest first.

    Columns: when the call began (UTC), its SID, its state, its agent, and what is wrong with it. States: waiting,
    starting, transcribing, pausing, paused, interrupted, survey, not-transcribed, ended.
    """
    if watch and (as_json or not sys.stdout.isatty()):
        raise click.UsageError("--watch is for a terminal; without it, --json gives the calls as they are now.")
    built = services()

    def look() -> list[Call]:
        return _calls(built, limit, state, is_live=live)

    if watch:
        _watch(look, every)
        return
    for call in look():
        click.echo(json.dumps(call_json(call)) if as_json else _line(call))


def _calls(built: Services, limit: int, state: str | None, *, is_live: bool) -> list[Call]:
    where = None if state is None else (lambda call: state_of(call) == state)
    return built.store.list(limit=limit, live_only=is_live, where=where).calls


def _line(call: Call) -> str:
    began, sid, state, agent, problem = _cells(call)
    colour = _COLOURS.get(state, "bright_black")
    return f"{began}  {sid}  {click.style(f'{state:15}', fg=colour)}  {agent}{f'  {problem}' if problem else ''}"


def _cells(call: Call) -> tuple[str, str, str, str, str]:
    began = datetime.fromtimestamp(call.created_at / 1000, UTC).strftime("%m-%d %H:%M:%S")
    agent = call.transcription.agent_id or next((a.id for a in call.agents if a.connected_since is not None), "-")
    return began, call.call_sid, state_of(call), agent, call.problem.id if call.problem else ""


def _without_today(began: str) -> str:
    """A table has no room for what goes without saying."""
    return began.removeprefix(datetime.now(UTC).strftime("%m-%d "))


def _counts(calls: list[Call]) -> str:
    by_state = Counter(state_of(call) for call in calls)
    told = [f"{by_state[state]} {state}" for state in _ORDER if by_state[state]]
    return f"{counted(len(calls), 'call')}: {', '.join(told)}" if told else "no calls"


def _watch(look: Callable[[], list[Call]], every_s: float) -> None:
    try:
        if importlib.util.find_spec("rich") is None:
            _watch_plainly(look, every_s)
        else:
            _watch_richly(look, every_s)
    except KeyboardInterrupt:
        click.echo()


def _watch_plainly(look: Callable[[], list[Call]], every_s: float) -> None:
    while True:
        calls = look()
        click.clear()
        click.echo(_counts(calls))
        for call in calls[: shutil.get_terminal_size().lines - 2]:
            click.echo(_line(call))
        time.sleep(every_s)


def _watch_richly(look: Callable[[], list[Call]], every_s: float) -> None:
    from rich.console import Console, Group  # noqa: PLC0415  the extra `demo` brings it
    from rich.live import Live  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)

    def drawn() -> Group:
        calls = look()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("began", "call", "state", "agent, problem"):
            table.add_column(title, no_wrap=title in {"began", "call", "state"})
        for call in calls[: max(1, console.size.height - 3)]:
            began, sid, state, agent, problem = _cells(call)
            colour = _COLOURS.get(state, "bright_black")
            last = Text.assemble(agent, (f"  {problem}" if problem else "", "red"), no_wrap=True, overflow="ellipsis")
            table.add_row(_without_today(began), sid, Text(state, style=colour), last)
        return Group(Text(_counts(calls), style="bold"), table)

    with Live(drawn(), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(drawn(), refresh=True)
