"""How many transcript messages a core takes in, beside a bare Flask view that does the least.

Both run as the Procfile runs `web`: the same gunicorn, the same settings, one process, a real redis-server. The bare
view parses the same JSON and writes one entry to Redis; ours also authenticates, validates, knows repeated, late and
forgotten messages, and counts. Throughput is messages per second of processor time of the web process (user and
system), so that whoever else uses the machine, the sender included, does not count. Rounds alternate; the medians and
their ratio are printed.

    python benchmarks/ingest.py [--messages 3000] [--rounds 5]

Exit 1 when the goal is missed with `--strict`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shlex
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1]))

import redis as redis_py
from flask import Flask, Response, request

from orchestrator.web import streams
from tests.e2e.processes import Process, free_port, poll, procfile, start
from tests.integration.conftest import start_redis

RATIO_GOAL = 0.5
"""Ours does far more; it should still be half as fast as the least that is possible with this framework."""

CALLS, CONNECTIONS = 200, 8
SECRET = "fake-webhook-secret"
BARE = "benchmarks.ingest:bare()"
_UPKEEP = ("EVAL", "TIME", "HELLO", "PUBLISH")
"""Counts handed over every two seconds, the clock looked at every thirty, and our own: not of one message."""
_TICKS = os.sysconf("SC_CLK_TCK")


def bare() -> Flask:
    """The least: parse, write, answer."""
    app = Flask("bare")
    store = redis_py.Redis.from_url(os.environ["REDIS_URL"])
    app.extensions["orchestrator"] = SimpleNamespace(settings=SimpleNamespace(inline_worker_threads=0))
    app.extensions[streams.KEY] = SimpleNamespace(limit=lambda _: None, stop=lambda _: None)

    @app.post("/asapp/transcripts")
    def transcripts() -> Response:
        message = request.get_json()
        store.hset(f"bare:{message['externalConversationId']}", str(message["autotranscribeResponse"]["start"]), "1")
        return Response(status=200)

    return app


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--messages", type=int, default=3000, help="per round (default 3,000)")
    asked.add_argument("--rounds", type=int, default=5, help="of each, in turns (default 5)")
    asked.add_argument("--strict", action="store_true", help="exit 1 when the goal is missed")
    options = asked.parse_args()
    numbers = itertools.count()
    figures: dict[str, list[float]] = {"bare": [], "ours": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ingest-")))
        redis = start_redis(folder)
        stack.callback(redis.end)
        ours = shlex.split(procfile()["web"])
        servers = {"bare": [*(word for word in ours if "create_app" not in word), BARE], "ours": ours}
        running = {name: _serving(name, command, folder, redis.url, stack) for name, command in servers.items()}
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        for _ in range(options.rounds + 1):  # the first round of each warms up
            for name, (process, port) in running.items():
                before = _processor_s(process)
                _send(port, [next(numbers) for _ in range(options.messages)])
                figures[name].append(options.messages / (_processor_s(process) - before))
        commands = _round_trips(redis.url, running["ours"][1], next(numbers))
    medians = {name: statistics.median(rows[1:]) for name, rows in figures.items()}
    for name, rows in figures.items():
        spread = f"{min(rows[1:]):,.0f} to {max(rows[1:]):,.0f}"
        print(f"{name}: {medians[name]:,.0f} messages per second and core (median of {options.rounds}; {spread})")
    ratio = medians["ours"] / medians["bare"]
    print(f"ours / bare: {ratio:.2f} (goal {RATIO_GOAL}); commands to Redis for one message: {commands}")
    return int(options.strict and ratio < RATIO_GOAL)


def _serving(name: str, command: list[str], folder: Path, redis_url: str, stack: ExitStack) -> tuple[Process, int]:
    port = free_port()
    (folder / "profiles.toml").write_text('[default]\nroute = "conference"\n')
    environment = {
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "ASAPP_API_ID": "fake-id",
        "ASAPP_API_SECRET": "fake-secret",
        "TRANSCRIPT_WEBHOOK_SECRET": SECRET,
        "ORCHESTRATOR_CONFIG": str(folder / "profiles.toml"),
        "LOG_FORMAT": "json",
    }
    process = start(name, command, folder, environment)
    stack.callback(process.terminate)
    try:
        poll(lambda: _is_open(port) and _workers(process), 20, f"{name} serves")
    except AssertionError:
        sys.stderr.write(process.tail())
        raise
    return process, port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _workers(process: Process) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def _processor_s(process: Process) -> float:
    """Of gunicorn's worker, so far."""
    (worker,) = _workers(process)
    fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _send(port: int, numbers: list[int]) -> None:
    """All messages, over some connections at a time; every one has to be answered 200."""
    faults: list[str] = []

    def run(mine: list[int]) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            for text in _requests(mine):
                line.sendall(text)
                answer = line.recv(65_536)
                if not answer.startswith(b"HTTP/1.1 200 "):
                    faults.append(answer[:60].decode())
                    return

    threads = [threading.Thread(target=run, args=(numbers[first::CONNECTIONS],)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults


def _requests(numbers: list[int]) -> Iterator[bytes]:
    """As ASAPP sends them, each another utterance."""
    for number in numbers:
        body = (
            f'{{"type": "transcript", "externalConversationId": "CA{number % CALLS:032x}", "streamId": "fake-stream-1",'
            ' "sender": {"externalId": "customer-7", "role": "customer"}, "autotranscribeResponse": {"message":'
            f' "transcript", "start": {number * 10}, "end": {number * 10 + 3000}, "utterance": [{{"text": "I would like'
            f' to change the address of my order number {number}, please."}}]}}}}'
        )
        yield (
            "POST /asapp/transcripts HTTP/1.1\r\nHost: calls.example.com\r\nContent-Type: application/json\r\n"
            f"asapp-webhook-secret: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def _round_trips(redis_url: str, port: int, number: int) -> int:
    """What our process asks of Redis for one message, as Redis itself sees it."""
    with redis_py.Redis.from_url(redis_url) as client:
        _send(port, [number])
        time.sleep(0.1)
        with client.monitor() as seen:
            _send(port, [number + 1])
            client.publish("fake-end", "")
            rows = []
            for row in seen.listen():
                if "fake-end" in row["command"]:
                    break
                rows.append(row)
        words = [row["command"].split()[0].upper() for row in rows if row["client_type"] != "lua"]
        return sum(word not in _UPKEEP for word in words)


if __name__ == "__main__":
    sys.exit(main())
