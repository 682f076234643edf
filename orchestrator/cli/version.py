"""`orchestrator version`."""

import click

from orchestrator import __version__


@click.command()
def command() -> None:
    """Show the version."""
    click.echo(__version__)
