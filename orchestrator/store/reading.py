"""Reading calls: one, many, lists newest first, and the timeline of one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.store.codec import decode_call, decode_event, name_in
from orchestrator.store.errors import CallTooNew, CallUnreadable
from orchestrator.store.packing import unpacked
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestrator.core.call import Call
    from orchestrator.core.events import Event
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

Places = list[tuple[int, str]]
"""Positions in a list of calls: creation time (ms) and Call SID."""

CUT = "timeline-cut"
UNCHANGED = "unchanged"
BATCH = 100
_load_many = Script("load_many")


@dataclass(frozen=True)
class TimelineEntry:
    """One event and the call's state after it.

    `at` is the event's own time, `recorded_at` that of the commit (both ms). `event` is None where this release does
    not know it. `note` is `unchanged` when the event changed nothing. An entry named `timeline-cut` stands first when
    older entries were dropped; its note says how many.
    """

    at: int
    name: str
    event: Event | None
    state: dict[str, Any]
    version: int
    note: str = ""
    recorded_at: int = 0


@dataclass(frozen=True)
class Page:
    """Calls, newest first, and where the next page starts (None: there is none)."""

    calls: list[Call]
    cursor: str | None


class CallReader:
    """The reading half of `CallStore`. Thread-safe."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def load(self, call_sid: str) -> Call | None:
        document = self._redis.execute_command("HGET", self._keys.of(call_sid).document, "document")
        return decode_call(document, call_sid) if document else None

    def load_many(self, call_sids: Iterable[str]) -> list[Call]:
        """Those that exist, in the order asked for; one round trip per shard and 100 calls.

        Unreadable ones are left out, so that one of them does not take a whole list with it; `load` tells of them.
        """
        wanted = list(call_sids)
        by_shard: dict[int, list[str]] = defaultdict(list)
        for sid in wanted:
            by_shard[self._keys.shard_of(sid)].append(sid)
        found: dict[str, bytes] = {}
        for sids in by_shard.values():
            for start in range(0, len(sids), BATCH):
                part = sids[start : start + BATCH]
                documents = _load_many.run(self._redis, [self._keys.of(sid).document for sid in part])
                found.update(zip(part, documents, strict=True))
        calls = (_readable(found[sid], sid) for sid in wanted)
        return [call for call in calls if call is not None]

    def timeline(self, call_sid: str) -> list[TimelineEntry]:
        """Oldest first; empty for an unknown call."""
        keys = self._keys.of(call_sid)
        entries = [_entry(*each) for each in self._redis.execute_command("XRANGE", keys.timeline, "-", "+")]
        dropped = int(self._redis.execute_command("HGET", keys.document, "dropped") or 0)
        if dropped and entries:
            first = entries[0]
            note = f"{dropped} earlier entries were dropped"
            entries.insert(0, TimelineEntry(first.at, CUT, None, {}, first.version, note, first.recorded_at))
        return entries

    def list(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        live_only: bool = False,
        where: Callable[[Call], bool] | None = None,
    ) -> Page:
        """Newest first over all shards; a cursor that is not ours starts at the beginning.

        `where` filters; the page then looks through as many calls as needed to be full.
        """
        calls: list[Call] = []
        position = _position(cursor)
        while len(calls) < limit:
            wanted = limit - len(calls)
            places = self._next_places(position, BATCH if where else wanted, live_only=live_only)
            if not places:
                return Page(calls, None)
            known = {call.call_sid: call for call in self.load_many(sid for _, sid in places)}
            for position in places:
                call = known.get(position[1])
                if call is not None and (where is None or where(call)):
                    calls.append(call)
                if len(calls) == limit:
                    break
        return Page(calls, f"{position[0]}:{position[1]}" if position else None)

    def live_sids(self) -> Iterator[str]:
        """Every call that has not ended. Those whose document has expired are forgotten on the way."""
        for shard in range(self._keys.shards):
            name = self._keys.live(shard)
            sids = [each.decode() for each in self._redis.execute_command("ZRANGE", name, 0, -1)]
            for start in range(0, len(sids), BATCH):
                part = sids[start : start + BATCH]
                documents = _load_many.run(self._redis, [self._keys.of(sid).document for sid in part])
                for sid, document in zip(part, documents, strict=True):
                    if document:
                        yield sid
                    else:
                        self._redis.execute_command("ZREM", name, sid)

    def counters(self) -> dict[str, float]:
        """Counters added with commits, summed over all shards."""
        total: dict[str, float] = defaultdict(float)
        for shard in range(self._keys.shards):
            for name, value in self._redis.execute_command("HGETALL", self._keys.counters(shard)).items():
                total[name.decode()] += float(value)
        return dict(total)

    def _next_places(self, position: tuple[int, str] | None, count: int, *, live_only: bool) -> Places:
        """The next `count` calls after `position`, as (creation time, Call SID), newest first."""
        places: Places = []
        for shard in range(self._keys.shards):
            name = self._keys.live(shard) if live_only else self._keys.recent(shard)
            newest: int | str = "+inf"
            if position is not None:
                same = self._redis.execute_command("ZRANGEBYSCORE", name, position[0], position[0])
                places += [(position[0], sid.decode()) for sid in same if sid.decode() < position[1]]
                newest = f"({position[0]}"
            found = self._redis.execute_command(
                "ZREVRANGEBYSCORE", name, newest, "-inf", "WITHSCORES", "LIMIT", 0, count, withscores=True
            )
            places += [(int(float(score)), sid.decode()) for sid, score in found]
        return sorted(places, reverse=True)[:count]


def _position(cursor: str | None) -> tuple[int, str] | None:
    created_at, _, call_sid = (cursor or "").partition(":")
    return (int(created_at), call_sid) if created_at.isdecimal() and call_sid else None


def _readable(document: bytes, call_sid: str) -> Call | None:
    if not document:
        return None
    try:
        return decode_call(document, call_sid)
    except (CallTooNew, CallUnreadable):
        return None


def _entry(identifier: bytes, fields: dict[bytes, bytes]) -> TimelineEntry:
    recorded_at = int(identifier.partition(b"-")[0])
    told = unpacked(fields[b"event"])
    event = decode_event(told)
    return TimelineEntry(
        at=event.at if event else recorded_at,
        name=name_in(told),
        event=event,
        state=msgspec.json.decode(unpacked(fields[b"state"])),
        version=int(fields[b"version"]),
        note=fields[b"note"].decode(),
        recorded_at=recorded_at,
    )
