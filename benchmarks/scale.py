"""What an operation costs with 1,000, 10,000 and 50,000 live calls in the store, and what a call takes in memory.

For each size there is a site of its own: a call that has talked, been held twice and talks again (17 events) is made
by the store itself and then copied key by key under other Call SIDs, each with its entry in the lists and a look that
is due later. Then, in turns and on calls picked at random: a commit, a claim with its release, a page of the newest
calls; and how many held calls a second one worker process stops at vendors that answer at once. Ratios are to the
smallest size in the same turn. Cost per operation must not grow with the number of calls, and memory only in
proportion.

    python benchmarks/scale.py [--calls 1000,10000,50000] [--operations 1000] [--turns 3]
"""

from __future__ import annotations

import argparse
import contextlib
import random
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import cpu_s, percentile, table
from benchmarks.stub_site import StubSite, agent_comes, waiting_call
from orchestrator.core import events as e
from orchestrator.core.desired import state_of
from orchestrator.services import Services
from tests.e2e.processes import poll

STOPPED_AT_ONCE = 1_000
GOAL_BYTES = 6 * 1024
OPERATIONS = ("commit", "claim, release", "page of 50")
_BATCH = 500
_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Filled:
    """A store with so many live calls, and its site, in which no worker runs."""

    site: StubSite
    services: Services
    calls: Sequence[str]
    bytes_each: float


@dataclass(frozen=True)
class Turn:
    """What one store showed once: microseconds of each kind of operation, and the worker's stops."""

    us: dict[str, list[float]]
    stops_per_s: float
    cpu_us_per_stop: float


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--calls", default="1000,10000,50000", help="sizes, rising (default 1000,10000,50000)")
    asked.add_argument("--operations", type=int, default=1000, help="measured of each kind and turn (default 1000)")
    asked.add_argument("--turns", type=int, default=3, help="of each size, interleaved (default 3)")
    options = asked.parse_args()
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(_filled(int(size))) for size in options.calls.split(",")]
        turns: list[list[Turn]] = [[] for _ in stores]
        for _ in range(options.turns):
            for store, seen in zip(stores, turns, strict=True):
                seen.append(_measured(store, options.operations))
        _print(stores, turns)
    return 0


@contextlib.contextmanager
def _filled(size: int) -> Iterator[Filled]:
    with StubSite(environment={"ASAPP_MAX_RPS": "10000"}) as site, contextlib.closing(site.services()) as services:
        template = _talked(services)
        site.process("worker").terminate()
        before = _used_bytes(services)
        calls = _copied(site, services, template, size)
        yield Filled(site, services, calls, (_used_bytes(services) - before) / size)


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
    poll(lambda: (call := services.store.load(sid)) is not None and state_of(call) == state, 60, f"the call is {state}")


def _copied(site: StubSite, services: Services, template: str, count: int) -> list[str]:
    keys, old, made = services.store.keys, services.store.keys.of(template), []
    ttl_ms, now = services.settings.call_ttl_days * 24 * _HOUR_MS, services.clock.now_ms()
    redis: Any = site.redis()
    with contextlib.closing(redis), redis.pipeline(transaction=False) as batch:
        document, timeline = redis.hgetall(old.document), redis.dump(old.timeline)
        for number in range(count):
            sid = f"CA{secrets.token_hex(16)}"
            new, began = keys.of(sid), now - number
            renamed = {name: value.replace(template.encode(), sid.encode()) for name, value in document.items()}
            batch.hset(new.document, mapping=renamed)
            batch.pexpire(new.document, ttl_ms)
            batch.restore(new.timeline, ttl_ms, timeline)
            batch.zadd(keys.live(new.shard), {sid: began})
            batch.zadd(keys.recent(new.shard), {sid: began})
            batch.zadd(keys.queue("calls", new.shard).due, {sid: now + _HOUR_MS})
            made.append(sid)
            if len(made) % _BATCH == 0:
                batch.execute()
        batch.execute()
    return made


def _measured(store: Filled, count: int) -> Turn:
    services = store.services
    picked = random.sample(store.calls, min(count, len(store.calls)))
    at = services.clock.now_ms()

    def commit(sid: str) -> None:
        services.store.apply(sid, e.UtterancesHeard(at=at, until=at + random.randrange(1, 10**6)))

    def claim(_: str) -> None:
        claimed = services.queue.claim("bench")
        assert claimed is not None
        services.queue.release(claimed, at + _HOUR_MS)

    commits = _timed(commit, picked)
    for sid in picked:
        services.queue.mark(sid, at - 1_000)
    claims = _timed(claim, picked)
    pages = _timed(lambda _: services.store.list(limit=50, cursor=None, where=lambda _: True), picked[:100])
    return Turn(dict(zip(OPERATIONS, (commits, claims, pages), strict=True)), *_stopped(store))


def _timed(operation: Callable[[str], object], calls: Sequence[str]) -> list[float]:
    """Microseconds of each."""
    figures = []
    for sid in calls:
        began = time.perf_counter()
        operation(sid)
        figures.append(1e6 * (time.perf_counter() - began))
    return figures


def _stopped(store: Filled) -> tuple[float, float]:
    """Held at once, then worked off by one worker process with its default threads: stops a second, CPU µs of each.

    While it works nobody asks the vendors, who share the processors; they say afterwards when each stop came.
    """
    services = store.services
    held = random.sample(store.calls, min(STOPPED_AT_ONCE, len(store.calls)))
    for sid in held:
        services.store.apply(sid, e.HoldReported(at=services.clock.now_ms()))
    began, urgent = time.time(), services.store.keys.queue("calls", 0).urgent

    def waiting() -> int:
        return int(services.redis.execute_command("ZCARD", urgent))

    worker = store.site.start_service("worker")
    poll(lambda: waiting() < len(held), 30, "the worker has begun")
    busy, left = cpu_s(worker.pid), waiting()
    poll(lambda: waiting() == 0, 120, "all held calls are being stopped")
    busy = cpu_s(worker.pid) - busy
    times = sorted(_arrived(store.site, began))
    for sid in held:  # as they were, for the next turn
        _reaches(services, sid, "paused")
        services.store.apply(sid, e.UnholdReported(at=services.clock.now_ms()))
    for sid in held:
        _reaches(services, sid, "transcribing")
    worker.terminate()
    return (len(times) - 1) / (times[-1] - times[0]), 1e6 * busy / left


def _arrived(site: StubSite, since: float) -> list[float]:
    return [at for times in site.arrivals("stop-streaming").values() for at in times if at > since]


def _used_bytes(services: Services) -> float:
    memory = services.redis.execute_command("INFO", "memory")
    return float(memory["used_memory"])


def _print(stores: Sequence[Filled], turns: Sequence[Sequence[Turn]]) -> None:
    costs, workers = [], []
    for store, seen in zip(stores, turns, strict=True):
        cells: list[object] = []
        for operation in OPERATIONS:
            us = [each for turn in seen for each in turn.us[operation]]
            ratio = _ratio(seen, turns[0], lambda turn, name=operation: statistics.median(turn.us[name]))  # type: ignore[misc]
            cells += [f"{statistics.median(us):,.0f} / {percentile(us, 99):,.0f}", f"{ratio:.2f}"]
        costs.append((len(store.calls), *cells, store.bytes_each))
        workers.append(
            (
                len(store.calls),
                statistics.median(turn.stops_per_s for turn in seen),
                f"{_ratio(seen, turns[0], lambda turn: turn.stops_per_s):.2f}",
                statistics.median(turn.cpu_us_per_stop for turn in seen),
                f"{_ratio(seen, turns[0], lambda turn: turn.cpu_us_per_stop):.2f}",
            )
        )
    smallest = f"to {len(stores[0].calls):,}"
    head = ("live calls", *(cell for name in OPERATIONS for cell in (f"{name}, µs", smallest)), "bytes a call")
    title = f"The store by number of live calls: median / 99th percentile, {len(turns[0])} turns"
    table(title, head, costs)
    table("One worker process", ("live calls", "stops/s", smallest, "CPU µs a stop", smallest), workers)
    met = "met" if max(store.bytes_each for store in stores) < GOAL_BYTES else "missed"
    print(f"memory goal under {GOAL_BYTES:,} bytes a call: {met}")


def _ratio(seen: Sequence[Turn], first: Sequence[Turn], figure: Callable[[Turn], float]) -> float:
    """To the smallest size in the same turn; the median of the turns."""
    return statistics.median(figure(ours) / figure(theirs) for ours, theirs in zip(seen, first, strict=True))


if __name__ == "__main__":
    sys.exit(main())
