"""The site of a soak: the Procfile's processes, two workers, and ways to hurt them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import redis as redis_py
import requests

from tests.e2e.harness import Site
from tests.e2e.processes import Process, poll, start

READY_S = 20.0
_CONNECT_S = 0.5


class SoakSite(Site):
    """`arriving` is held while a caller's first documents are fetched, and while all of web is away."""

    def __init__(self) -> None:
        super().__init__(speed=1.0, environment={"WEB_CONCURRENCY": "2", "LOG_LEVEL": "warning"})
        self.arriving = threading.Lock()

    def _start(self) -> None:
        super()._start()
        self.start_service("worker")

    def living(self, name: str) -> list[Process]:
        """The processes of this type that have not been ended."""
        own = [process for process in self.processes if process.name.partition("-")[0] == name]
        return [process for process in own if process.popen.poll() is None]

    def kill(self, process: Process) -> None:
        """SIGKILL to it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.popen.wait(READY_S)

    @contextlib.contextmanager
    def frozen(self, process: Process) -> Iterator[None]:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)

    def web_children(self) -> list[int]:
        """The processes that serve, below gunicorn's master."""
        master = self.living("web")[0].pid
        found = subprocess.run(["pgrep", "-P", str(master)], capture_output=True, text=True, check=False)  # noqa: S603, S607  our own number
        return [int(pid) for pid in found.stdout.split()]

    def restart_web(self) -> None:
        self.start_service("web")
        poll(self._is_web_up, READY_S, "web serves again")

    def _is_web_up(self) -> bool:
        try:
            return self.http.get(f"{self.web_url}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def restart_redis(self) -> None:
        """Kill it, and start it again on the same port and data."""
        [old] = self.living("redis")
        self.kill(old)
        count = sum(process.name.startswith("redis") for process in self.processes)
        self.processes.append(start(f"redis-{count + 1}", list(map(str, old.popen.args)), self.folder))  # type: ignore[arg-type]  # a list of words
        poll(self._is_redis_up, READY_S, "redis-server serves again")

    def _is_redis_up(self) -> bool:
        with redis_py.Redis.from_url(self.redis_url, socket_timeout=_CONNECT_S) as probe:
            try:
                return bool(probe.ping())
            except redis_py.RedisError:
                return False

    def flush_scripts(self) -> None:
        with redis_py.Redis.from_url(self.redis_url) as client:
            client.script_flush()


def now() -> float:
    """Epoch seconds, as both emulators tell time."""
    return time.time()
