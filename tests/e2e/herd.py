"""Many calls in a talk at once, what happens to all of them together, and how long each took to be transcribed again.

Audio of a thousand calls is more than a machine can send in real time; a site whose emulated time goes slowly (`speed`
well below 1) has the calls, the streams and the callbacks all the same. ASAPP's limit of requests per second is
emulated time, too, so it is switched off and counted here, in real seconds; and ASAPP finds a stream as soon as ever.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from tests.e2e.harness import CUSTOMER, NUMBER, Json, Site
from tests.e2e.processes import poll
from tests.e2e.world import START, STOP, CallSeen

T = TypeVar("T")
R = TypeVar("R")
_HANDS = 8
KNOWN_AFTER_MS = 500
"""Real time from a stream's start until ASAPP finds it."""
_LOOK_S = 0.5
_WAIT_MS = 5_000
"""How long a report waits until what is wanted is so."""
SEED = 7


class Herd:
    """`sids` in the order in which their talks began."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.sids: list[str] = []
        site.asapp("switches", {"spike-limit": 0, "stream-known-after-ms": round(KNOWN_AFTER_MS * site.speed)})

    def gather(self, count: int, within_s: float) -> None:
        """So many more calls, all transcribed."""
        before = set(self.sids)
        self.sids += in_parallel(lambda _: self._talk(), range(count))
        poll(lambda: self._all_on(set(self.sids) - before, 0.0), within_s, f"{count} calls are transcribed")

    def _talk(self) -> str:
        call = CallSeen(self.site, self.site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
        self.site.twilio(f"calls/{call.sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
        return call.sid

    def loses_streams(self, sids: Iterable[str]) -> tuple[float, float]:
        """ASAPP's side closes them, as fast as it can be told and in any order; when the first and the last was."""
        shuffled = list(sids)
        random.Random(SEED).shuffle(shuffled)  # noqa: S311  no secret
        began = time.time()
        in_parallel(lambda sid: self.site.asapp(f"calls/{sid}/drop-stream", {"code": 1011}), shuffled)
        return began, time.time()

    def recovered(self, sids: Iterable[str], since: float, within_s: float) -> dict[str, float]:
        """Seconds from `since` to each call's next accepted start."""
        wanted = set(sids)
        poll(lambda: self._all_on(wanted, since), within_s, f"all {len(wanted)} are transcribed again")
        return {sid: at - since for sid, at in self._first_starts(since).items() if sid in wanted}

    def _all_on(self, sids: set[str], since: float) -> bool:
        time.sleep(_LOOK_S)  # the emulator lists all that it was ever asked: not a thing to do all the time
        return sids <= self._first_starts(since).keys()

    def _first_starts(self, since: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for row in self.asked(START):
            if row["at"] >= since and row["status"] == HTTPStatus.OK:
                found.setdefault(row["guid"], row["answered_at"])
        return found

    def asked(self, operation: str) -> list[Json]:
        """What ASAPP was asked, in order."""
        rows = self.site.asapp("requests")
        return sorted((row for row in rows if row["path"].endswith(operation)), key=lambda row: row["at"])

    def most_in_a_second(self, since: float) -> int:
        """The most requests that ASAPP had within any second."""
        times = [row["at"] for row in self.asked("-streaming") if row["at"] >= since]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - 1:
                first += 1
            most = max(most, last - first + 1)
        return most


class Holding:
    """Calls that are held and unheld by their desktops, one at a time, while something happens to others."""

    def __init__(self, herd: Herd, sids: list[str]) -> None:
        self._herd, self._sids = herd, sids
        self._sent: dict[str, list[float]] = defaultdict(list)

    def hold_until(self, is_over: Callable[[], bool]) -> None:
        """Each in its turn: held, off at ASAPP's, unheld; back on before its next turn."""
        turn = 0
        while not is_over():
            call = CallSeen(self._herd.site, self._sids[turn % len(self._sids)])
            turn += 1
            if call.api()["state"] != "transcribing":
                time.sleep(_LOOK_S / 5)  # the API takes only so many requests a second
                continue
            self._sent[call.sid].append(time.time())
            for kind in ("hold", "unhold"):
                self._herd.site.api(f"/calls/{call.sid}/events?wait={_WAIT_MS}", {"type": kind})

    def seconds(self) -> list[float]:
        """From each hold's sending to the stop at ASAPP's door."""
        stops = defaultdict(list)
        for row in self._herd.asked(STOP):
            stops[row["guid"]].append(row["at"])
        return [min(at for at in stops[sid] if at > sent) - sent for sid, times in self._sent.items() for sent in times]


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(_HANDS) as hands:
        return list(hands.map(work, items))
