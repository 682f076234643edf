"""ASAPP's daily number of requests, counted here because beyond it even stops are refused until midnight UTC.

ASAPP: rate limits (per AI service, reset at 00:00 UTC; what counts exactly is UNCONFIRMED, so everything is counted).
Every live transcription keeps one stop in reserve: a start that would use it up is refused; a stop never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.clock import Clock
    from orchestrator.store.connect import Redis

NEAR = 0.8
_TTL_S = 2 * 86_400
_take = Script("daily_take")


@dataclass(frozen=True)
class Used:
    """Of this UTC day. `limit` None: no limit is known, nothing is counted."""

    used: int = 0
    reserved: int = 0
    limit: int | None = None

    @property
    def is_near(self) -> bool:
        """People should be told: four fifths are used or promised."""
        return self.limit is not None and self.used + self.reserved >= NEAR * self.limit


class DailyLimit:
    """Thread-safe. Without a limit it costs nothing and refuses nothing."""

    def __init__(self, redis: Redis, clock: Clock, limit: int | None) -> None:
        self._redis = redis
        self._clock = clock
        self._limit = limit

    def take(self, call_sid: str, kind: Literal["start", "stop", "other"]) -> bool:
        """Whether the request may be sent; it is counted then."""
        if self._limit is None:
            return True
        names = [keys.daily(self._today()), keys.DAILY_LIVE]
        may_go, _, _ = _take.run(self._redis, names, [self._limit, call_sid, kind, _TTL_S])
        return bool(may_go)

    def stopped(self, call_sid: str) -> None:
        """The call is confirmed off: its stop is no longer kept in reserve."""
        if self._limit is not None:
            self._redis.execute_command("ZREM", keys.DAILY_LIVE, call_sid)

    def today(self) -> Used:
        if self._limit is None:
            return Used()
        used = int(self._redis.execute_command("GET", keys.daily(self._today())) or 0)
        return Used(used, int(self._redis.execute_command("ZCARD", keys.DAILY_LIVE)), self._limit)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).strftime("%Y-%m-%d")
