"""Processes of a test site: started with a log each, ended by their own id, never by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.ports import free_port

__all__ = ["Process", "free_port", "poll", "procfile", "start"]

ROOT = Path(__file__).parents[2]
READY_S = 20.0
DRAIN_S = 10.0
_TAIL = 4000
_LOOK_S = 0.01

T = TypeVar("T")


def poll(until: Callable[[], T | None], deadline_s: float, why: str) -> T:
    """What `until` returns as soon as it is true; fails saying why, and what was seen last, at the deadline."""
    deadline = time.monotonic() + deadline_s
    while True:
        seen = until()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s:g} s: {why} (last: {seen!r})")
        time.sleep(_LOOK_S)


def procfile() -> dict[str, str]:
    """The commands of the Procfile by process type."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name.strip(): command.strip() for name, _, command in (line.partition(":") for line in lines if line)}


@dataclass
class Process:
    """A child process in a session of its own, with its output in a file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        return f"--- {self.name} (exit {self.popen.poll()}) ---\n{self.text()[-_TAIL:]}"

    def ready_line(self) -> dict[str, Any]:
        """The JSON line that an emulator prints once it serves."""
        return poll(self._ready_line, READY_S, f"{self.name} is ready")

    def _ready_line(self) -> dict[str, Any] | None:
        if self.popen.poll() is not None:
            raise AssertionError(self.tail())
        lines = [line for line in self.text().splitlines(keepends=True) if line.startswith('{"ready"')]
        return dict(json.loads(lines[0])) if lines and lines[0].endswith("\n") else None

    def terminate(self) -> None:
        """SIGTERM and a wait; then SIGKILL to what is left of its group."""
        if self.popen.poll() is None:
            self.popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(DRAIN_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(DRAIN_S)


def start(
    name: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    cwd: Path = ROOT,
) -> Process:
    """Start a command with the interpreter's own folder first on PATH, as an activated environment has it.

    `folder` is for its log, `cwd` where it runs.
    """
    log = folder / f"{name}.log"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {key: os.environ[key] for key in ("HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    with log.open("wb") as output:
        popen = subprocess.Popen(  # noqa: S603  our own commands
            command,
            cwd=cwd,
            env={**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process(name, popen, log)
