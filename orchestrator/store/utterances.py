"""Utterances as they arrive, beside the call that they belong to (a call's document stays small)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

_add = Script("utterance_add")


class UtteranceStore:
    """Thread-safe. `ttl_s` counts from the last utterance of a call."""

    def __init__(self, redis: Redis, keys: Keys, ttl_s: int) -> None:
        self._redis = redis
        self._keys = keys
        self._ttl_s = ttl_s

    def add(self, call_sid: str, key: str, record: bytes | Mapping[str, Any], received_at: int) -> bool:
        """Whether it was new; one round trip. `record`: a JSON object, or what becomes one. `received_at` in ms."""
        text = record if isinstance(record, bytes) else msgspec.json.encode({"received_at": received_at, **record})
        keys = self._keys.of(call_sid)
        return bool(_add.run(self._redis, [keys.utterances, keys.heard], [key, text, received_at, self._ttl_s]))

    def all(self, call_sid: str) -> list[dict[str, Any]]:
        """Every record with its `key`, in the order of `received_at` where records carry it."""
        found = self._redis.execute_command("HGETALL", self._keys.of(call_sid).utterances)
        records = [{"key": key.decode(), **msgspec.json.decode(text)} for key, text in found.items()]
        return sorted(records, key=lambda record: (record.get("received_at", 0), record["key"]))

    def last_heard(self, call_sid: str) -> int | None:
        """When the last utterance of the call was received (ms), repeated ones included."""
        found = self._redis.execute_command("GET", self._keys.of(call_sid).heard)
        return int(found) if found else None
