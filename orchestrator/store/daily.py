"""ASAPP's daily number of requests, counted here because beyond it even stops are refused until midnight UTC.

Every live transcription keeps one stop in reserve: a start that would use it up is refused, and so is what is neither
start nor stop; a stop never is. Starts are counted as they are allowed; other processes learn of a stop within two
seconds, or with this one's next start (`asapp.day` says what is counted, and why everything is).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestrator.asapp.day import Reserved
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.clock import Clock
    from orchestrator.store.connect import Redis

NEAR = 0.8
_TTL_S = 2 * 86_400
_take = Script("daily_take")
_log = get_logger("orchestrator.store.daily")


@dataclass(frozen=True)
class Used:
    """Of this UTC day. `limit` None: no limit is known, nothing is counted."""

    used: int = 0
    reserved: int = 0
    limit: int | None = None

    @property
    def is_over(self) -> bool:
        """Nothing but stops may be sent."""
        return self.limit is not None and self.used + self.reserved >= self.limit

    @property
    def is_near(self) -> bool:
        """People should be told: four fifths are used or promised."""
        return self.limit is not None and self.used + self.reserved >= NEAR * self.limit


class DailyLimit:
    """Thread-safe. Without a limit it costs nothing and refuses nothing. An `asapp.day.Day`: those do not raise."""

    def __init__(self, redis: Redis, clock: Clock, limit: int | None) -> None:
        self._redis = redis
        self._clock = clock
        self._limit = limit
        self._lock = threading.Lock()
        self._uncounted = 0

    def may_ask(self) -> bool:
        may_go, _ = self._safely("other")
        return may_go

    def reserve(self, call_sid: str) -> Reserved:
        may_go, is_new = self._safely("start", call_sid)
        if not may_go:
            return Reserved.REFUSED
        return Reserved.NEW if is_new else Reserved.ALREADY

    def release(self, call_sid: str) -> None:
        self._safely("release", call_sid)

    def sent(self) -> None:
        with self._lock:
            self._uncounted += 1

    def hand_over(self) -> None:
        """Count what was sent without asking. Raises StoreUnavailable, nothing lost."""
        if self._uncounted:
            self._run("count")

    def today(self) -> Used:
        """Raises StoreUnavailable."""
        if self._limit is None:
            return Used()
        used = int(self._redis.execute_command("GET", keys.daily(self._today())) or 0) + self._uncounted
        return Used(used, int(self._redis.execute_command("ZCARD", keys.DAILY_LIVE)), self._limit)

    def _safely(self, kind: str, call_sid: str = "") -> tuple[bool, bool]:
        """Whether it may go, and whether a stop was newly reserved; with the store away it may, and counts later."""
        if self._limit is None:
            return True, True
        try:
            may_go, is_new, _, _ = self._run(kind, call_sid)
        except OrchestratorError as error:
            _log.warning("request not counted yet", call_sid=call_sid or None, error=error.error_id)
            if kind != "release":
                self.sent()
            return True, False
        return bool(may_go), bool(is_new)

    def _run(self, kind: str, call_sid: str = "") -> list[int]:
        with self._lock:
            uncounted, self._uncounted = self._uncounted, 0
        try:
            reply: list[int] = _take.run(
                self._redis,
                [keys.daily(self._today()), keys.DAILY_LIVE],
                [self._limit or 0, kind, call_sid, uncounted, _TTL_S],
            )
        except OrchestratorError:
            with self._lock:
                self._uncounted += uncounted
            raise
        return reply

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).strftime("%Y-%m-%d")
