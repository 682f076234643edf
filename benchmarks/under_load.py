"""From a hold to `stop-streaming` at ASAPP's door, under load: a steady stream of events, and a backlog of starts.

`steady`: holds and unholds reported by the desktop API at a fixed rate over many calls. `backlog`: thousands of calls
wait for their start, more than ASAPP's requests per second allow, while holds come in on others; a stop must not
queue behind them. Measured from the moment of sending to the arrival at the vendor, over the processes of the
Procfile, a real redis-server and vendors that answer at once (a start takes 100 ms in the backlog).

    python benchmarks/under_load.py [--rate 100] [--seconds 15] [--backlog 5000]

Goals on two idle cores: steady median 5 ms and 99th percentile 20 ms at 100 events a second; backlog 99th percentile
100 ms. Exit 1 when a goal is missed with `--strict`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import percentile, table
from benchmarks.stub_site import StubSite, agent_comes, waiting_call
from orchestrator.services import Services
from tests.e2e.processes import poll

STOP, START = "stop-streaming", "start-streaming"
SENDERS = 8
CALLS = 100
ENVIRONMENT = {"AGENT_API_RPS": "1000"}


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--rate", type=int, default=100, help="events a second (default 100)")
    asked.add_argument("--seconds", type=int, default=15, help="of each series (default 15)")
    asked.add_argument("--backlog", type=int, default=5000, help="calls that wait for their start (default 5000)")
    asked.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    options = asked.parse_args()
    steady = _steady(options.rate, options.seconds)
    backlog = _backlog(options.backlog, options.seconds)
    rows = [
        (f"steady, {options.rate} events/s", *_figures(steady), "5 / 20"),
        (f"backlog of {options.backlog:,} starts", *_figures(backlog), "- / 100"),
    ]
    table(
        "Hold to stop-streaming at ASAPP",
        ("series", "holds", "p50 ms", "p90 ms", "p99 ms", "most ms", "goal p50 / p99"),
        rows,
    )
    is_met = percentile(steady, 50) <= 5 and percentile(steady, 99) <= 20 and percentile(backlog, 99) <= 100
    print(f"goals {'met' if is_met else 'missed'}")
    return 0 if is_met or not options.strict else 1


def _figures(ms: Sequence[float]) -> tuple[int, float, float, float, float]:
    return len(ms), statistics.median(ms), percentile(ms, 90), percentile(ms, 99), max(ms)


def _steady(rate: int, seconds: int) -> list[float]:
    with (
        StubSite(environment={"ASAPP_MAX_RPS": "1000", **ENVIRONMENT}) as site,
        contextlib.closing(site.services()) as services,
    ):
        calls = _transcribing(site, services, CALLS)
        sent = _sent_at_a_rate(site, calls, rate, seconds)
        return _ms_to_stop(site, sent)


def _backlog(count: int, seconds: int) -> list[float]:
    with StubSite(start_ms=100, environment=ENVIRONMENT) as site, contextlib.closing(site.services()) as services:
        calls = _transcribing(site, services, CALLS)
        waiting = [waiting_call(services) for _ in range(count)]
        for sid in waiting:
            agent_comes(services, sid)
        sent = _sent_at_a_rate(site, calls, 10, min(seconds, 10), is_resumed=False)
        assert len(site.arrivals(START)) < count + CALLS, "the backlog was worked off before the holds were over"
        return _ms_to_stop(site, sent)


def _transcribing(site: StubSite, services: Services, count: int) -> list[str]:
    calls = [waiting_call(services) for _ in range(count)]
    for sid in calls:
        agent_comes(services, sid)
    poll(lambda: len(site.arrivals(START)) == count, 60, "all are being transcribed")
    return calls


def _sent_at_a_rate(
    site: StubSite, calls: Sequence[str], rate: int, seconds: int, *, is_resumed: bool = True
) -> dict[str, list[float]]:
    """Holds, and unholds of the same calls in the next turn; when each hold was sent, by call."""
    kinds = ("hold", "unhold") if is_resumed else ("hold",)
    plan = [(kind, sid) for kind in kinds for sid in calls]
    events = list(
        itertools.islice(itertools.cycle(plan), rate * seconds if is_resumed else min(rate * seconds, len(calls)))
    )
    began, sent, turn = time.time() + 0.2, {sid: [] for sid in calls}, itertools.count()  # type: ignore[var-annotated]
    failed: list[Exception] = []

    def send() -> None:
        try:
            while (number := next(turn)) < len(events):
                kind, sid = events[number]
                time.sleep(max(0.0, began + number / rate - time.time()))
                at = time.time()
                site.api(f"/calls/{sid}/events", {"type": kind})
                if kind == "hold":
                    sent[sid].append(at)
        except Exception as error:  # noqa: BLE001  told below, in the thread that waits
            failed.append(error)

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert not failed, failed
    return sent


def _ms_to_stop(site: StubSite, sent: dict[str, list[float]]) -> list[float]:
    def found() -> list[float]:
        stops = site.arrivals(STOP)
        return [
            1000 * (next((at for at in stops.get(sid, []) if at > began), float("inf")) - began)
            for sid, times in sent.items()
            for began in times
        ]

    poll(lambda: all(ms < float("inf") for ms in found()), 30, "every hold led to a stop")
    return found()


if __name__ == "__main__":
    sys.exit(main())
