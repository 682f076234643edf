"""What the sink was told of each call, what is on its way to it, and the dead letters.

One hash a call, no words in it: `told` (digest of what was delivered last) and of the message under way its `id`,
`digest`, `made_at`, `attempts` and latest `error`. A dead letter is a call in one more list; what is sent when it is
replayed is what the call's transcript is then. Only the holder of the call's place in the queue writes.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from orchestrator.store import keys as names

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

DEAD_DAYS = 30
_DAY_S = 86_400
_UNDER_WAY = ("id", "digest", "made_at", "attempts", "error")


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way, or a dead letter. Times in ms; `began_at`: the call's start, for the archive."""

    call_sid: str
    id: str = ""
    digest: str = ""
    made_at: int = 0
    attempts: int = 0
    error: str = ""
    began_at: int | None = None
    told: str = ""


class Deliveries:
    """Thread-safe. `ttl_s`: how long it is remembered what was told; dead letters are kept for 30 days."""

    def __init__(self, redis: Redis, keys: Keys, ttl_s: int) -> None:
        self._redis = redis
        self._keys = keys
        self._ttl_s = ttl_s

    def of(self, call_sid: str) -> Delivery:
        found = self._redis.execute_command("HGETALL", self._keys.delivery(call_sid))
        fields = {name.decode(): value.decode() for name, value in found.items()}
        return msgspec.convert({"call_sid": call_sid, **fields}, Delivery, strict=False)

    def begin(self, before: Delivery, digest: str, made_at: int, began_at: int) -> Delivery:
        """The message of this content: the one under way if that has it, else a new one with an id of its own."""
        if before.digest == digest and before.id:
            return before
        fresh = msgspec.structs.replace(
            before,
            id=f"msg_{secrets.token_hex(12)}",
            digest=digest,
            made_at=made_at,
            attempts=0,
            error="",
            began_at=began_at,
        )
        self._put(fresh, self._ttl_s)
        return fresh

    def settled(self, call_sid: str, digest: str) -> None:
        """The sink has this content; nothing is under way."""
        name = self._keys.delivery(call_sid)
        self._redis.execute_command("HSET", name, "told", digest)
        self._redis.execute_command("HDEL", name, *_UNDER_WAY)
        self._redis.execute_command("EXPIRE", name, self._ttl_s)
        self._redis.execute_command("ZREM", names.DEAD_LETTERS, call_sid)

    def failed(self, delivery: Delivery, error: str) -> Delivery:
        """One more attempt was in vain; `error` is a short word."""
        after = msgspec.structs.replace(delivery, attempts=delivery.attempts + 1, error=error)
        self._put(after, self._ttl_s)
        return after

    def bury(self, delivery: Delivery, now_ms: int) -> None:
        """It is not tried again until somebody replays it."""
        self._put(delivery, DEAD_DAYS * _DAY_S)
        self._redis.execute_command("ZADD", names.DEAD_LETTERS, now_ms, delivery.call_sid)
        self._redis.execute_command("EXPIRE", names.DEAD_LETTERS, DEAD_DAYS * _DAY_S)
        oldest = now_ms - DEAD_DAYS * _DAY_S * 1000
        self._redis.execute_command("ZREMRANGEBYSCORE", names.DEAD_LETTERS, "-inf", oldest)

    def dead(self) -> list[Delivery]:
        """The dead letters, oldest first."""
        sids = [sid.decode() for sid in self._redis.execute_command("ZRANGE", names.DEAD_LETTERS, 0, -1)]
        return [self.of(sid) for sid in sids]

    def dead_count(self) -> int:
        return int(self._redis.execute_command("ZCARD", names.DEAD_LETTERS))

    def revive(self, call_sid: str) -> bool:
        """Whether it was a dead letter: its attempts count anew, its id stays. The caller makes it due."""
        if not self._redis.execute_command("ZREM", names.DEAD_LETTERS, call_sid):
            return False
        name = self._keys.delivery(call_sid)
        self._redis.execute_command("HDEL", name, "attempts", "error")
        self._redis.execute_command("EXPIRE", name, self._ttl_s)
        return True

    def forget(self, call_sid: str) -> None:
        self._redis.execute_command("DEL", self._keys.delivery(call_sid))
        self._redis.execute_command("ZREM", names.DEAD_LETTERS, call_sid)

    def _put(self, delivery: Delivery, ttl_s: int) -> None:
        name = self._keys.delivery(delivery.call_sid)
        fields = msgspec.structs.asdict(delivery)
        flat = [part for key in (*_UNDER_WAY, "began_at") for part in (key, fields[key])]
        self._redis.execute_command("HSET", name, *flat)
        self._redis.execute_command("EXPIRE", name, ttl_s)
