"""Vendors' budgets, shared by all processes: requests per second, and requests at a time.

Who finds no token and says who it is waits in line: it is told when its turn will be, by its rank among those who wait
(not by when it came), so a herd asks about twice each instead of again and again.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

_take = Script("bucket_take")
_enter = Script("places_enter")
LATE_MS = 2_000
"""Who asks again later than this after its turn has lost its place: it may have found something better to do."""


class TokenBucket:
    """`rate_per_s` on average, `burst` at once. `reserved_share` of the burst is left for stops alone."""

    def __init__(self, redis: Redis, name: str, rate_per_s: float, burst: int, reserved_share: float = 0.2) -> None:
        self._redis = redis
        self._keys = keys.bucket(name)
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._reserve = min(burst - 1.0, burst * reserved_share)

    def take(self, *, is_stop: bool = False, who: str = "", rank: int = 0) -> int:
        """0: go ahead; else milliseconds after which asking again is sensible (nothing was taken).

        `who` waits in line, behind those of a higher rank.
        """
        reserve = 0.0 if is_stop else self._reserve
        asked: list[str | float] = [self._rate_per_s, self._burst, reserve, who, rank, LATE_MS]
        return int(_take.run(self._redis, self._keys, asked))


class ConcurrencyLimit:
    """At most `limit` holders at a time. A holder that dies frees its place after `lease_ms`."""

    def __init__(self, redis: Redis, name: str, limit: int, lease_ms: int = 10_000) -> None:
        self._redis = redis
        self._key = keys.places(name)
        self._limit = limit
        self._lease_ms = lease_ms

    def enter(self) -> str | None:
        """A token to leave with, or None when all places are taken."""
        token = secrets.token_hex(8)
        entered = _enter.run(self._redis, [self._key], [token, self._limit, self._lease_ms])
        return token if entered else None

    def leave(self, token: str) -> None:
        self._redis.execute_command("ZREM", self._key, token)
