"""What a call costs over its whole life, measured, and what that comes to for many of them, on paper.

Measured on the processes of the Procfile with both emulators: a number of calls of one story (two holds) run side by
side; afterwards the processor time of web, worker and Redis, the memory that Redis keeps, and the requests to the
vendors are divided by the number of calls. What the same processes use while nothing happens is taken off. Then plain
arithmetic: so many arrivals a second and so many live calls need so much of each, and the first that runs out is named.

    python benchmarks/capacity.py [--calls 60] [--arrivals 1000] [--live 100000]

Linux only: processor times come from /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.store.connect import connect
from orchestrator.store.keys import Keys
from orchestrator.store.reading import CallReader
from tests.e2e.harness import Site
from tests.e2e.processes import Process

STORY = "two_holds"
SIDE_BY_SIDE = 12
BUSY = 0.6
"""Of a core that may be used steadily: what is above it makes queues."""
VENDOR_S = 0.1
"""A vendor's answer, for how many threads wait on one (emulators answer in a few milliseconds)."""
ASAPP_RPS, TWILIO_PLACES, READS_RPS = 100.0, 50.0, 50.0
AUDIT_S = 60.0
GIB, DAY_S = 2**30, 86_400


@dataclass(frozen=True)
class Seen:
    """Totals at one moment."""

    at: float
    web_s: float
    worker_s: float
    redis_s: float
    redis_bytes: float
    redis_commands: float
    requests: float
    asapp: float
    twilio: float


@dataclass(frozen=True)
class Cost:
    """Of one call, from its first webhook to its archive document."""

    web_ms: float
    worker_ms: float
    redis_ms: float
    kept_kib: float
    redis_commands: float
    requests: float
    asapp: float
    twilio: float
    counted_us: float
    """A live call's part in one look at /metrics, which counts the calls by state."""


@dataclass(frozen=True)
class Row:
    """One thing that may run out: how much is needed, and how much one of it carries."""

    what: str
    load: str
    carries: str
    needed: float
    cure: str


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--calls", type=int, default=60, help="measured (default 60)")
    asked.add_argument("--arrivals", type=float, default=1000.0, help="calls per second on paper (default 1000)")
    asked.add_argument("--live", type=int, default=100_000, help="live calls on paper (default 100,000)")
    options = asked.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    cost = measure(options.calls)
    print(f"\nOne call ({STORY}), over {options.calls} calls:\n")
    print(f"  web          {cost.web_ms:8.1f} ms of a core, {cost.requests:.0f} requests")
    print(f"  worker       {cost.worker_ms:8.1f} ms of a core")
    print(f"  Redis        {cost.redis_ms:8.1f} ms of a core, {cost.redis_commands:.0f} commands")
    print(f"  kept         {cost.kept_kib:8.1f} KiB in Redis, timeline and utterances included")
    print(f"  to ASAPP     {cost.asapp:8.1f} requests\n  to Twilio    {cost.twilio:8.1f} requests")
    print(f"  /metrics     {cost.counted_us:8.1f} us of each look, while it lives")
    for arrivals, live in ((1.0, 300), (10.0, 3_000), (100.0, 20_000), (options.arrivals, options.live)):
        print_rows(arrivals, live, rows(cost, arrivals, live))


def measure(calls: int) -> Cost:
    """Plays the calls; returns what one of them cost."""
    with Site() as site, contextlib.closing(site.redis()):
        warm = [site.play(STORY)]
        began = look(site)
        time.sleep(15.0)  # what nothing costs
        idle = look(site)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            played = list(pool.map(site.play, [STORY] * calls))
        time.sleep(10.0)  # the archive's first document, and counts handed over
        ended = look(site)
        counted_us = count_us(site, [each.call_sid for each in (*warm, *played)])
    rest = (ended.at - idle.at) / (idle.at - began.at)

    def each(name: str) -> float:
        used = getattr(ended, name) - getattr(idle, name)
        return float(used - rest * (getattr(idle, name) - getattr(began, name))) / calls

    return Cost(
        web_ms=1000 * each("web_s"),
        worker_ms=1000 * each("worker_s"),
        redis_ms=1000 * each("redis_s"),
        kept_kib=(ended.redis_bytes - idle.redis_bytes) / 1024 / calls,
        redis_commands=each("redis_commands"),
        requests=each("requests"),
        asapp=each("asapp"),
        twilio=each("twilio"),
        counted_us=counted_us,
    )


def count_us(site: Site, sids: list[str]) -> float:
    """Loading calls, again and again, as /metrics does with those that live."""
    many = sids * (2000 // len(sids) + 1)
    with contextlib.closing(connect(site.redis_url)) as client:
        reader = CallReader(client, Keys())
        began = time.perf_counter()
        loaded = reader.load_many(many)
        assert len(loaded) == len(many)
        return (time.perf_counter() - began) / len(many) * 1e6


def look(site: Site) -> Seen:
    with contextlib.closing(site.redis()) as redis:
        info = redis.info()
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(site.metrics()):
        for sample in family.samples:
            name = sample.name + sample.labels.get("provider", "")
            counts[name] = counts.get(name, 0.0) + sample.value
    return Seen(
        at=time.monotonic(),
        web_s=cpu_s(site.process("web")),
        worker_s=cpu_s(site.process("worker")),
        redis_s=info["used_cpu_user"] + info["used_cpu_sys"],
        redis_bytes=info["used_memory"],
        redis_commands=info["total_commands_processed"],
        requests=counts.get("orchestrator_webhook_seconds_count", 0.0),
        asapp=counts.get("orchestrator_provider_requests_totalasapp", 0.0),
        twilio=counts.get("orchestrator_provider_requests_totaltwilio", 0.0),
    )


def cpu_s(process: Process) -> float:
    """Of a process and the children that it has now."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == process.pid:  # its process group is its own
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rows(cost: Cost, arrivals: float, live: int) -> list[Row]:
    """Everything that may run out, at these figures."""
    masters = arrivals * cost.redis_ms / 1000 / BUSY
    asapp, reads = arrivals * cost.asapp, live / AUDIT_S
    week, day = (live + arrivals * days * DAY_S for days in (7, 1))
    threads = arrivals * (cost.asapp + cost.twilio) * VENDOR_S
    return [
        Row("ASAPP's requests", f"{asapp:,.0f}/s", f"{ASAPP_RPS:g}/s", asapp / ASAPP_RPS, "a higher limit from ASAPP"),
        Row(
            "Twilio's concurrency",
            f"{arrivals * cost.twilio * VENDOR_S:,.0f} at once",
            f"{TWILIO_PLACES:g}",
            arrivals * cost.twilio * VENDOR_S / TWILIO_PLACES,
            "a higher limit, TWILIO_MAX_CONCURRENCY",
        ),
        Row(
            "regular looks at Twilio",
            f"{reads:,.0f}/s",
            f"{READS_RPS:g}/s",
            reads / READS_RPS,
            "looks come further apart",
        ),
        Row("Redis, a core each", f"{masters * BUSY:,.1f} cores", f"{BUSY:g}", masters, "more masters, REDIS_SHARDS"),
        Row("memory, 7 days kept", f"{week * cost.kept_kib / 2**20:,.0f} GiB", "", 0, "CALL_TTL_DAYS, an archive"),
        Row("memory, 1 day kept", f"{day * cost.kept_kib / 2**20:,.0f} GiB", "", 0, "more masters"),
        Row(
            "web cores",
            f"{arrivals * cost.web_ms / 1000:,.1f}",
            f"{BUSY:g}",
            arrivals * cost.web_ms / 1000 / BUSY,
            "more web",
        ),
        Row(
            "worker cores",
            f"{arrivals * cost.worker_ms / 1000:,.1f}",
            f"{BUSY:g}",
            arrivals * cost.worker_ms / 1000 / BUSY,
            "more workers",
        ),
        Row(
            "a look at /metrics",
            f"{live * cost.counted_us / 1e6:,.1f} s",
            "5",
            live * cost.counted_us / 5e6,
            "see the page",
        ),
        Row("worker threads", f"{threads:,.0f}", "16", threads / 16, "more workers, WORKER_THREADS"),
    ]


def print_rows(arrivals: float, live: int, found: list[Row]) -> None:
    print(f"\n{arrivals:g} calls/s, {live:,} live:\n")
    print(f"  {'what':26}{'load':>16}{'one carries':>14}{'needed':>9}   more by")
    for row in found:
        needed = f"{row.needed:9.1f}" if row.carries else " " * 9
        print(f"  {row.what:26}{row.load:>16}{row.carries:>14}{needed}   {row.cure}")
    limits = [row for row in found if row.what.startswith(("ASAPP", "Twilio"))]
    first = max(limits, key=lambda row: row.needed)
    print(f"  of what machines cannot be added for, first: {first.what} ({first.needed:.2f} of it)")


if __name__ == "__main__":
    main()
