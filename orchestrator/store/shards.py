"""The number of shards, recorded in Redis at first use and compared ever after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.store import keys
from orchestrator.store.errors import StoreMisconfigured

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis


def agree_on_shards(redis: Redis, shards: int) -> None:
    """Records the number, or raises StoreMisconfigured when this Redis was filled with another one."""
    redis.execute_command("SET", keys.SHARDS, shards, "NX")
    recorded = int(redis.execute_command("GET", keys.SHARDS) or shards)
    if recorded != shards:
        raise StoreMisconfigured(
            f"REDIS_SHARDS is {shards}, but this Redis holds calls in {recorded} shards; set it to {recorded},"
            " or empty this Redis first",
            recorded=recorded,
            configured=shards,
        )


def recorded_shards(redis: Redis) -> int | None:
    """The number that this Redis was filled with; None: it is new. Only reads."""
    recorded = redis.get(keys.SHARDS)
    return None if recorded is None else int(recorded)
