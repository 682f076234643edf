"""Other names of a call (leg, conference, task), and events that arrive before their call is known.

An index is written before the event that needs it, so a crash in between leaves at worst a name too many. Each has a
time to live.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.store.codec import decode_event, encode

if TYPE_CHECKING:
    from orchestrator.core.events import Event
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

CACHE_S = 3.0
CACHE_SIZE = 10_000
PARKED_AT_MOST = 100


class Indexes:
    """`kind` is `leg`, `conference` or `task`. Thread-safe."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._cache: dict[tuple[str, str], tuple[str, float]] = {}

    def index(self, kind: str, identifier: str, call_sid: str, ttl_s: int) -> None:
        self._redis.execute_command("SET", self._keys.index(kind, identifier), call_sid, "EX", ttl_s)
        self._remember(kind, identifier, call_sid)

    def resolve(self, kind: str, identifier: str) -> str | None:
        """The call of that name. One GET, or none for what this process learnt within the last `CACHE_S`."""
        call_sid, until = self._cache.get((kind, identifier), ("", 0.0))
        if until > time.monotonic():
            return call_sid
        found = self._redis.execute_command("GET", self._keys.index(kind, identifier))
        if found is None:
            return None
        self._remember(kind, identifier, found.decode())
        return str(found.decode())

    def _remember(self, kind: str, identifier: str, call_sid: str) -> None:
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[kind, identifier] = (call_sid, time.monotonic() + CACHE_S)


class ParkedEvents:
    """Events that wait under a name until it becomes a call's. At most `PARKED_AT_MOST` newest ones are kept."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def park(self, key: str, event: Event, ttl_s: int = 60) -> None:
        name = self._keys.parked(key)
        self._redis.execute_command("RPUSH", name, encode(event))
        self._redis.execute_command("EXPIRE", name, ttl_s)
        self._redis.execute_command("LTRIM", name, -PARKED_AT_MOST, -1)

    def unpark(self, key: str) -> list[Event]:
        """Takes what waits, oldest first; exactly one caller gets each event."""
        found = self._redis.execute_command("LPOP", self._keys.parked(key), PARKED_AT_MOST + 1) or []
        return [event for event in map(decode_event, found) if event is not None]
