"""Random faults, one of the vendors' and one of the processes' at a time, each seeded, counted and ended again.

What keeps the service from acting is noted as an outage (epoch seconds): no worker lives, or Redis is away. A killed
or frozen worker counts until another may take its calls over, which the call model puts at 5 s. A slow Redis, a wrong
clock and a rolling restart are no outage.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.soak.site import SoakSite, now

TAKEOVER_S = 5.0
FROZEN_S = 6.0
HUNG_REDIS_S = 3.0
RECONNECT_S = 2.5
REPLICATED_S = 1.0
SKEW_S = 300.0
Rules = list[dict[str, Any]]


def _each(operations: tuple[str, ...], **fault: Any) -> Rules:
    return [{"operation": operation, **fault} for operation in operations]


_ASAPP = ("start-streaming", "stop-streaming")
_TWILIO = ("stream-create", "stream-stop", "call-read", "participants-read")
_CALLBACKS = ("stream-status", "conference-status", "call-status")
ASAPP_TROUBLES: dict[str, Rules] = {
    "asapp 500": _each(_ASAPP, status=500),
    "asapp 503 half of the time": _each(_ASAPP, status=503, probability=0.5),
    "asapp 429": _each(_ASAPP, status=429),
    "asapp 401": _each(_ASAPP, status=401),
    "asapp slow": _each(_ASAPP, delay_ms=1500),
    "asapp hangs": _each(_ASAPP, hang=True),
    "asapp answers are lost": _each(_ASAPP, drop_after=True),
    "asapp answers html": _each(_ASAPP, status=200, body="<html>", content_type="text/html"),
    "asapp isOk false": _each(_ASAPP, variant="is-ok-false"),
    "asapp participant 5000": _each(_ASAPP, variant="agent-5000"),
    "asapp has no stream url": _each(("stream-url",), status=503),
    "asapp refuses streams": _each(("websocket",), status=503),
}
TWILIO_TROUBLES: dict[str, Rules] = {
    "twilio 500": _each(_TWILIO, status=500),
    "twilio 429": _each(_TWILIO, status=429),
    "twilio slow": _each(_TWILIO, delay_ms=2000),
    "twilio answers are lost": _each(("stream-create", "stream-stop"), drop_after=True),
    "twilio hangs": _each(("stream-create", "stream-stop"), hang=True),
    "callbacks doubled": _each(_CALLBACKS, duplicate=1),
    "callbacks tripled": _each(_CALLBACKS, duplicate=2),
    "callbacks reordered": _each(("stream-status", "conference-status"), reorder=True, probability=0.5),
    "callbacks late": _each(_CALLBACKS, delay_ms=3000, probability=0.5),
    "stream callbacks lost": _each(("stream-status",), drop=True, probability=0.5),
    "conference callbacks lost": _each(("conference-status",), drop=True, probability=0.2),
    "voice webhook twice": _each(("voice",), duplicate=1),
}


@dataclass
class Troubles:
    """Two threads of trouble from `start` to `stop`; after that nothing is wrong any more."""

    site: SoakSite
    seed: int
    pause_s: float = 2.0
    counts: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[float, float, str]] = field(default_factory=list)
    forgotten: list[tuple[float, float]] = field(default_factory=list)
    """Moments before a failover: what was acknowledged in them may not have reached the replica."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def start(self) -> None:
        kinds = (self._vendor_trouble,) if self.site.is_one_process else (self._vendor_trouble, self._process_trouble)
        for number, kind in enumerate(kinds):
            rng = random.Random(f"{self.seed} trouble {number}")  # noqa: S311  a repeatable run
            self._threads.append(threading.Thread(target=self._repeat, args=(kind, rng), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, trouble: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self._stopping.wait(rng.uniform(0.5, 1.5) * self.pause_s):
            try:
                trouble(rng)
            except (AssertionError, OSError, requests.RequestException) as failure:
                self.failures.append(failure)

    def _vendor_trouble(self, rng: random.Random) -> None:
        is_asapp = rng.random() < 0.5
        name, rules = rng.choice(sorted((ASAPP_TROUBLES if is_asapp else TWILIO_TROUBLES).items()))
        url = self.site.asapp_url if is_asapp else self.site.twilio_url
        self.counts[name] += 1
        self.site.http.post(f"{url}/_emulator/faults", json=rules, timeout=10).raise_for_status()
        self._stopping.wait(rng.uniform(1.0, 6.0))
        self.site.http.delete(f"{url}/_emulator/faults", timeout=10).raise_for_status()

    def _process_trouble(self, rng: random.Random) -> None:
        kinds: list[tuple[str, Callable[[random.Random], None]]] = [
            ("kill -9 of a worker", self._kill_worker),
            ("kill -9 of both workers", self._kill_workers),
            ("a worker frozen for 6 s", self._freeze_worker),
            ("kill -9 of a web process", self._kill_web_child),
            ("kill -9 of all of web", self._kill_web),
            ("scripts flushed", lambda _: self.site.flush_scripts()),
            ("redis killed and restarted", self._restart_redis),
            ("redis frozen for 3 s", self._freeze_redis),
            ("redis slow by 0.2 s", self._slow_redis),
            ("redis slow by 2 s", self._stall_redis),
            ("redis fails over", self._fail_over),
            ("a worker with its clock 5 minutes off", self._skew_worker),
            ("rolling restart of web and workers", self._release),
        ]
        name, act = rng.choice(kinds)
        self.counts[name] += 1
        act(rng)

    @contextmanager
    def _outage(self, why: str, more_s: float) -> Iterator[None]:
        began = now()
        try:
            yield
        finally:
            self.outages.append((began, now() + more_s, why))

    def _kill_worker(self, rng: random.Random) -> None:
        with self._outage("worker killed", TAKEOVER_S):
            self.site.kill(rng.choice(self.site.living("worker")))
            self.site.start_service("worker")

    def _kill_workers(self, _rng: random.Random) -> None:
        living = self.site.living("worker")
        with self._outage("workers killed", TAKEOVER_S):
            for worker in living:
                self.site.kill(worker)
                self.site.start_service("worker")
            self._until_workers_live(len(living))

    def _until_workers_live(self, count: int) -> None:
        deadline = time.monotonic() + TAKEOVER_S
        while len(self.site.living("worker")) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)  # an interpreter's start, after which it claims

    def _freeze_worker(self, rng: random.Random) -> None:
        with self._outage("worker frozen", 1.0), self.site.frozen(rng.choice(self.site.living("worker"))):
            time.sleep(FROZEN_S)

    def _kill_web_child(self, rng: random.Random) -> None:
        children = self.site.web_children()
        if children:
            os.kill(rng.choice(children), signal.SIGKILL)

    def _kill_web(self, _rng: random.Random) -> None:
        with self.site.arriving:
            self.site.kill(self.site.living("web")[0])
            self.site.restart_web()

    def _restart_redis(self, _rng: random.Random) -> None:
        with self._outage("redis restarted", RECONNECT_S):
            self.site.restart_redis()

    def _freeze_redis(self, _rng: random.Random) -> None:
        with self._outage("redis frozen", RECONNECT_S), self.site.frozen(self.site.master):
            time.sleep(HUNG_REDIS_S)

    def _slow_redis(self, rng: random.Random) -> None:
        with self.site.slow_redis(0.1):
            self._stopping.wait(rng.uniform(2.0, 4.0))

    def _stall_redis(self, _rng: random.Random) -> None:
        """Longer than anybody waits for an answer: as good as away."""
        with self._outage("redis stalled", RECONNECT_S), self.site.slow_redis(1.0):
            self._stopping.wait(HUNG_REDIS_S)

    def _fail_over(self, _rng: random.Random) -> None:
        with self._outage("redis failed over", RECONNECT_S):
            died_at = self.site.fail_over()
        self.forgotten.append((died_at - REPLICATED_S, died_at))

    def _skew_worker(self, rng: random.Random) -> None:
        with self._outage("worker killed", TAKEOVER_S):
            self.site.kill(rng.choice(self.site.living("worker")))
            self.site.start_skewed_worker(rng.choice([-SKEW_S, SKEW_S]))

    def _release(self, _rng: random.Random) -> None:
        """Not an outage: the old processes finish what they began, the new ones are there already."""
        self.site.release()
