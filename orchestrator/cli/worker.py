"""`orchestrator worker`: one worker process, until SIGTERM."""

import click

from orchestrator import log
from orchestrator.services import build
from orchestrator.settings import Settings


@click.command()
def command() -> None:
    """Run a worker process: it acts on calls until SIGTERM, then ends within 25 seconds."""
    from orchestrator.worker import loop  # noqa: PLC0415  heavy, and of no use to the other commands

    settings = Settings.from_environment()
    log.configure(settings.log_format, settings.log_level)
    loop.run(build(settings))
