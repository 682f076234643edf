"""How Redis is: for the readiness page, the doctor, and the warnings at start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

UNKNOWN = "unknown"
OLDEST = (6, 2)


@dataclass(frozen=True)
class Danger:
    """What may lose calls, and what to do about it, in words for people."""

    told: str
    cure: str


@dataclass(frozen=True)
class Health:
    """`eviction` is Redis's maxmemory-policy, `aof` is `yes` or `no`; both `unknown` where CONFIG is forbidden."""

    latency_ms: float
    version: str
    eviction: str
    aof: str

    def dangers(self) -> list[Danger]:
        """What may lose calls."""
        found = []
        if self.aof == "no":
            told = "Redis keeps no append-only file: a crash of Redis forgets live calls"
            found.append(Danger(told, "set appendonly yes and appendfsync everysec"))
        if self.eviction not in {"noeviction", UNKNOWN}:
            told = f"Redis evicts keys when memory is short ({self.eviction})"
            found.append(Danger(told, "set maxmemory-policy noeviction, and give it memory enough"))
        if self.version.startswith("Redis ") and _numbers(self.version) < OLDEST:
            found.append(Danger(f"{self.version} is too old", "use Redis 6.2 or later, or Valkey"))
        return found

    def warnings(self) -> list[str]:
        """The same in one sentence each."""
        return [f"{danger.told}: {danger.cure}" for danger in self.dangers()]


def ping(redis: Redis) -> Health:
    """Raises StoreUnavailable."""
    started = time.monotonic()
    redis.execute_command("PING")
    latency_ms = (time.monotonic() - started) * 1000
    return Health(
        round(latency_ms, 3), _version(redis), _setting(redis, "maxmemory-policy"), _setting(redis, "appendonly")
    )


def identity(redis: Redis) -> frozenset[str]:
    """Of the servers that answer: another one after a restart or a failover. Empty where INFO is forbidden."""
    return frozenset(str(info.get("run_id", "")) for info in _infos(redis))


def _infos(redis: Redis) -> list[dict[str, object]]:
    """INFO of the server, or of each node of a Cluster."""
    try:
        info = redis.execute_command("INFO", "server")
    except StoreUnavailable:
        return []
    return [info] if "redis_version" in info else list(info.values())


def _version(redis: Redis) -> str:
    info = next(iter(_infos(redis)), None)
    if info is None:
        return UNKNOWN
    name = "Valkey" if "valkey_version" in info else "Redis"
    return f"{name} {info.get('valkey_version') or info.get('redis_version', UNKNOWN)}"


def _setting(redis: Redis, name: str) -> str:
    try:
        found = redis.execute_command("CONFIG GET", name)
    except StoreUnavailable:
        return UNKNOWN
    values = {_text(key): _text(value) for key, value in dict(found).items()}
    return values.get(name, UNKNOWN)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.partition(" ")[2].split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else OLDEST
