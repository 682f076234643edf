"""`orchestrator transcript CALL_SID`: what was said."""

from __future__ import annotations

import json

import click

from orchestrator.cli.reading import known_call, services
from orchestrator.transcripts import view


@click.command()
@click.argument("call_sid")
@click.option("--format", "form", type=click.Choice(["json", "text", "vtt"]), default="text", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def command(call_sid: str, form: str) -> None:
    """Show a call's transcript."""
    built = services()
    document = view.transcript_of(built, known_call(built, call_sid).call_sid)
    match form:
        case "json":
            click.echo(json.dumps(document, indent=2))
        case "vtt":
            click.echo(view.as_vtt(document))
        case _:
            click.echo(view.as_text(document))
