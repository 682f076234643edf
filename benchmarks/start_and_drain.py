"""From the start of a web process to its first answered webhook, and from SIGTERM to its end, idle and under load.

The `web` command of the Procfile, against a real redis-server. The first webhook is a signed `/twilio/voice`, sent
again until it is answered. Under load, callers keep coming, each over a connection of its own, until nobody listens.
Connections that the kernel had taken and gunicorn had not are reset when the listener closes. A platform's router sends
new callers elsewhere before that; here there is none, so they are counted and told.

    python benchmarks/start_and_drain.py [--times 5]
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import requests

from benchmarks.figures import table
from benchmarks.stub_site import StubSite
from tests.e2e.harness import ACCOUNT_SID, CUSTOMER, NUMBER
from tests.e2e.processes import poll
from tests.e2e.signing import post_signed

CALLERS = 8


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--times", type=int, default=5, help="of each (default 5)")
    options = asked.parse_args()
    starts, idle, loaded, answered, lost = [], [], [], 0, 0
    with StubSite() as site:
        for _ in range(options.times):
            idle.append(_ended_s(site))
            starts.append(_started_s(site))
            seconds, counts = _ended_under_load(site)
            loaded.append(seconds)
            answered, lost = answered + counts[0], lost + counts[1]
            _started_s(site)
    rows = [
        ("start to first answered webhook", statistics.median(starts), max(starts)),
        ("SIGTERM to end, idle", statistics.median(idle), max(idle)),
        ("SIGTERM to end, under load", statistics.median(loaded), max(loaded)),
    ]
    table(f"A web process of the Procfile, {options.times} times", ("", "median s", "most s"), rows)
    print(f"under load {answered:,} callers were answered; reset in the kernel's queue: {lost}")
    return 0


def _started_s(site: StubSite) -> float:
    began = time.monotonic()
    site.start_service("web")
    poll(lambda: _is_answered(site), 30, "the first webhook is answered")
    return time.monotonic() - began


def _ended_s(site: StubSite) -> float:
    began = time.monotonic()
    site.process("web").popen.terminate()
    site.process("web").popen.wait(30)
    return time.monotonic() - began


def _ended_under_load(site: StubSite) -> tuple[float, tuple[int, int]]:
    answered: list[int] = []
    lost: list[Exception] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                _ring(site)
                answered.append(1)
            except requests.exceptions.ConnectionError as error:
                if "refused" in str(error).lower():
                    return
                lost.append(error)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    poll(lambda: len(answered) > 10 * CALLERS, 30, "callers are being answered")
    seconds = _ended_s(site)
    over.set()
    for caller in callers:
        caller.join()
    return seconds, (len(answered), len(lost))


def _is_answered(site: StubSite) -> bool:
    with contextlib.suppress(requests.exceptions.ConnectionError):
        return _ring(site)
    return False


def _ring(site: StubSite) -> bool:
    form = {
        "AccountSid": ACCOUNT_SID,
        "CallSid": f"CA{secrets.token_hex(16)}",
        "From": CUSTOMER,
        "To": NUMBER,
        "Direction": "inbound",
        "CallStatus": "ringing",
    }
    return post_signed(site, "/twilio/voice", form, keep_alive=False).ok


if __name__ == "__main__":
    sys.exit(main())
