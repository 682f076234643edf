"""What breaks and how long it takes to be right again: a stream, a worker, ASAPP, the streams of all calls at once.

Each function does it to a running site and returns seconds, measured where it counts: at ASAPP's door, by the wall
clock that all processes of this machine share. Benchmarks print what tests assert.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.herd import Herd, Holding
from tests.e2e.processes import Process, poll
from tests.e2e.world import START, STOP, CallSeen, assert_state, seconds

SLOW_MS = 1_500
PATIENCE_S = 30.0
_OPERATIONS = ("start-streaming", "stop-streaming", "stream-url", "websocket")


@dataclass(frozen=True)
class Broken:
    """From the break to ASAPP's answer to the new start, and what of it was not spent waiting for vendors."""

    total_s: float
    ours_s: float


def stream_breaks(call: CallSeen) -> Broken:
    """ASAPP's side of a transcribed call's stream goes away; back when it is transcribed again."""
    assert_state(call, "transcribing", PATIENCE_S)
    starts, entries = len(call.accepted(START)), len(call.timeline())
    broken_at = time.time()
    call.site.asapp(f"calls/{call.sid}/drop-stream", {"code": 1011})
    start = poll(lambda: call.accepted(START)[starts:], PATIENCE_S, "it is transcribed again")[0]
    assert_state(call, "transcribing", PATIENCE_S)
    return Broken(start["answered_at"] - broken_at, _own_s(call, entries))


def _own_s(call: CallSeen, since: int) -> float:
    """By our timeline: from the news of the break to `on`, without vendors' answers and without Twilio's dialling."""
    told, asked, created, waited = 0.0, 0.0, 0.0, 0.0
    for entry in call.timeline()[since:]:
        at, name = seconds(entry["at"]), entry["name"]
        if name in {"stream-failed", "stream-stopped"}:
            told = told or at
        elif name == "action-intended":
            asked = at
        elif name == "action-ended":
            waited += at - asked
            created = at if entry["event"]["action"]["action"] == "create-stream" else created
        elif name == "stream-started":
            waited += max(0.0, at - created)
        if told and entry["state"]["transcription"] == "on":
            return at - told - waited
    raise AssertionError(f"never on again: {call.timeline()[since:]}")


def worker_dies(call: CallSeen, workers: list[Process]) -> float:
    """The worker that holds a call is killed with its stop on the way; until another one asks ASAPP about that call."""
    assert_state(call, "transcribing", PATIENCE_S)
    stops = len(call.requests(STOP))
    rule = {"operation": STOP, "match": {"guid": call.sid}, "times": 1, "delay_ms": SLOW_MS, "status": 503}
    call.site.asapp("faults", [rule])
    call.report("hold")
    poll(lambda: call.requests(STOP)[stops:], PATIENCE_S, "the stop is on its way")
    intents = [entry["event"] for entry in call.timeline() if entry["name"] == "action-intended"]
    holder = next(each for each in workers if each.pid == int(intents[-1]["worker"].rpartition("-")[2]))
    os.kill(holder.pid, signal.SIGKILL)
    killed_at = time.time()
    holder.popen.wait(PATIENCE_S)
    later = poll(lambda: call.requests(STOP)[stops + 1 :], PATIENCE_S, "another worker has taken the call over")
    assert_state(call, "paused", PATIENCE_S)
    call.report("unhold")
    return float(later[0]["at"]) - killed_at


@contextmanager
def asapp_out(herd: Herd) -> Iterator[None]:
    """503 to everything, and no stream lives through it."""
    herd.site.asapp("faults", [{"operation": each, "status": 503} for each in _OPERATIONS])
    herd.loses_streams(herd.sids)
    try:
        yield
    finally:
        herd.site.http.delete(f"{herd.site.asapp_url}/_emulator/faults", timeout=10)


def outage(herd: Herd, lasts_s: float, within_s: float) -> list[float]:
    """Of each talking call: seconds from ASAPP's return until it is transcribed again."""
    with asapp_out(herd):
        time.sleep(lasts_s)  # the fault itself: what is done meanwhile is no event to wait for
    back_at = time.time()
    return sorted(herd.recovered(herd.sids, back_at, within_s).values())


@dataclass(frozen=True)
class Storm:
    """`back_s`: of each call in the order in which talks began; `holds_s`: of calls that lost nothing."""

    broken_within_s: float
    back_s: list[float]
    holds_s: list[float]
    most_requests_in_a_second: int


def storm(herd: Herd, bystanders: list[str], within_s: float) -> Storm:
    """All of the herd lose their streams at once, while others are held and unheld."""
    is_over = threading.Event()
    holding = Holding(herd, bystanders)
    others = threading.Thread(target=holding.hold_until, args=(is_over.is_set,))
    others.start()
    try:
        first, last = herd.loses_streams(herd.sids)
        back = herd.recovered(herd.sids, first, within_s)
    finally:
        is_over.set()
        others.join()
    return Storm(last - first, [back[sid] for sid in herd.sids], holding.seconds(), herd.most_in_a_second(first))
