"""What open event streams cost the voice webhook: one web process, with and without 500 followers, in turns.

490 followers each follow one agent's calls (a desktop), 10 follow everything (boards). Voice webhooks come at a steady
pace, each of a new call, so every one of them is an event for the feed. The same process answers without followers
in the turns between. Then all follow everything: how long after a report the last of them has heard of it.

    python benchmarks/sse.py [--streams 500] [--rate 40] [--turns 3] [--seconds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import platform
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

from tests.integration.conftest import start_redis
from tests.ports import free_port

BASE, TOKEN, KEY = "https://calls.example.com", "fake-token", "fake-key"
BOARDS = 10
SENDERS = 4
ROOT = Path(__file__).parents[1]


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--streams", type=int, default=500)
    asked.add_argument("--rate", type=int, default=40, help="voice webhooks a second (default 40)")
    asked.add_argument("--turns", type=int, default=3)
    asked.add_argument("--seconds", type=float, default=5.0, help="per turn")
    options = asked.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}; load {os.getloadavg()[0]:.2f}; {options.streams} streams, {options.rate} webhooks a second")
    without: list[float] = []
    beside: list[float] = []
    with served() as (port, pid):
        webhooks(port, options.rate, 1.0)
        empty = resident_mb(pid)
        for _ in range(options.turns):
            without += webhooks(port, options.rate, options.seconds)
            with Followers(port, options.streams, boards=BOARDS):
                beside += webhooks(port, options.rate, options.seconds)
                full = resident_mb(pid)
        with Followers(port, options.streams, boards=options.streams) as followers:
            spread = [followers.reached_all(port) for _ in range(20)]
    for name, figures in (("without", without), ("with", beside)):
        p50, p99 = at(figures, 50), at(figures, 99)
        print(f"voice webhook {name} streams: {len(figures)} requests, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    print(f"ratio: p50 {at(beside, 50) / at(without, 50):.2f}, p99 {at(beside, 99) / at(without, 99):.2f}")
    print(f"a report reached all followers after: median {statistics.median(spread):.1f} ms, most {max(spread):.1f} ms")
    print(f"memory of the process: {empty:.0f} MB before, {full:.0f} MB with the streams open")
    return 0


def at(figures: list[float], percent: int) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[percent - 1]


def resident_mb(pid: int) -> float:
    """Of the one web worker of this master."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    pages = max(int(Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()[1]) for child in children)
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@contextlib.contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Port and process id of a web process of its own, on a Redis of its own."""
    with tempfile.TemporaryDirectory() as folder:
        redis = start_redis(Path(folder))
        profiles = Path(folder) / "profiles.toml"
        profiles.write_text('[default]\nroute = "conference"\nstream_from = "agent-connect"\n', encoding="utf-8")
        port = free_port()
        environ = {
            "PATH": os.environ["PATH"],
            "PORT": str(port),
            "WEB_CONCURRENCY": "1",
            "REDIS_URL": redis.url,
            "PUBLIC_BASE_URL": BASE,
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
            "ASAPP_API_BASE_URL": "http://127.0.0.1:1",
            "ASAPP_API_ID": "fake-id",
            "ASAPP_API_SECRET": "fake-secret",
            "AGENT_API_KEYS": f"desk:{KEY}",
            "AGENT_API_RPS": "10000",
            "ORCHESTRATOR_CONFIG": str(profiles),
            "LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py", "orchestrator.web:create_app()"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ)
        try:
            until = time.monotonic() + 20
            while not answers(port):
                assert time.monotonic() < until
                time.sleep(0.05)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(30)
            redis.end()


def answers(port: int) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().status == 200
    except OSError:
        return False
    finally:
        line.close()


_serial = iter(range(10**9))
_validator = RequestValidator(TOKEN)


def webhooks(port: int, rate: int, seconds: float) -> list[float]:
    """Milliseconds each took, sent at a steady pace over kept connections, each from when it was due."""
    figures: list[float] = []
    began = time.perf_counter() + 0.05

    def send(sender: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for number in range(sender, int(rate * seconds), SENDERS):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            form = {"CallSid": f"CA{next(_serial):032x}", "From": "+15555550101", "To": "+15555550100"}
            form |= {"AccountSid": "AC" + "0" * 32, "CallStatus": "ringing", "Direction": "inbound"}
            signature = _validator.compute_signature(f"{BASE}/twilio/voice", form)
            headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
            sent = time.perf_counter()
            line.request("POST", "/twilio/voice", urlencode(form), headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status == 200
            figures.append((time.perf_counter() - sent) * 1000)
        line.close()

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return figures


class Followers:
    """Open streams that one thread reads and forgets; `boards` of them follow everything, the others one agent each."""

    def __init__(self, port: int, count: int, *, boards: int) -> None:
        paths = ["/stream" if number < boards else f"/stream?agent_id={number}" for number in range(count)]
        self._lines = [self._open(port, path) for path in paths]
        self._selector = selectors.DefaultSelector()
        self._wanted = b""
        self._seen: set[int] = set()
        self._is_over = False
        for line in self._lines:
            self._selector.register(line, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._read)

    @staticmethod
    def _open(port: int, path: str) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", port), timeout=10)
        line.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        told = b""
        while b"event: ready" not in told:
            told = told[-64:] + line.recv(65536)
        line.setblocking(False)
        return line

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._thread.join()
        for line in self._lines:
            line.close()

    def reached_all(self, port: int) -> float:
        """Milliseconds from a report until the last follower has heard of it."""
        sid = f"CA{next(_serial):032x}"
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._seen.clear()
        self._wanted = sid.encode()
        sent = time.perf_counter()
        line.request("POST", f"/api/v1/calls/{sid}/events", '{"type":"hold"}', {"Authorization": f"Bearer {KEY}"})
        line.getresponse().read()
        while len(self._seen) < len(self._lines):
            assert time.perf_counter() < sent + 10
            time.sleep(0.0005)
        line.close()
        return (time.perf_counter() - sent) * 1000

    def _read(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select(0.1):
                told = key.fileobj.recv(65536)  # type: ignore[union-attr]  # they are sockets
                if self._wanted and self._wanted in told:
                    self._seen.add(key.fd)


if __name__ == "__main__":
    sys.exit(main())
