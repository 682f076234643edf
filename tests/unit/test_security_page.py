"""The threat model names tests that exist, and what it says of the command line holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!Threat|Secret|---|`)(.+?) \| .+ \| (.+) \|$", PAGE.partition("## Rotation")[0], re.MULTILINE)
SECRET = re.compile(r"secret|token|password|api[-_]?key", re.IGNORECASE)


@pytest.mark.parametrize(("threat", "tests"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_every_row_names_a_test_that_exists(threat: str, tests: str) -> None:
    """A file below tests/, and the function in it."""
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", tests)
    assert named, threat
    for path, function in named:
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert not function or re.search(rf"^def {function}\(", text, re.MULTILINE), f"{path}::{function}"


def test_the_page_is_read() -> None:
    """All rows of the table, none lost to its form."""
    table = PAGE.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    assert len(ROWS) == len(table.splitlines()) > 20


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{path}{name}", found
        if isinstance(found, click.Group):
            yield from commands(found, f"{path}{name} ")


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """What is on a command line is in the list of processes, for everybody; the emulators' secrets are made up."""
    taken = {
        f"{path} {parameter.name}"
        for path, command in commands(main)
        if not path.startswith("emulate")
        for parameter in command.params
        if SECRET.search(parameter.name or "")
    }
    assert taken == set()
