"""How long from a hold to `stop-streaming` at ASAPP's door, one at a time, on the processes of the Procfile.

Two series of holds: reported by the agent's desktop (`POST /api/v1/calls/{sid}/events`), and told by Twilio's
conference callback. Measured from the moment the sender began to send (so the request's way to us counts against us)
to the moment the emulated ASAPP had `stop-streaming` whole. In turns with them the reference: the shortest way there
is, a Flask view on the same gunicorn that asks ASAPP at once and keeps nothing (`plain.py`, `relay`). Goal on an idle
machine: median 5 ms, 99th percentile 20 ms.

    python benchmarks/hold_to_stop.py [--turns 5] [--holds 20] [--calls 4]

Exit 1 when the goal is missed with `--strict`.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import percentile, table
from benchmarks.references import reference
from tests.e2e.harness import CUSTOMER, NUMBER, Site
from tests.e2e.processes import poll
from tests.e2e.world import STOP, CallSeen, assert_state

MEDIAN_GOAL_MS, P99_GOAL_MS = 5.0, 20.0
REFERENCE = "reference: asks ASAPP, keeps nothing"
HELD_S = 0.15
"""A hold lasts so long before it is taken back: longer than any stop should take."""
RESUMED_S = 10.0
Turns = Sequence[Sequence[float]]


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--turns", type=int, default=5, help="of each series, interleaved (default 5)")
    asked.add_argument("--holds", type=int, default=20, help="per series and turn (default 20)")
    asked.add_argument("--calls", type=int, default=4, help="calls that are held in turn (default 4)")
    asked.add_argument("--strict", action="store_true", help="exit 1 when the goal is missed")
    options = asked.parse_args()
    with Site(speed=1.0) as site, reference(site, "relay") as relay:
        calls = [_talking(site) for _ in range(options.calls)]
        series: dict[str, Callable[[], list[float]]] = {
            "desktop API": lambda: _series(calls, options.holds, _hold_by_desktop),
            "conference callback": lambda: _series(calls, options.holds, _hold_by_conference),
            REFERENCE: lambda: [_relayed(site, relay.url) for _ in range(options.holds)],
        }
        turns: dict[str, list[list[float]]] = {name: [] for name in series}
        for _ in range(options.turns):
            for name, measure in series.items():
                turns[name].append(measure())
    rows = [_row(name, seen, turns[REFERENCE]) for name, seen in turns.items()]
    head = ("series", "holds", "p50 ms", "p90 ms", "p99 ms", "most ms", "p50 to reference")
    table(f"Hold to stop, one at a time, {options.turns} turns", head, rows)
    is_met = all(_is_met(_pooled(seen)) for name, seen in turns.items() if name != REFERENCE)
    print(f"goal (median {MEDIAN_GOAL_MS:g} ms, 99 % {P99_GOAL_MS:g} ms): {'met' if is_met else 'missed'}")
    return 0 if is_met or not options.strict else 1


def _row(name: str, turns: Turns, reference_turns: Turns) -> tuple[object, ...]:
    figures = _pooled(turns)
    ratios = [
        statistics.median(ours) / statistics.median(its) for ours, its in zip(turns, reference_turns, strict=True)
    ]
    ratio = f"{statistics.median(ratios):.2f}"
    return name, len(figures), *(percentile(figures, percent) for percent in (50, 90, 99)), max(figures), ratio


def _pooled(turns: Turns) -> list[float]:
    return [figure for turn in turns for figure in turn]


def _relayed(site: Site, url: str) -> float:
    """Milliseconds of one hold by way of the reference, of a call that ASAPP has never heard of."""
    guid, sent_at = f"CA{secrets.token_hex(16)}", time.time()
    site.http.post(f"{url}/hold", json={"guid": guid}, timeout=RESUMED_S).raise_for_status()
    time.sleep(HELD_S)
    (arrived,) = site.asapp("requests", guid=guid)
    return 1000 * (float(arrived["at"]) - sent_at)


def _talking(site: Site) -> CallSeen:
    call = CallSeen(site, site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
    site.twilio(f"calls/{call.sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    return call


def _hold_by_desktop(call: CallSeen) -> float:
    """Hold, wait, unhold; when the hold was sent."""
    sent_at = time.time()
    call.report("hold")
    time.sleep(HELD_S)
    call.report("unhold")
    return sent_at


def _hold_by_conference(call: CallSeen) -> float:
    before = len(_hold_callbacks(call))
    call.site.twilio(f"calls/{call.sid}/hold", {})
    time.sleep(HELD_S)
    callbacks = poll(lambda: _hold_callbacks(call)[before:], RESUMED_S, "the hold's callback")
    call.site.twilio(f"calls/{call.sid}/unhold", {})
    return callbacks[0]


def _hold_callbacks(call: CallSeen) -> list[float]:
    """When Twilio began to send each callback of a hold."""
    rows = call.deliveries("conference-status")
    return [
        row["at"] - row["latency_ms"] / 1000
        for row in rows
        if row["params"].get("StatusCallbackEvent") == "participant-hold"
    ]


def _series(calls: list[CallSeen], holds: int, hold: Callable[[CallSeen], float]) -> list[float]:
    """Milliseconds from each hold to its stop."""
    sent: dict[str, list[float]] = {call.sid: [] for call in calls}
    for number in range(holds):
        call = calls[number % len(calls)]
        assert_state(call, "transcribing", RESUMED_S)
        sent[call.sid].append(hold(call))
    figures = []
    for call in calls:
        stops = [row["at"] for row in call.requests(STOP)]
        figures += [1000 * (min(at for at in stops if at > sent_at) - sent_at) for sent_at in sent[call.sid]]
    return figures


def _is_met(figures: list[float]) -> bool:
    return percentile(figures, 50) <= MEDIAN_GOAL_MS and percentile(figures, 99) <= P99_GOAL_MS


if __name__ == "__main__":
    sys.exit(main())
