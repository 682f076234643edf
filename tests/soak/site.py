"""The site of a soak: the Procfile's processes behind a router, Redis with a replica, two workers; ways to hurt them.

With `layout="serve"` it is `orchestrator serve` alone, with the store that it brings; then only the vendors fail.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import redis as redis_py
import requests

from tests.e2e.processes import Process, free_port, poll, procfile, start
from tests.e2e.routed import RoutedSite
from tests.faketime import Faketime
from tests.link import Link

READY_S = 20.0
_CONNECT_S = 0.5


class SoakSite(RoutedSite):
    """`arriving` is held while a caller's first documents are fetched, and while all of web is away."""

    def __init__(self, layout: str = "procfile") -> None:
        super().__init__(layout, speed=1.0, environment={"WEB_CONCURRENCY": "2", "LOG_LEVEL": "warning"})
        self.arriving = threading.Lock()
        self._links = contextlib.ExitStack()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._links.close()

    @property
    def is_one_process(self) -> bool:
        return self.layout == "serve"

    def _start(self) -> None:
        super()._start()
        if not self.is_one_process:
            self.start_service("worker")

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

    # --- web and workers -----------------------------------------------------------------------------------------

    def web_children(self) -> list[int]:
        """The processes that serve, below gunicorn's master."""
        return _children(self.living("web")[0].pid)

    def restart_web(self) -> None:
        self.start_service("web")
        poll(self._is_web_up, READY_S, "web serves again")

    def _is_web_up(self) -> bool:
        try:
            return self.http.get(f"{self.web_url}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def start_skewed_worker(self, off_by_s: float) -> None:
        """A worker whose wall clock is wrong."""
        clock = Faketime(self.folder, off_by_s).environment()
        self._run("worker", shlex.split(procfile()["worker"]), self.environment() | clock)

    def memory_mb(self) -> float:
        """What the service's processes hold, pages that they share counted once for all."""
        pids = [process.pid for name in ("web", "worker", "serve") for process in self.living(name)]
        every = [pid for process in pids for pid in (process, *_descendants(process))]
        return sum(_proportional_kb(pid) for pid in every) / 1024

    # --- Redis ---------------------------------------------------------------------------------------------------

    def _start_redis(self) -> None:
        self.master, port = self._redis_server("redis")
        self.link = Link(port)
        self._links.callback(self.link.__exit__)
        self.redis_url = self.link.url
        self._start_replica(port)

    def _redis_server(self, name: str) -> tuple[Process, int]:
        binary = shutil.which("redis-server")
        assert binary, "redis-server is missing; scripts/require-redis.sh says how to get it"
        port = free_port()
        folder = self.folder / f"redis-{port}"
        folder.mkdir()
        kept = ["--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes", "--save", ""]
        process = self._run(name, [binary, "--port", str(port), *kept, "--repl-diskless-sync-delay", "0"])
        poll(lambda: _answers(port), READY_S, "redis-server serves")
        return process, port

    def _start_replica(self, master_port: int) -> None:
        self.replica, self.replica_port = self._redis_server("redis")
        with _direct(self.replica_port) as client:
            client.replicaof("127.0.0.1", str(master_port))

    def restart_redis(self) -> None:
        """Kill the master, and start it again on the same port and data."""
        self.kill(self.master)
        count = sum(process.name.startswith("redis") for process in self.processes)
        command = list(map(str, self.master.popen.args))  # type: ignore[arg-type]  # a list of words
        self.master = start(f"redis-{count + 1}", command, self.folder)
        self.processes.append(self.master)
        poll(self._is_redis_up, READY_S, "redis-server serves again")

    def fail_over(self) -> float:
        """The master dies, the replica takes its place and address, a new replica follows it; when the master died."""
        poll(self._does_replica_follow, READY_S, "the replica follows")
        died_at = now()
        self.kill(self.master)
        with _direct(self.replica_port) as client:
            client.replicaof("no", "one")
        self.link.lead_to(self.replica_port)
        self.master = self.replica
        self._start_replica(self.replica_port)
        return died_at

    def _does_replica_follow(self) -> bool:
        with _direct(self.replica_port) as client:
            return str(client.info("replication")["master_link_status"]) == "up"

    @contextlib.contextmanager
    def slow_redis(self, delay_s: float) -> Iterator[None]:
        """Everything to and from Redis takes so much longer."""
        self.link.delay_s = delay_s
        try:
            yield
        finally:
            self.link.delay_s = 0.0

    def _is_redis_up(self) -> bool:
        with redis_py.Redis.from_url(self.redis_url, socket_timeout=_CONNECT_S) as probe:
            try:
                return bool(probe.ping())
            except redis_py.RedisError:
                return False

    def flush_scripts(self) -> None:
        with redis_py.Redis.from_url(self.redis_url) as client:
            client.script_flush()

    def store_url(self) -> str:
        """The store that the service uses, for whoever looks from outside."""
        if self.redis_url:
            return self.redis_url
        [socket] = (self.folder / "data").rglob("*.sock")
        return f"unix://{socket}"


def _direct(port: int) -> redis_py.Redis:
    return redis_py.Redis(port=port, socket_timeout=5)


def _answers(port: int) -> bool:
    with _direct(port) as probe:
        try:
            return bool(probe.ping())
        except redis_py.RedisError:
            return False


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607  our own number
    return [int(each) for each in found.stdout.split()]


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _proportional_kb(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:  # noqa: PTH123  a file of the kernel's
            return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def now() -> float:
    """Epoch seconds, as both emulators tell time."""
    return time.time()
