"""The voice webhook: signature, state, timeline, queue and TwiML, beside three others on the same gunicorn settings.

`bare` is a Flask view that answers a fixed document; `least` checks the signature and keeps the call's SID and numbers
in Redis by one command before it answers the same, which no service with our promises can undercut; `naive` asks ASAPP
for a stream URL for each call and waits (emulated: 50 ms). One web process each, driven by `wrk` over kept connections,
in turns; the figures are medians over the turns, the ratio is to `bare` of the same turn. Ours commits every call to a
real redis-server; a worker process runs beside it, as it does in life. Then ours alone with ASAPP well, slow and gone:
callers must not notice.

    python benchmarks/voice_webhook.py [--turns 5] [--seconds 3] [--connections 16]

Goal: at least 0.6 of bare Flask's throughput; the 99th percentile does not depend on ASAPP. Exit 1 when a goal is
missed with `--strict`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # twilio has no types

from benchmarks.figures import cpu_s, table
from benchmarks.references import reference
from tests.e2e.harness import ACCOUNT_SID, AUTH_TOKEN, CUSTOMER, NUMBER, Site
from tests.e2e.processes import Process, start

GOAL = 0.6
NAIVE_MS = 50
FORMS = 60_000
_SCRIPT = Path(__file__).with_name("signed_calls.lua")
_PATH = "/twilio/voice"


@dataclass(frozen=True)
class Turn:
    """What one run of wrk against one server showed."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    errors: int


class Load:
    """Runs wrk; each request is a call that was never seen before, until all forms are used up."""

    def __init__(self, forms: Path, seconds: int, connections: int) -> None:
        self._forms, self._seconds, self._connections = forms, seconds, connections
        self._used = 0

    def run(self, url: str, process: Process) -> Turn:
        wrk = shutil.which("wrk")
        assert wrk, "wrk is missing; scripts/require-wrk.sh says how to get it"
        busy = cpu_s(process.pid)
        command = [wrk, "--threads", "1", "--connections", str(self._connections), "--duration", f"{self._seconds}s"]
        told = subprocess.run(
            [*command, "--script", str(_SCRIPT), url, str(self._forms), _PATH, str(self._used)],
            capture_output=True,
            text=True,
            check=True,
            timeout=self._seconds + 30,
        )
        seen = json.loads(told.stdout.strip().splitlines()[-1])
        busy = cpu_s(process.pid) - busy
        self._used += seen["requests"]
        count = max(1, seen["requests"])
        return Turn(count / seen["seconds"], seen["p50_ms"], seen["p99_ms"], 1e6 * busy / count, seen["errors"])


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--turns", type=int, default=5, help="of each server, interleaved (default 5)")
    asked.add_argument("--seconds", type=int, default=3, help="of load per turn (default 3)")
    asked.add_argument("--connections", type=int, default=16, help="kept connections (default 16)")
    asked.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    options = asked.parse_args()
    with Site(speed=1.0, environment={"WEB_CONCURRENCY": "1", "LOG_LEVEL": "warning"}) as site, _others(site) as others:
        forms = _written(site)
        load = Load(forms, options.seconds, options.connections)
        servers = {"ours": (site.web_url, site.process("web")), **others}
        turns = {name: [] for name in servers}  # type: dict[str, list[Turn]]
        for _ in range(options.turns):
            for name, (url, process) in servers.items():
                turns[name].append(load.run(url, process))
        _print_compared(turns, options.connections)
        calm = Load(forms, options.seconds, 4)
        vendor = {
            name: [calm.run(*servers["ours"]) for _ in _troubled(site, rules)] for name, rules in _TROUBLES.items()
        }
        _print_vendor(vendor)
    ratio = _ratio(turns["ours"], turns["bare"])
    print(f"\ngoal {GOAL:g} of bare Flask: {'met' if ratio >= GOAL else 'missed'} ({ratio:.2f})")
    return 0 if ratio >= GOAL or not options.strict else 1


_TROUBLES: dict[str, list[dict[str, object]]] = {
    "ASAPP well": [],
    "ASAPP answers after 10 s": [{"operation": "stream-url", "delay_ms": 10_000}],
    "ASAPP answers 503": [{"operation": "stream-url", "status": 503}],
}


def _troubled(site: Site, rules: list[dict[str, object]]) -> Iterator[None]:
    """Three rounds with this of ASAPP's going on."""
    site.http.delete(f"{site.asapp_url}/_emulator/faults", timeout=10).raise_for_status()
    if rules:
        site.http.post(f"{site.asapp_url}/_emulator/faults", json=rules, timeout=10).raise_for_status()
    for _ in range(3):
        yield
    site.http.delete(f"{site.asapp_url}/_emulator/faults", timeout=10).raise_for_status()


@contextlib.contextmanager
def _others(site: Site) -> Iterator[dict[str, tuple[str, Process]]]:
    """The servers beside ours, in processes of their own. The naive one's ASAPP is slow, ours keeps its own."""
    with contextlib.ExitStack() as stack:
        emulator = start(
            "asapp-slow",
            [
                sys.executable,
                "-m",
                "orchestrator",
                "emulate",
                "asapp",
                "--api-id",
                "fake-asapp-id",
                "--api-secret",
                "fake-asapp-secret",
            ],
            site.folder,
        )
        stack.callback(emulator.terminate)
        slow = emulator.ready_line()["url"]
        rules = [{"operation": "stream-url", "delay_ms": NAIVE_MS}]
        site.http.post(f"{slow}/_emulator/faults", json=rules, timeout=10).raise_for_status()
        site.http.post(
            f"{slow}/_emulator/switches", json={"spike-limit": "0", "daily-limit": "0"}, timeout=10
        ).raise_for_status()
        names = ("bare", "least", "naive")
        servers = {name: stack.enter_context(reference(site, name, asapp_url=slow)) for name in names}
        yield {name: (each.url, each.process) for name, each in servers.items()}


def _written(site: Site) -> Path:
    """Signed forms as Twilio sends them, each for another call."""
    signer = RequestValidator(AUTH_TOKEN)
    path = site.folder / "signed.tsv"
    with path.open("w") as file:
        for _ in range(FORMS):
            form = {
                "AccountSid": ACCOUNT_SID,
                "ApiVersion": "2010-04-01",
                "CallSid": f"CA{secrets.token_hex(16)}",
                "CallStatus": "ringing",
                "Called": NUMBER,
                "CalledCity": "",
                "CalledCountry": "US",
                "CalledState": "WA",
                "Caller": CUSTOMER,
                "CallerCity": "SEATTLE",
                "CallerCountry": "US",
                "CallerState": "WA",
                "Direction": "inbound",
                "From": CUSTOMER,
                "To": NUMBER,
            }
            file.write(f"{signer.compute_signature(site.web_url + _PATH, form)}\t{urlencode(form)}\n")
    return path


def _ratio(seen: list[Turn], reference: list[Turn], figure: str = "per_s") -> float:
    """To the reference in the same turn; the median of the turns."""
    pairs = zip(seen, reference, strict=True)
    ratio: float = statistics.median(getattr(ours, figure) / getattr(theirs, figure) for ours, theirs in pairs)
    return ratio


def _print_compared(turns: dict[str, list[Turn]], connections: int) -> None:
    rows = [
        (
            name,
            *_medians(seen),
            f"{_ratio(seen, turns['bare']):.2f}",
            f"{_ratio(seen, turns['bare'], 'cpu_us'):.2f}",
            f"{_ratio(seen, turns['least']):.2f}",
            sum(each.errors for each in seen),
        )
        for name, seen in turns.items()
    ]
    head = ("server", "requests/s", "p50 ms", "p99 ms", "CPU µs each", "to bare", "CPU to bare", "to least", "errors")
    table(f"Voice webhook, one web process, {connections} connections, {len(turns['ours'])} turns", head, rows)


def _print_vendor(vendor: dict[str, list[Turn]]) -> None:
    rows = [(name, *_medians(seen), sum(each.errors for each in seen)) for name, seen in vendor.items()]
    head = ("ours, 4 connections", "requests/s", "p50 ms", "p99 ms", "CPU µs each", "errors")
    table("Voice webhook while ASAPP is in trouble", head, rows)


def _medians(seen: list[Turn]) -> tuple[float, ...]:
    return tuple(
        statistics.median(getattr(each, name) for each in seen) for name in ("per_s", "p50_ms", "p99_ms", "cpu_us")
    )


if __name__ == "__main__":
    sys.exit(main())
