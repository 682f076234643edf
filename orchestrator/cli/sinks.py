"""`orchestrator sinks`: the webhook of SINK_URL that finished transcripts go to: try it, see what it never took."""

from __future__ import annotations

import json
import secrets

import click

from orchestrator.cli.reading import services
from orchestrator.services import Services
from orchestrator.shown import moment
from orchestrator.transcripts.sink import replay, send
from orchestrator.transcripts.sink_message import TEST, Content


@click.group()
def command() -> None:
    """Look after messages to the sink (SINK_URL)."""


@command.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def listed(form: str) -> None:
    """List the dead letters: what was tried for a day and a half and not taken."""
    rows = [
        {"call_sid": each.call_sid, "made_at": moment(each.made_at), "attempts": each.attempts, "error": each.error}
        for each in services().deliveries.dead()
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['call_sid']}  {row['made_at']}  {row['attempts']} attempts, the last one: {row['error']}")
    click.echo(f"{len(rows)} dead letters" if rows else "No dead letters.")


@command.command("replay")
@click.argument("call_sids", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every dead letter.")
def replayed(call_sids: tuple[str, ...], *, is_all: bool) -> None:
    """Send dead letters again, under the ids that they had. What is sent is the call's transcript as it is now."""
    built = _configured()
    if bool(call_sids) == is_all:
        raise click.UsageError("Name calls, or say --all.")
    chosen = [each.call_sid for each in built.deliveries.dead()] if is_all else list(call_sids)
    unknown = [sid for sid in chosen if not replay(built, sid)]
    click.echo(f"{len(chosen) - len(unknown)} made due; the workers send them")
    if unknown:
        raise click.ClickException(f"No dead letter: {', '.join(unknown)}")


@command.command()
def test() -> None:
    """Send one message of the type sink.test, signed as all are, from this machine."""
    built = _configured()
    body = Content(TEST, {}).body(built.clock.now_ms())
    error = send(built, f"msg_{secrets.token_hex(12)}", body)
    if error:
        raise click.ClickException(f"The sink did not take it: {error}")
    click.echo(f"The sink took it ({len(body)} bytes).")


def _configured() -> Services:
    built = services()
    if not built.settings.sink_url:
        raise click.UsageError("SINK_URL is not set.")
    return built
