"""`orchestrator emulate twilio|asapp`: the vendors as they behave, for tests and people without accounts."""

import click

from orchestrator.emulators.asapp.main import command as asapp
from orchestrator.emulators.twilio.main import command as twilio


@click.group()
def command() -> None:
    """Run an emulator of Twilio or ASAPP."""


command.add_command(asapp, "asapp")
command.add_command(twilio, "twilio")
