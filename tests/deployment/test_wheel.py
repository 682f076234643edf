"""What is built is complete, and runs where there is no checkout."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from orchestrator import __version__, starter
from tests.deployment.conftest import run
from tests.e2e.harness import Site
from tests.e2e.processes import ROOT
from tests.e2e.world import CallSeen, assert_ended_clean


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Templates, scripts of pages and of Redis, scenarios, examples: all that git would keep, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "orchestrator"],  # noqa: S607  git is where it is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    tracked = set(listed.stdout.split())
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        for path in starter.PATHS:
            assert archive.read(f"orchestrator/starter/{path}") == (ROOT / path).read_bytes()
    assert "orchestrator/store/commit.lua" in held
    assert held == tracked


def test_the_version_is_the_packages(wheel: Path, installed: Path, tmp_path: Path) -> None:
    """The wheel's name, the installed distribution and the command tell the same."""
    assert wheel.name.split("-")[1] == __version__
    assert run(installed / "bin/orchestrator", "version") == f"{__version__}\n"
    told = "from importlib.metadata import version; print(version('asapp-twilio-orchestrator'))"
    assert run(installed / "bin/python", "-I", "-c", told) == f"{__version__}\n"
    where = "import orchestrator; print(orchestrator.__file__)"
    assert run(installed / "bin/python", "-I", "-c", where).startswith(str(installed))
    assert str(tmp_path) in run(installed / "bin/orchestrator", "init", tmp_path)


def test_serve_runs_outside_the_checkout(installed: Path) -> None:
    """On its embedded store: a call is taken, transcribed and ended as anywhere else."""
    with Site("serve", installed=installed) as site:
        call = CallSeen(site, site.play("queue_then_agent").call_sid)
        assert_ended_clean(call)
        assert "embedded store in use" in site.process("serve").text()
