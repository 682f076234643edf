"""`orchestrator transcript CALL_SID`: what was said."""

from __future__ import annotations

import json
from typing import Any

import click

from orchestrator.cli.reading import archived, known_call, services
from orchestrator.transcripts import view

_BESIDE = frozenset({"schema", "call", "segments", "coverage", "timeline"})


@click.command()
@click.argument("call_sid")
@click.option("--format", "form", type=click.Choice(["json", "text", "vtt"]), default="text", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def command(call_sid: str, form: str) -> None:
    """Show a call's transcript; of a call that Redis knows no more, the archive's."""
    built = services()
    kept = archived(built, call_sid)
    document = view.transcript_of(built, known_call(built, call_sid).call_sid) if kept is None else _transcript(kept)
    match form:
        case "json":
            click.echo(json.dumps(document, indent=2))
        case "vtt":
            click.echo(view.as_vtt(document))
        case _:
            click.echo(view.as_text(document))


def _transcript(archived_document: dict[str, Any]) -> dict[str, Any]:
    """Without what only the archive has beside it."""
    return {name: value for name, value in archived_document.items() if name not in _BESIDE}
