"""A real redis-server per run, on a free port; a second, disposable one for tests that stop or kill it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as redis_py

from orchestrator.store.connect import Redis, connect
from tests.ports import free_port

DEADLINE_S = 20.0


@dataclass
class RedisServer:
    """A redis-server that this run started."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)


def start_redis(
    folder: Path, *options: str, port: int | None = None, environment: Mapping[str, str] | None = None
) -> RedisServer:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.fail("redis-server is missing; scripts/require-redis.sh says how to get it")
    port = free_port() if port is None else port
    process = subprocess.Popen(  # noqa: S603  our own arguments
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    server = RedisServer(process, port)
    deadline = time.monotonic() + DEADLINE_S
    with contextlib.closing(redis_py.Redis(port=port)) as probe:
        while True:
            try:
                probe.ping()
            except redis_py.RedisError:
                if time.monotonic() > deadline or process.poll() is not None:
                    server.end()
                    raise
                time.sleep(0.02)
            else:
                return server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Shared by the run; tests that get it through `redis` find it empty."""
    server = start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.end()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    client = connect(redis_server.url)
    client.execute_command("FLUSHALL")
    yield client
    client.close()


@pytest.fixture
def more_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    """Starts servers for one test alone, to be frozen, killed or configured; the arguments are redis-server's.

    `environment`: variables of the process beside this one's own.
    """
    with contextlib.ExitStack() as running:

        def start(*options: str, environment: Mapping[str, str] | None = None) -> RedisServer:
            server = start_redis(tmp_path_factory.mktemp("redis"), *options, environment=environment)
            running.callback(server.end)
            return server

        yield start


@pytest.fixture
def own_redis(more_redis: Callable[..., RedisServer]) -> RedisServer:
    return more_redis()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Polls until the condition holds, fails after `DEADLINE_S`."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the condition never held"
            time.sleep(0.01)

    return wait
