"""`orchestrator version`."""

import json

import click

from orchestrator import __version__


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Show the version."""
    click.echo(json.dumps({"version": __version__}) if as_json else __version__)
