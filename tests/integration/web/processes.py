"""The service as real processes, for this folder's tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).parents[3]
GUNICORN = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", "orchestrator.web:create_app()"]
SERVE = [sys.executable, "-m", "orchestrator", "serve"]


@contextmanager
def running(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)  # noqa: S603  ours
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


def base(environ: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environ['PORT']}"


def is_up(environ: dict[str, str]) -> bool:
    try:
        return requests.get(base(environ) + "/healthz", timeout=2).ok
    except requests.ConnectionError:
        return False
