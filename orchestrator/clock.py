"""The one clock: milliseconds since the epoch by Redis's clock, so that all processes agree on order and age.

`Clock` adds an offset to the local monotonic clock, so a step of this machine's wall clock changes nothing. The offset
is measured every 30 s, inside whichever call comes first after that, and for free by commits to the store. Before the
first contact, and with Redis away, time goes on with the last offset (at first: this machine's wall clock).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

REFRESH_S = 30.0
PUT_BACK_S = 2.0
LONGEST_USEFUL_TRIP_S = 0.1
"""A measurement that took longer says too little about when in between Redis looked at its clock."""


class Clock:
    """Thread-safe. `redis` None: this machine's clock, for parts that run without a store."""

    def __init__(self, redis: Redis | None = None) -> None:
        self._redis = redis
        self._base = time.time() - time.monotonic()
        self._offset = self._base
        self._tried_at = float("-inf")
        self._is_measured = False
        self.times_put_back = 0
        """How often Redis's clock was found to have been put back: what was due by it is now due much later."""
        self._refreshing = threading.Lock()

    def now_ms(self) -> int:
        """Never raises; bounded by the store's bound for one operation (in the rare call that measures)."""
        if self._redis is not None and time.monotonic() - self._tried_at > REFRESH_S:
            self.refresh()
        return int((time.monotonic() + self._offset) * 1000)

    @property
    def offset_ms(self) -> int:
        """How far Redis's clock is ahead of this machine's, as last measured; 0 before that."""
        return round((self._offset - self._base) * 1000)

    def refresh(self) -> bool:
        """Measures now, unless another thread does; whether an offset was learnt."""
        if self._redis is None or not self._refreshing.acquire(blocking=False):
            return False
        try:
            self._tried_at = sent = time.monotonic()
            seconds, micros = self._redis.execute_command("TIME")
            return self.observe(int(seconds) * 1000 + int(micros) // 1000, sent, time.monotonic())
        except OrchestratorError:
            return False
        finally:
            self._refreshing.release()

    def observe(self, redis_ms: int, sent: float, received: float) -> bool:
        """Learns from Redis's time in any reply; `sent` and `received` are `time.monotonic()` around the request."""
        if received - sent > LONGEST_USEFUL_TRIP_S:
            return False
        offset = (redis_ms + 0.5) / 1000 - (sent + received) / 2
        if self._is_measured and self._offset - offset > PUT_BACK_S:
            self.times_put_back += 1
        self._offset, self._is_measured = offset, True
        self._tried_at = received
        return True


class ManualClock(Clock):
    """A clock that stands still until it is stepped, for tests and replays."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        super().__init__()
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def step(self, milliseconds: int) -> int:
        self._now_ms += milliseconds
        return self._now_ms

    def observe(self, redis_ms: int, sent: float, received: float) -> bool:
        del redis_ms, sent, received
        return False
