"""What an operation costs with 1,000, 10,000 and 50,000 live calls in the store, and what a call takes in memory.

A call that has talked, been held twice and talks again (17 events) is made by the store itself and then copied
key by key under other Call SIDs, each with its entry in the lists and a look that is due later. Then, on calls picked
at random: a commit, a claim with its release, a page of the newest calls; and how many held calls a second one worker
process stops at vendors that answer at once. Cost per operation must not grow with the number of calls, and memory
only in proportion.

    python benchmarks/scale.py [--calls 1000,10000,50000] [--operations 2000]
"""

from __future__ import annotations

import argparse
import contextlib
import random
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import percentile, table
from benchmarks.stub_site import StubSite, agent_comes, waiting_call
from orchestrator.core import events as e
from orchestrator.core.desired import state_of
from orchestrator.services import Services
from tests.e2e.processes import poll

STOPPED_AT_ONCE = 1_000
GOAL_BYTES = 6 * 1024
_HOUR_MS = 3_600_000


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--calls", default="1000,10000,50000", help="sizes, rising (default 1000,10000,50000)")
    asked.add_argument("--operations", type=int, default=2000, help="measured of each kind (default 2000)")
    options = asked.parse_args()
    sizes = [int(size) for size in options.calls.split(",")]
    with StubSite(environment={"ASAPP_MAX_RPS": "10000"}) as site, contextlib.closing(site.services()) as services:
        print("each row: median / 99th percentile in µs")
        template, rows = _talked(services), []
        site.process("worker").terminate()
        calls: list[str] = []
        bytes_each = 0.0
        for size in sizes:
            before, added = _used_bytes(services), size - len(calls)
            calls += _copied(services, template, added)
            bytes_each = (_used_bytes(services) - before) / added
            rows.append((size, *_measured(site, services, calls, options.operations), bytes_each))
    head = ("live calls", "commit", "claim, release", "page of 50", "stops/s by one worker", "bytes a call")
    table("The store by number of live calls", head, rows)
    print(f"memory goal under {GOAL_BYTES:,} bytes a call: {'met' if bytes_each < GOAL_BYTES else 'missed'}")
    return 0


def _talked(services: Services) -> str:
    """A call as it is after a while, carried out by the worker."""
    sid = waiting_call(services)
    agent_comes(services, sid)
    _reaches(services, sid, "transcribing")
    for kind, state in ((e.HoldReported, "paused"), (e.UnholdReported, "transcribing")) * 2:
        services.store.apply(sid, kind(at=services.clock.now_ms()))
        _reaches(services, sid, state)
    return sid


def _reaches(services: Services, sid: str, state: str) -> None:
    poll(lambda: (call := services.store.load(sid)) is not None and state_of(call) == state, 20, f"the call is {state}")


def _copied(services: Services, template: str, count: int) -> list[str]:
    keys, redis = services.store.keys, services.redis
    old = keys.of(template)
    document = redis.execute_command("HGETALL", old.document)
    timeline = redis.execute_command("DUMP", old.timeline)
    ttl_ms = services.settings.call_ttl_days * 24 * _HOUR_MS
    now, made = services.clock.now_ms(), []
    for _ in range(count):
        sid = f"CA{secrets.token_hex(16)}"
        new = keys.of(sid)
        fields = [part if isinstance(part, bytes) else str(part) for pair in document.items() for part in pair]
        fields = [part.replace(template.encode(), sid.encode()) for part in map(_bytes, fields)]
        redis.execute_command("HSET", new.document, *fields)
        redis.execute_command("PEXPIRE", new.document, ttl_ms)
        redis.execute_command("RESTORE", new.timeline, ttl_ms, timeline)
        redis.execute_command("ZADD", keys.live(new.shard), now, sid)
        redis.execute_command("ZADD", keys.recent(new.shard), now, sid)
        redis.execute_command("ZADD", keys.queue("calls", new.shard).due, now + _HOUR_MS, sid)
        made.append(sid)
    return made


def _bytes(part: bytes | str) -> bytes:
    return part if isinstance(part, bytes) else part.encode()


def _measured(site: StubSite, services: Services, calls: Sequence[str], count: int) -> tuple[object, ...]:
    picked = random.sample(calls, min(count, len(calls)))
    at = services.clock.now_ms()

    def commit(sid: str) -> None:
        services.store.apply(sid, e.UtterancesHeard(at=at, until=at + random.randrange(1, 10**6)))

    commits = _timed(commit, picked)
    for sid in picked:
        services.queue.mark(sid, at - 1_000)

    def claim(_: str) -> None:
        claimed = services.queue.claim("bench")
        assert claimed is not None
        services.queue.release(claimed, at + _HOUR_MS)

    claims = _timed(claim, picked)
    pages = _timed(lambda _: services.store.list(limit=50, cursor=None, where=lambda _: True), picked[:100])
    return (
        *(f"{statistics.median(us):,.0f} / {percentile(us, 99):,.0f}" for us in (commits, claims, pages)),
        _stops_per_s(site, services, calls),
    )


def _timed(operation: Callable[[str], object], calls: Sequence[str]) -> list[float]:
    """Microseconds of each."""
    figures = []
    for sid in calls:
        began = time.perf_counter()
        operation(sid)
        figures.append(1e6 * (time.perf_counter() - began))
    return figures


def _stops_per_s(site: StubSite, services: Services, calls: Sequence[str]) -> float:
    """Held at once, then worked off by one worker process with its default threads."""
    held = random.sample(calls, min(STOPPED_AT_ONCE, len(calls)))
    for sid in held:
        services.store.apply(sid, e.HoldReported(at=services.clock.now_ms()))
    before = sum(map(len, site.arrivals("stop-streaming").values()))
    worker = site.start_service("worker")

    def arrived() -> int:
        return sum(map(len, site.arrivals("stop-streaming").values())) - before

    poll(lambda: arrived() > 0, 30, "the worker has begun")
    began, first = time.monotonic(), arrived()
    poll(lambda: arrived() >= len(held), 120, "all held calls were stopped")
    rate = (len(held) - first) / (time.monotonic() - began)
    for sid in held:  # as they were, for the next size
        services.store.apply(sid, e.UnholdReported(at=services.clock.now_ms()))
    for sid in held:
        _reaches(services, sid, "transcribing")
    worker.terminate()
    return rate


def _used_bytes(services: Services) -> float:
    memory = services.redis.execute_command("INFO", "memory")
    return float(memory["used_memory"])


if __name__ == "__main__":
    sys.exit(main())
