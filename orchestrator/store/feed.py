"""The feed: which calls have changed and which utterances have come, in order, for those who follow them.

One capped Redis stream per shard, written by the very scripts that change a call or keep an utterance. An entry names
what changed and holds nothing of it: a reader loads the call, so words that were fenced or erased since are not told,
and the feed can always be rebuilt (whoever finds its place gone looks at the calls themselves).

A call's document says which entry is its latest (`shown`). A reader tells an entry only if it is that one: the others
are followed by it. So of many changes at once the last is told, and each entry is told at most once, whoever reads it
whenever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.store.codec import decode_call
from orchestrator.store.connect import LONGEST_BLOCK_S
from orchestrator.store.errors import CallUnreadable
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.call import Call
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

CAP = 20_000
"""Entries kept per shard: minutes of a busy floor, two megabytes."""
_BATCH = 100
_load = Script("feed_load")
_POSITION = re.compile(r"(\d{1,15}-\d{1,10})(,\d{1,15}-\d{1,10})*\Z")


class Place(NamedTuple):
    """Where in one shard's stream; entries are ordered by it."""

    ms: int
    serial: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.serial}"

    @classmethod
    def parse(cls, text: str) -> Place:
        ms, _, serial = text.partition("-")
        return cls(int(ms), int(serial))


START = Place(0, 0)
Position = tuple[Place, ...]
"""One place per shard: what a follower has been told of all of them."""


class Entry(NamedTuple):
    """`version` of a changed call, `utterance`: its key, `forgotten`: the digest of an erased call's SID."""

    place: Place
    call_sid: str = ""
    version: int = 0
    utterance: str = ""
    forgotten: str = ""


class Loaded(NamedTuple):
    """A call as it is now; None when it is gone. `shown`: the version of its latest entry."""

    call: Call | None
    shown: int


class Feed:
    """Thread-safe; every method raises StoreUnavailable when Redis is away."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self.shards = keys.shards

    def shard_of(self, call_sid: str) -> int:
        return self._keys.shard_of(call_sid)

    def end(self, shard: int) -> Place:
        """The last entry's place; `START` of a feed that was never written."""
        found = self._redis.execute_command("XREVRANGE", self._keys.feed(shard), "+", "-", "COUNT", 1)
        return Place.parse(found[0][0].decode()) if found else START

    def has(self, shard: int, place: Place) -> bool:
        """Whether nothing after this place can have been lost: its entry is there, or nothing was ever dropped."""
        name = self._keys.feed(shard)
        if place == START:
            return int(self._redis.execute_command("XLEN", name)) < CAP
        return bool(self._redis.execute_command("XRANGE", name, str(place), str(place)))

    def next(self, shard: int, after: Place, *, count: int = 500) -> list[Entry]:
        """The entries after this place; waits for a moment when there are none yet."""
        block_ms = int(LONGEST_BLOCK_S * 1000)
        found = self._redis.execute_command(
            "XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", self._keys.feed(shard), str(after)
        )
        return [_entry(*each) for each in found[0][1]] if found else []

    def live(self, shard: int) -> list[str]:
        """The calls that have not ended."""
        return [each.decode() for each in self._redis.execute_command("ZRANGE", self._keys.live(shard), 0, -1)]

    def between(self, shard: int, after: Place, until: Place, *, count: int = 2 * CAP) -> list[Entry]:
        """At most `count` entries after the one place, up to and including the other."""
        if until <= after:
            return []
        found = self._redis.execute_command("XRANGE", self._keys.feed(shard), f"({after}", str(until), "COUNT", count)
        return [_entry(*each) for each in found]

    def load(self, call_sids: Sequence[str]) -> dict[str, Loaded]:
        """These calls, all of one shard; one that cannot be read counts as gone."""
        loaded: dict[str, Loaded] = {}
        for start in range(0, len(call_sids), _BATCH):
            part = call_sids[start : start + _BATCH]
            found = _load.run(self._redis, [self._keys.of(sid).document for sid in part])
            for sid, document, shown in zip(part, found[::2], found[1::2], strict=True):
                loaded[sid] = Loaded(_readable(document, sid), int(shown or 0))
        return loaded

    def utterances(self, call_sid: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Records as stored; those that are gone are left out."""
        found = self._redis.execute_command("HMGET", self._keys.of(call_sid).utterances, *keys)
        return {key: record for key, record in zip(keys, found, strict=True) if record is not None}

    def all_utterances(self, call_sid: str) -> dict[str, bytes]:
        found = self._redis.execute_command("HGETALL", self._keys.of(call_sid).utterances)
        return {key.decode(): record for key, record in found.items()}


def position_of(text: str, shards: int) -> Position | None:
    """A position as a follower sends it back; None when it is none of ours."""
    if not _POSITION.match(text) or text.count(",") != shards - 1:
        return None
    return tuple(Place.parse(part) for part in text.split(","))


def text_of(position: Position) -> str:
    return ",".join(str(place) for place in position)


def _readable(document: bytes, call_sid: str) -> Call | None:
    try:
        return decode_call(document, call_sid) if document else None
    except CallUnreadable:
        return None


def _entry(identifier: bytes, fields: dict[bytes, Any]) -> Entry:
    return Entry(
        Place.parse(identifier.decode()),
        fields.get(b"call", b"").decode(),
        int(fields.get(b"version", 0)),
        fields.get(b"utterance", b"").decode(),
        fields.get(b"forgotten", b"").decode(),
    )
