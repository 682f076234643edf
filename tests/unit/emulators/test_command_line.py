"""`orchestrator emulate`: what is misspelt is refused before anything starts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from orchestrator.cli.emulate import command


@pytest.mark.parametrize("vendor", ["asapp", "twilio"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a=b", "no switch 'a'"),
        ("stream", "NAME=VALUE"),
        ("chunk-numbering=never", "per-stream"),
        ("summary=x", "segment"),
    ],
)
def test_unknown_switches_end_with_2_and_a_word(vendor: str, given: str, told: str) -> None:
    """Exit 2: no such switch, no value, or not one of its values, which are named."""
    if (vendor, given.partition("=")[0]) in {("asapp", "chunk-numbering"), ("twilio", "summary")}:
        told = "no switch"
    done = CliRunner().invoke(command, [vendor, "--switch", given])
    assert done.exit_code == 2
    assert told.lower() in done.output.lower()
    assert "Traceback" not in done.output
