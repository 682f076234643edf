"""`orchestrator config-reference`: every variable and every key of a profile, as this version reads them."""

from __future__ import annotations

import json

import click

from orchestrator import reference


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Print the reference of the configuration: every variable and every key of a profile."""
    click.echo(json.dumps(reference.document(), indent=2) if as_json else reference.markdown(), nl=as_json)
