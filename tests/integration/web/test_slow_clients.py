"""Clients that are slow or say nothing: callers are served all the same, by gunicorn as the Procfile starts it."""

from __future__ import annotations

import contextlib
import resource
import shlex
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import ROOT, Process, free_port, poll, procfile, start
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import worker_environment
from tests.integration.faults.vendors import Vendors

NOFILE = resource.RLIMIT_NOFILE
STALLED = 200
SERVED_WITHIN_S = 2.0
HALF_A_HEAD = b"POST /twilio/voice HTTP/1.1\r\nHost: calls.example.com\r\nContent-Type: application/x-www-form-url"
HEAD_WITHOUT_BODY = (
    b"POST /twilio/voice HTTP/1.1\r\nHost: calls.example.com\r\nContent-Length: 500\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nCallSid=CA"
)
A_WHOLE_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: calls.example.com\r\nConnection: close\r\n\r\n"


@pytest.fixture
def process(redis_server: RedisServer, tmp_path: Path, port: int) -> Iterator[Process]:
    """A web process with one worker, as on a small machine."""
    with Vendors() as vendors:
        environment = worker_environment(redis_server.url, vendors) | {"PORT": str(port), "WEB_CONCURRENCY": "1"}
        process = start("web", shlex.split(procfile()["web"]), tmp_path, environment)
        try:
            poll(lambda: is_served(port, process), 20, "web serves")
            yield process
        finally:
            process.terminate()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def web(process: Process, port: int) -> tuple[str, int]:
    """Its address."""
    del process
    return "127.0.0.1", port


def is_served(port: int, process: Process) -> bool:
    assert process.popen.poll() is None, process.tail()
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok
    return False


@contextlib.contextmanager
def stalled(address: tuple[str, int], sent: bytes, *, is_half_closed: bool = False) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as open_lines:
        lines = []
        for _ in range(STALLED):
            line = open_lines.enter_context(socket.create_connection(address, timeout=5))
            if sent:
                line.sendall(sent)
            if is_half_closed:
                line.shutdown(socket.SHUT_WR)
            lines.append(line)
        yield lines


def assert_callers_are_served(address: tuple[str, int]) -> None:
    """Whoever comes now is answered: a forged call is refused, as quickly as ever."""
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        answer = requests.post(f"http://{address[0]}:{address[1]}/twilio/voice", data={"CallSid": "x"}, timeout=10)
        slowest = max(slowest, time.monotonic() - began)
        assert answer.status_code == 403
    assert slowest < SERVED_WITHIN_S, f"the slowest of 20 took {slowest:.1f} s"


@pytest.mark.parametrize(
    ("sent", "is_half_closed"),
    [(b"", False), (HALF_A_HEAD, False), (HEAD_WITHOUT_BODY, False), (b"", True), (HALF_A_HEAD, True)],
    ids=["idle", "half a head", "no body", "half-closed", "half-closed in the head"],
)
def test_fault_56_stalled_clients(web: tuple[str, int], sent: bytes, is_half_closed: bool) -> None:
    """56: 200 connections that say nothing, half a head, or a head without its body keep no caller waiting."""
    with stalled(web, sent, is_half_closed=is_half_closed):
        assert_callers_are_served(web)
    assert_callers_are_served(web)


def test_fault_56_clients_that_do_not_hang_up(web: tuple[str, int]) -> None:
    """56: clients that got their answer with `Connection: close` and keep the line open delay nobody."""
    with stalled(web, A_WHOLE_REQUEST):
        assert_callers_are_served(web)


def workers_of(process: Process) -> list[int]:
    return [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_more_clients_than_files(process: Process, web: tuple[str, int]) -> None:
    """Whoever comes when the process may open no more files waits until somebody hangs up; the worker lives on."""
    (worker,) = workers_of(process)
    open_now, (_, hard) = len(list(Path(f"/proc/{worker}/fd").iterdir())), resource.prlimit(worker, NOFILE)
    resource.prlimit(worker, NOFILE, (open_now + 20, hard))
    with stalled(web, b""):
        poll(lambda: "out of files" in process.text(), 10, "no file is left")
    assert_callers_are_served(web)
    assert workers_of(process) == [worker]


SCARCE = """
exec(open({path!r}).read())
_begin = post_worker_init

def post_worker_init(worker):
    import threading
    start = threading.Thread.start

    def scarce(thread):
        if threading.active_count() >= {most}:
            raise RuntimeError("can't start new thread")
        start(thread)

    _begin(worker)
    threading.Thread.start = scarce
"""
"""What a limit on threads does, for a user whom the system's own does not bind (root)."""


@pytest.fixture
def procfile_web(tmp_path: Path) -> list[str]:
    """The command of the Procfile, in a process that gets 12 threads."""
    command = shlex.split(procfile()["web"])
    place = command.index("--config") + 1
    config = tmp_path / "scarce.py"
    config.write_text(SCARCE.format(path=str(ROOT / command[place]), most=12))
    command[place] = str(config)
    return command


def test_more_clients_than_threads(
    redis_server: RedisServer, tmp_path: Path, port: int, procfile_web: list[str]
) -> None:
    """Whoever comes when the system gives no more threads waits for one of those there are; the worker lives on."""
    with Vendors() as vendors:
        environment = worker_environment(redis_server.url, vendors) | {"PORT": str(port), "WEB_CONCURRENCY": "1"}
        process = start("web", procfile_web, tmp_path, environment)
        address = ("127.0.0.1", port)
        try:
            poll(lambda: is_served(port, process), 20, "web serves")
            before = workers_of(process)
            with stalled(address, HEAD_WITHOUT_BODY):
                poll(lambda: "out of threads" in process.text(), 10, "no thread is left")
            poll(lambda: is_served(port, process), 20, "web serves again")
            assert_callers_are_served(address)
            assert workers_of(process) == before
        finally:
            process.terminate()
