"""The servers of `plain.py`, each in a process of its own, as references for ours in the same run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.harness import Site
from tests.e2e.processes import Process, free_port, poll, start


@dataclass(frozen=True)
class Reference:
    """Where it listens, and its process."""

    url: str
    process: Process


def start_reference(site: Site, name: str, port: int, *, asapp_url: str = "") -> Process:
    """Start a factory of `plain.py` in the site's environment, with ASAPP at another address if one is given.

    It ends with the site at the latest.
    """
    environment = {**site.environment(), "PORT": str(port), "PYTHONPATH": "."}
    if asapp_url:
        environment["ASAPP_API_BASE_URL"] = asapp_url
    command = [sys.executable, "-m", "gunicorn", "--config", "benchmarks/plain.py", f"benchmarks.plain:{name}()"]
    process = start(name, command, site.folder, environment)
    site.processes.append(process)
    return process


@contextlib.contextmanager
def reference(site: Site, name: str, *, asapp_url: str = "") -> Iterator[Reference]:
    """The same, serving on a free port until the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start_reference(site, name, port, asapp_url=asapp_url)
    try:
        poll(lambda: _answers(site, url), 20, f"{name} serves")
        yield Reference(url, process)
    finally:
        process.terminate()


def _answers(site: Site, url: str) -> bool:
    """That it has no such page is an answer as well."""
    try:
        return site.http.get(url, timeout=5).status_code < 500
    except OSError:
        return False
