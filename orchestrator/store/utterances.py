"""Utterances as they arrive, beside the call that they belong to (a call's document stays small)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.store.feed import CAP
from orchestrator.store.keys import SLOW_QUEUE
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

LATE_LOOK_MS = 2_000
"""Messages come in groups: one look is for all of them."""

_add = Script("utterance_add")
_scrub = Script("utterances_scrub")


class Added(IntEnum):
    """What became of an utterance. `LATE`: new, but the finished call has been looked at already: it is due again."""

    FORGOTTEN = -1
    REPEATED = 0
    STORED = 1
    LATE = 2


class UtteranceStore:
    """Thread-safe. `ttl_s` counts from the last utterance of a call."""

    def __init__(self, redis: Redis, keys: Keys, ttl_s: int) -> None:
        self._redis = redis
        self._keys = keys
        self._ttl_s = ttl_s

    def add(self, call_sid: str, key: str, record: bytes | Mapping[str, Any], received_at: int) -> Added:
        """One round trip, whatever becomes of it. `record`: a JSON object, or what becomes one. `received_at` in ms."""
        text = record if isinstance(record, bytes) else msgspec.json.encode({"received_at": received_at, **record})
        keys = self._keys.of(call_sid)
        names = [
            keys.utterances,
            keys.heard,
            self._keys.messages(call_sid),
            self._keys.forgotten(call_sid),
            self._keys.feed(keys.shard),
            *self._keys.queue(SLOW_QUEUE, keys.shard),
            keys.document,
        ]
        look_at = received_at + LATE_LOOK_MS
        return Added(_add.run(self._redis, names, [key, text, received_at, self._ttl_s, call_sid, CAP, look_at]))

    def scrub(self, call_sid: str, records: Mapping[str, Mapping[str, Any]], *, keep_words_s: int = 0) -> int:
        """Replaces records by what may be kept of them; the words go aside for `keep_words_s`, or for good."""
        if not records:
            return 0
        flat: list[str | bytes | int] = []
        for key, record in records.items():
            flat += [key, msgspec.json.encode(record)]
        names = [self._keys.of(call_sid).utterances, self._keys.quarantine(call_sid)]
        return int(_scrub.run(self._redis, names, [keep_words_s, *flat]))

    def is_forgotten(self, call_sid: str) -> bool:
        """Whether the call was erased: nothing said in it may be kept or written any more, whatever the source."""
        return bool(self._redis.execute_command("EXISTS", self._keys.forgotten(call_sid)))

    def all(self, call_sid: str) -> list[dict[str, Any]]:
        """Every record with its `key`, in the order of `received_at` where records carry it."""
        return self._records(self._keys.of(call_sid).utterances)

    def quarantined(self, call_sid: str) -> list[dict[str, Any]]:
        """The quarantined records with their words, where a profile keeps them; for people who look into a leak."""
        return self._records(self._keys.quarantine(call_sid))

    def last_heard(self, call_sid: str) -> int | None:
        """When the last utterance of the call was received (ms), repeated ones included."""
        found = self._redis.execute_command("GET", self._keys.of(call_sid).heard)
        return int(found) if found else None

    def _records(self, name: str) -> list[dict[str, Any]]:
        found = self._redis.execute_command("HGETALL", name)
        records = [{**msgspec.json.decode(text), "key": key.decode()} for key, text in found.items()]
        return sorted(records, key=lambda record: (record.get("received_at", 0), record["key"]))
