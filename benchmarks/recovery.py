"""How soon what broke is right again, on the processes of the Procfile with a second worker, and both emulators.

    stream     a media stream breaks: until ASAPP has accepted the new start; and the part of it that was ours
               (ASAPP finds a stream at once here; if it takes a while, that comes on top)
    worker     kill -9 of the worker that holds a call: until another asks ASAPP about that call
    outage     ASAPP answers 503 and drops all streams for a while: until each talking call is transcribed again
    storm      all calls lose their streams in a second: until each is transcribed again; holds of others meanwhile

    python benchmarks/recovery.py [--only storm] [--breaks 40] [--kills 8] [--outage-s 60 --talking 200] [--storm 1000]

Emulated time goes slowly where many calls talk (the emulators send every frame of audio, and share this machine with
what is measured), so their figures are those of a busy machine. The wall clock is measured in all of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.harness import CUSTOMER, NUMBER, Site
from tests.e2e.herd import Herd
from tests.e2e.processes import poll
from tests.e2e.recovery import outage, storm, stream_breaks, worker_dies
from tests.e2e.world import CallSeen

BYSTANDERS = 8
STARTS_S = 30.0
FRAMES_PER_S = 2_000.0
"""Of all calls together: what the emulators can send beside everything else on a small machine."""
_REAL_FRAMES_PER_S = 100.0
_ENVIRONMENT = {"LOG_LEVEL": "warning", "WEB_CONCURRENCY": "2"}


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--only", choices=["stream", "worker", "outage", "storm"], help="one of the four")
    asked.add_argument("--breaks", type=int, default=40, help="streams that break, one after another (default 40)")
    asked.add_argument("--kills", type=int, default=8, help="workers that are killed (default 8)")
    asked.add_argument("--outage-s", type=float, default=60.0, help="how long ASAPP is away (default 60)")
    asked.add_argument("--talking", type=int, default=200, help="calls that talk through the outage (default 200)")
    asked.add_argument("--storm", type=int, default=1000, help="calls that lose their streams at once (default 1000)")
    options = asked.parse_args()
    print(f"{_machine()}; load {os.getloadavg()[0]:.2f} at the start")
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "stream": _stream,
        "worker": _worker,
        "outage": _outage,
        "storm": _storm,
    }
    for name, measure in parts.items():
        if options.only in {None, name}:
            measure(options)
    return 0


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _site(calls: int) -> Site:
    """So slow that all calls together send no more audio than the emulators can."""
    speed = min(1.0, FRAMES_PER_S / (_REAL_FRAMES_PER_S * calls))
    return Site(speed=speed, environment=_ENVIRONMENT)


def _talk(site: Site) -> CallSeen:
    call = CallSeen(site, site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
    site.twilio(f"calls/{call.sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    return call


def _stream(options: argparse.Namespace) -> None:
    with _site(1) as site:
        site.start_service("worker")
        # A new call for each: after ten restarts within five minutes a call gives its stream up.
        site.asapp("switches", {"stream-known-after-ms": 0, "start-before-media": "accept"})
        found = []
        for _ in range(options.breaks):
            call = _talk(site)
            found.append(stream_breaks(call))
            site.twilio(f"calls/{call.sid}/hangup", {})
    _row("stream breaks, until transcribed again", [each.total_s for each in found])
    _row("  of that not spent waiting for vendors", [each.ours_s for each in found])


def _worker(options: argparse.Namespace) -> None:
    with Site(speed=1.0) as site:
        site.start_service("worker")
        call, found = _talk(site), []
        for _ in range(options.kills):
            living = [each for each in site.processes if each.name.startswith("worker") and each.popen.poll() is None]
            found.append(worker_dies(call, living))
            fresh = site.start_service("worker")
            poll(lambda fresh=fresh: "worker-started" in fresh.text(), STARTS_S, "it works")  # type: ignore[misc]
    _row("worker killed, until another has its call", found)


def _outage(options: argparse.Namespace) -> None:
    with _site(options.talking) as site:
        site.start_service("worker")
        herd = Herd(site)
        herd.gather(options.talking, 60 + options.talking / 2)
        _row(
            f"ASAPP away for {options.outage_s:g} s, {options.talking} calls, from its return",
            outage(herd, options.outage_s, 120),
        )


def _storm(options: argparse.Namespace) -> None:
    with _site(options.storm + BYSTANDERS) as site:
        site.start_service("worker")
        others, herd = Herd(site), Herd(site)
        others.gather(BYSTANDERS, 60)
        herd.gather(options.storm, 60 + options.storm / 2)
        told = storm(herd, others.sids, 60 + options.storm / 2)
    tenth = max(1, len(told.back_s) // 10)
    _row(f"{options.storm} streams lost within {told.broken_within_s:.1f} s", told.back_s)
    _row("  the tenth of the newest talks", told.back_s[-tenth:])
    _row("  the tenth of the oldest talks", told.back_s[:tenth])
    _row("  holds of others meanwhile, until the stop", told.holds_s)
    print(f"  at most {told.most_requests_in_a_second} requests to ASAPP within a second")


def _row(name: str, figures: list[float]) -> None:
    cuts = statistics.quantiles(figures, n=100, method="inclusive") if len(figures) > 1 else figures * 99
    middle, p99 = cuts[49], cuts[98]
    print(f"{name:<58} {len(figures):>5}   median {_time(middle)}   99 % {_time(p99)}   most {_time(max(figures))}")


def _time(figure_s: float) -> str:
    return f"{1000 * figure_s:7.1f} ms" if figure_s < 1 else f"{figure_s:7.2f} s "


if __name__ == "__main__":
    sys.exit(main())
