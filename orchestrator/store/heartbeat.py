"""Which workers live, and leases for what one process at a time may do (a fetch for everybody, upkeep)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

_beat = Script("worker_beat")
_acquire = Script("lease_acquire")
_release = Script("lease_release")


class Heartbeat:
    """Thread-safe."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, worker_id: str, ttl_s: float) -> None:
        """The worker counts as alive for `ttl_s` from now."""
        _beat.run(self._redis, [keys.WORKERS], [worker_id, int(ttl_s * 1000)])

    def workers(self) -> dict[str, int]:
        """Living workers, and until when they count as alive without another beat (ms)."""
        found = _beat.run(self._redis, [keys.WORKERS], ["", 0])
        return {name.decode(): int(float(until)) for name, until in zip(found[::2], found[1::2], strict=True)}

    def leave(self, worker_id: str) -> None:
        """An orderly end: the worker no longer counts."""
        self._redis.execute_command("ZREM", keys.WORKERS, worker_id)


class Lease:
    """One holder at a time, by a token of this object. To hold on, acquire again before the time is over."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._key = keys.lease(name)
        self._token = secrets.token_hex(8)

    def acquire(self, ttl_s: float) -> bool:
        """Whether this object now holds the lease, for `ttl_s` from now."""
        return bool(_acquire.run(self._redis, [self._key], [self._token, int(ttl_s * 1000)]))

    def release(self) -> bool:
        """Whether it was still held; another holder's lease is not touched."""
        return bool(_release.run(self._redis, [self._key], [self._token]))
