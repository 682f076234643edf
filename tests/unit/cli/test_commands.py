"""The command line loads each command when it is called, and says which extra it lacks."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from orchestrator import __version__
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
