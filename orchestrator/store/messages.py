"""The messages of finished calls as the vendor returned them, kept beside the call, and how often it was asked.

There may be several such sources: the finished call's own list (`messages`) and the batch feed (`batch`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec

from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

T = TypeVar("T")
Source = Literal["messages", "batch"]
_keep = Script("messages_keep")


class MessageStore(Generic[T]):
    """Thread-safe. `kind` is the struct of one message; `ttl_s` how long messages are kept after they were fetched."""

    def __init__(self, redis: Redis, keys: Keys, kind: type[T], *, ttl_s: int) -> None:
        self._redis = redis
        self._keys = keys
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # a run-time type
        self._ttl_s = ttl_s

    def of(self, call_sid: str, source: Source = "messages") -> list[T] | None:
        """The messages as last kept; None when they have not been fetched."""
        text = self._redis.execute_command("HGET", self._keys.messages(call_sid), source)
        return None if text is None else list(self._decoder.decode(text))

    def keep(self, call_sid: str, messages: list[T], source: Source = "messages") -> bool:
        """Whether they were kept: nothing is of a call that has been forgotten."""
        names = [self._keys.messages(call_sid), self._keys.forgotten(call_sid)]
        return bool(_keep.run(self._redis, names, [source, msgspec.json.encode(messages), self._ttl_s]))

    def told(self, call_sid: str) -> None:
        """Notes that there is a first transcript of the call; nothing is of a call that has been forgotten."""
        names = [self._keys.messages(call_sid), self._keys.forgotten(call_sid)]
        _keep.run(self._redis, names, ["told", 1, self._ttl_s])

    def is_told(self, call_sid: str) -> bool:
        return bool(self._redis.execute_command("HEXISTS", self._keys.messages(call_sid), "told"))

    def looked(self, call_sid: str) -> int:
        """Notes one more look and returns how many there have been."""
        return self._counted(call_sid, "looks")

    def asked(self, call_sid: str) -> int:
        """The same for the times that the vendor was asked."""
        return self._counted(call_sid, "asked")

    def _counted(self, call_sid: str, what: str) -> int:
        name = self._keys.messages(call_sid)
        count = int(self._redis.execute_command("HINCRBY", name, what, 1))
        self._redis.execute_command("EXPIRE", name, self._ttl_s)
        return count
