"""`orchestrator init` writes what a deployment begins with, and spoils nothing."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from orchestrator import __version__, starter
from orchestrator.cli import main

ROOT = Path(__file__).parents[3]


def test_the_files_are_those_of_the_checkout(tmp_path: Path) -> None:
    """Each as it stands here, in the same place."""
    done = CliRunner().invoke(main, ["init", str(tmp_path / "new")])
    assert done.exit_code == 0
    for path in starter.PATHS:
        assert (tmp_path / "new" / path).read_bytes() == (ROOT / path).read_bytes()


def test_what_is_there_stays(tmp_path: Path) -> None:
    """A second call overwrites nothing and says so."""
    (tmp_path / "Procfile").write_text("mine")
    done = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert done.exit_code == 0
    assert f"kept     {tmp_path / 'Procfile'}" in done.output
    assert (tmp_path / "Procfile").read_text() == "mine"


def test_the_changelog_tells_of_this_version() -> None:
    """Its newest section is the package's version."""
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings[0].split()[1] == __version__
