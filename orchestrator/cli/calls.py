"""`orchestrator calls`: what is going on, one line per call."""

from __future__ import annotations

import json

import click

from orchestrator.cli.reading import services
from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.shown import moment
from orchestrator.web.render import call_json


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--live", is_flag=True, help="Only calls that have not ended.")
@click.option("--state", help="Only calls in this state.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line, as the API gives it.")
def command(limit: int, live: bool, state: str | None, as_json: bool) -> None:
    """List calls, newest first."""
    where = None if state is None else (lambda call: state_of(call) == state)
    page = services().store.list(limit=limit, live_only=live, where=where)
    for call in page.calls:
        click.echo(json.dumps(call_json(call)) if as_json else _line(call))


def _line(call: Call) -> str:
    problem = f"  problem: {call.problem.id}" if call.problem else ""
    agent = call.transcription.agent_id or "-"
    return f"{moment(call.created_at)}  {call.call_sid}  {state_of(call):15}  agent {agent}{problem}"
