"""From the start of a web process to its first answered webhook, and from SIGTERM to its end, idle and under load.

The `web` command of the Procfile, against a real redis-server; in turns with it a bare Flask view on the same gunicorn
(`plain.py`), which is what Python, Flask and gunicorn take by themselves. The first webhook is a signed
`/twilio/voice`, sent again until it is answered. Under load, callers keep coming, each over a connection of its own,
until nobody listens. Connections that the kernel had taken and gunicorn had not are reset when the listener closes. A
platform's router sends new callers elsewhere before that; here there is none, so they are counted and told.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import requests
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # twilio has no types

from benchmarks.figures import table
from benchmarks.references import start_reference
from benchmarks.stub_site import StubSite
from tests.e2e.harness import ACCOUNT_SID, AUTH_TOKEN, CUSTOMER, NUMBER
from tests.e2e.processes import Process, free_port, poll

CALLERS = 8


@dataclass
class Server:
    """One of the two, and what was measured of it: seconds by turn, and callers."""

    site: StubSite
    url: str
    start: Callable[[], Process]
    starts: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    answered: int = 0
    lost: int = 0

    def turn(self) -> None:
        """Starts it, ends it idle, starts it again, ends it under load."""
        process, seconds = self._started()
        self.starts.append(seconds)
        self.idle.append(_ended_s(process))
        process, _ = self._started()
        self.loaded.append(self._ended_under_load(process))

    def _started(self) -> tuple[Process, float]:
        began = time.monotonic()
        process = self.start()
        poll(self._is_answered, 30, "the first webhook is answered")
        return process, time.monotonic() - began

    def _is_answered(self) -> bool:
        with contextlib.suppress(requests.exceptions.ConnectionError):
            return self._ring()
        return False

    def _ended_under_load(self, process: Process) -> float:
        answered: list[int] = []
        lost: list[Exception] = []
        over = threading.Event()

        def call() -> None:
            while not over.is_set():
                try:
                    self._ring()
                    answered.append(1)
                except requests.exceptions.ConnectionError as error:
                    if "refused" in str(error).lower():
                        return
                    lost.append(error)

        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        poll(lambda: len(answered) > 10 * CALLERS, 30, "callers are being answered")
        seconds = _ended_s(process)
        over.set()
        for caller in callers:
            caller.join()
        self.answered, self.lost = self.answered + len(answered), self.lost + len(lost)
        return seconds

    def _ring(self) -> bool:
        form = {
            "AccountSid": ACCOUNT_SID,
            "CallSid": f"CA{secrets.token_hex(16)}",
            "From": CUSTOMER,
            "To": NUMBER,
            "Direction": "inbound",
            "CallStatus": "ringing",
        }
        url = f"{self.url}/twilio/voice"
        signature = RequestValidator(AUTH_TOKEN).compute_signature(url, form)
        headers = {"X-Twilio-Signature": signature, "Connection": "close"}
        return self.site.http.post(url, data=form, headers=headers, timeout=10).ok


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--times", type=int, default=5, help="of each, interleaved (default 5)")
    options = asked.parse_args()
    with StubSite() as site:
        _ended_s(site.process("web"))
        port = free_port()
        ours = Server(site, site.web_url, lambda: site.start_service("web"))
        bare = Server(site, f"http://127.0.0.1:{port}", lambda: start_reference(site, "bare", port))
        for _ in range(options.times):
            ours.turn()
            bare.turn()
    rows = [
        ("start to first answered webhook", *_figures(ours.starts, bare.starts)),
        ("SIGTERM to end, idle", *_figures(ours.idle, bare.idle)),
        ("SIGTERM to end, under load", *_figures(ours.loaded, bare.loaded)),
    ]
    head = ("", "median s", "most s", "reference s", "ratio")
    table(f"A web process of the Procfile beside a bare Flask view, {options.times} turns", head, rows)
    for name, server in (("ours", ours), ("reference", bare)):
        print(
            f"{name}: under load {server.answered:,} callers were answered, {server.lost} reset in the kernel's queue"
        )
    return 0


def _figures(seconds: Sequence[float], its: Sequence[float]) -> tuple[float, float, float, str]:
    """Median and most; the reference's median; the median of the turns' ratios."""
    ratio = statistics.median(ours / bare for ours, bare in zip(seconds, its, strict=True))
    return statistics.median(seconds), max(seconds), statistics.median(its), f"{ratio:.2f}"


def _ended_s(process: Process) -> float:
    began = time.monotonic()
    process.popen.terminate()
    process.popen.wait(30)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
