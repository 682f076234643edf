"""Vendors' budgets, shared by all processes: requests per second, and requests at a time."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

_take = Script("bucket_take")
_enter = Script("places_enter")


class TokenBucket:
    """`rate_per_s` on average, `burst` at once. `reserved_share` of the burst is left for stops alone."""

    def __init__(self, redis: Redis, name: str, rate_per_s: float, burst: int, reserved_share: float = 0.2) -> None:
        self._redis = redis
        self._key = keys.bucket(name)
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._reserve = min(burst - 1.0, burst * reserved_share)

    def take(self, *, is_stop: bool = False) -> int:
        """0: go ahead; else milliseconds after which asking again is sensible (nothing was taken)."""
        reserve = 0.0 if is_stop else self._reserve
        return int(_take.run(self._redis, [self._key], [self._rate_per_s, self._burst, reserve]))


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
