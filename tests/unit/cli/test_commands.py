"""The command line loads each command when it is called, and says which extra it lacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from orchestrator import __version__, cli
from orchestrator.cli import main


def test_version_is_told() -> None:
    """One line."""
    done = CliRunner().invoke(main, ["version"])
    assert (done.exit_code, done.output) == (0, f"{__version__}\n")


def test_help_names_every_command_without_loading_one() -> None:
    """A missing extra spoils no help."""
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    assert all(name in done.output for name in ("serve", "worker", "calls", "explain", "emulate"))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 and the pip command that helps."""
    for name in [name for name in sys.modules if name.startswith("orchestrator.emulators")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "orchestrator.cli.emulate", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    done = CliRunner().invoke(main, ["emulate", "twilio", "--help"])
    assert done.exit_code == 1
    assert "asapp-twilio-orchestrator[emulators]" in done.output


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit 2."""
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2


def test_a_bad_configuration_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, every fault, no traceback."""
    for name in ("PUBLIC_BASE_URL", "TWILIO_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(main, ["worker"])
    assert done.exit_code == 2
    assert "PUBLIC_BASE_URL" in done.output
    assert "TWILIO_AUTH_TOKEN" in done.output


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*path, name))


RUNNING = {("demo",), ("serve",), ("worker",), ("emulate", "asapp"), ("emulate", "twilio")}
"""They run until they are ended; what they have to say is a log, or the emulators' one line of JSON."""
DOING = {("init",), ("sinks", "replay"), ("sinks", "test")}
"""Their answer is what they did, and their exit code."""


LEAVES = dict(leaves(main))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_answer_can_be_had_as_json(path: tuple[str, ...]) -> None:
    """For programs: --json wherever something is told."""
    options = {name for parameter in LEAVES[path].params for name in parameter.opts}
    assert ("--json" in options) != (path in RUNNING | DOING)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_helps_within_80_columns(path: tuple[str, ...]) -> None:
    """A sentence first, and no line that an ordinary terminal would break."""
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[2].strip()
    assert all(len(line) <= 80 for line in lines), [line for line in lines if len(line) > 80]


def test_help_leaves_no_command_out() -> None:
    """Each module of the command line is in one section."""
    files = {path.stem.replace("_", "-") for path in Path(cli.__file__).parent.glob("*.py")}
    helpers = {"--init--", "layout", "reading", "setting-up", "times"}
    assert files - helpers == set(cli.COMMANDS)


def test_nothing_is_coloured_where_nobody_looks() -> None:
    """Colours are for terminals."""
    environ = {"REDIS_URL": "redis://127.0.0.1:1/0", "PUBLIC_BASE_URL": "https://calls.example.com"}
    environ |= {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "fake"}
    environ |= {"ASAPP_API_ID": "fake", "ASAPP_API_SECRET": "fake"}
    done = CliRunner().invoke(main, ["doctor", "--release"], env=environ)
    assert "FAIL" in done.output
    assert "\x1b" not in done.output
