"""`orchestrator explain CALL_SID`: every event, decision and outcome of a call, in words."""

from __future__ import annotations

import click
import msgspec

from orchestrator.cli.reading import known_call, services
from orchestrator.core.desired import state_of
from orchestrator.log import clean_text
from orchestrator.shown import moment
from orchestrator.store.reading import TimelineEntry

_HIDDEN = frozenset({"event", "at", "profile", "customer_number", "called_number", "customer_id"})


@click.command()
@click.argument("call_sid")
def command(call_sid: str) -> None:
    """Tell what happened to a call, and why."""
    built = services()
    call = known_call(built, call_sid)
    click.echo(f"{call.call_sid}: {state_of(call)}, transcription {call.transcription.state}")
    for problem in call.problems:
        click.echo(f"problem: {problem.id} since {moment(problem.since)} {clean_text(problem.detail)}")
    for entry in built.store.timeline(call.call_sid):
        click.echo(_line(entry))


def _line(entry: TimelineEntry) -> str:
    details = msgspec.to_builtins(entry.event) if entry.event is not None else {}
    shown = " ".join(f"{name}={_value(value)}" for name, value in details.items() if name not in _HIDDEN)
    state = entry.state.get("state", "")
    note = f" ({entry.note})" if entry.note else ""
    return clean_text(f"{moment(entry.at)}  {entry.name:26} {shown}  -> {state}{note}")


def _value(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
