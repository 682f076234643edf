"""Calls in Redis: one document each, changed only by committing an event.

A commit is one script (`commit.lua`): compare the version, then document, timeline, lists, counters, feed, due mark
and wake-up together. The decisions are the core's (`rules.Rules`), which are pure, so a conflict simply decides again
from the newer document. A commit that Redis carried out but whose answer was lost is recognised when it is sent again.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from orchestrator.core.call import Progress
from orchestrator.core.events import ActionIntended, CallAdopted, CallArrived
from orchestrator.store.codec import decode_call, encode, state_of
from orchestrator.store.errors import CallContended, CallIsOver
from orchestrator.store.feed import CAP
from orchestrator.store.indexes import Indexes, ParkedEvents
from orchestrator.store.keys import Keys
from orchestrator.store.packing import packed
from orchestrator.store.reading import UNCHANGED, CallReader
from orchestrator.store.scripts import Script
from orchestrator.store.shards import agree_on_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.clock import Clock
    from orchestrator.core.call import Call
    from orchestrator.core.events import Event
    from orchestrator.store.connect import Redis
    from orchestrator.store.rules import Rules

OVER_DAYS = 30
"""How much longer than the call itself its SID is kept, so that a message replayed later begins no call."""
TRIES = 20
TRIES_AT_ONCE = 5
_commit_script = Script("commit")
_serial = itertools.count()
_DAY_S = 86_400


class Told(Protocol):
    """Hears of each commit: the call after it, the event, and when it was sent (ns since the epoch)."""

    def __call__(self, after: Call, event: Event, began: int, *, is_changed: bool) -> None: ...


@dataclass(frozen=True)
class Applied:
    """What an event did. `before` is None and `is_new` true for the event that began the call."""

    before: Call | None
    after: Call
    is_new: bool
    is_changed: bool


class _Conflict(Exception):  # noqa: N818  a turn in the control flow, caught in this file
    """Another commit came first; `stored` is the call as it is now, None when there is none (any more)."""

    def __init__(self, stored: Call | None) -> None:
        super().__init__("conflict")
        self.stored = stored


class CallStore(CallReader, Indexes, ParkedEvents):
    """All calls. Thread-safe; every method raises StoreUnavailable when Redis is.

    `call_ttl_s`: how long a call is kept after its last event; longer than any call. `told` hears of each commit, in
    the thread that made it. The first write of a process
    checks the recorded number of shards and raises StoreMisconfigured when it is another one.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        rules: Rules,
        clock: Clock,
        shards: int = 1,
        call_ttl_s: int,
        timeline_cap: int = 2000,
        told: Told | None = None,
    ) -> None:
        keys = Keys(shards)
        CallReader.__init__(self, redis, keys)
        Indexes.__init__(self, redis, keys)
        self.keys = keys
        self._rules = rules
        self._clock = clock
        self._call_ttl_s = call_ttl_s
        self._timeline_cap = timeline_cap
        self._told = told
        self._has_agreed = False

    def begin(self, event: CallArrived | CallAdopted, *, indexes: Iterable[tuple[str, str]] = ()) -> Applied:
        """Starts the call, in one round trip; a call that exists gets the event like any other.

        Raises CallIsOver for the SID of a call that has ended or was erased, and is no longer kept.
        `indexes`: further names (kind, identifier); written with the call where they share its shard, else just before.
        """
        call_sid = event.call_sid
        shared = []
        for kind, identifier in indexes:
            if self._keys.shard_of(identifier) == self._keys.shard_of(call_sid):
                shared.append(self._keys.index(kind, identifier))
            else:
                self.index(kind, identifier, call_sid, self._call_ttl_s)
        first = self._rules.begin(event)
        try:
            return self._commit(None, first, event, shared_indexes=shared)
        except _Conflict as conflict:
            applied = self._apply_from(conflict.stored, call_sid, event)
        if applied is None:  # it expired between two tries: a call of days ago under the same SID
            raise CallContended(call_sid, TRIES)
        return applied

    def apply(self, call_sid: str, event: Event) -> Applied | None:
        """Commits the event to the call whatever else commits meanwhile; None for an unknown call."""
        return self._apply_from(self.load(call_sid), call_sid, event)

    def apply_to(self, call: Call, event: Event) -> Applied | None:
        """The same for who has loaded the call just now: one round trip where nobody else has changed it since."""
        return self._apply_from(call, call.call_sid, event)

    def commit(self, before: Call, event: Event, *, note: str = "") -> Applied | None:
        """Commits the event only if the call is still exactly `before`; None when it is not (plan again then)."""
        try:
            return self._commit(before, self._rules.transition(before, event), event, note=note)
        except _Conflict:
            return None

    def _apply_from(self, stored: Call | None, call_sid: str, event: Event) -> Applied | None:
        for attempt in range(TRIES):
            if stored is None:
                return None
            after = self._rules.transition(stored, event)
            try:
                return self._commit(stored, after, event)
            except _Conflict as conflict:
                stored = conflict.stored
            if attempt >= TRIES_AT_ONCE:  # many rivals: spread them, and look again, for what was told is old by then
                time.sleep(random.uniform(0, 0.001 * attempt))  # noqa: S311  no secret
                stored = self.load(call_sid)
        raise CallContended(call_sid, TRIES)

    def _commit(
        self,
        before: Call | None,
        after: Call,
        event: Event,
        *,
        shared_indexes: Iterable[str] = (),
        note: str = "",
    ) -> Applied:
        if not self._has_agreed:
            agree_on_shards(self._redis, self._keys.shards)
            self._has_agreed = True
        stored_version = before.version if before else 0
        is_changed = before is None or msgspec.structs.replace(after, version=stored_version) != before
        after = msgspec.structs.replace(after, version=stored_version + 1) if is_changed else before or after
        due, is_urgent = self._mark_for(after, event)
        counters = self._rules.measure(before, after, event)
        keys = self._keys.of(after.call_sid)
        sent, sent_at = time.monotonic(), time.time_ns()
        reply = _commit_script.run(
            self._redis,
            [
                keys.document,
                keys.timeline,
                self._keys.live(keys.shard),
                self._keys.recent(keys.shard),
                self._keys.counters(keys.shard),
                *self._keys.queue("calls", keys.shard),
                self._keys.over(after.call_sid),
                self._keys.forgotten(after.call_sid),
                self._keys.feed(keys.shard),
                *shared_indexes,
            ],
            [
                after.call_sid,
                before.version if before else "",
                after.version,
                encode(after) if is_changed else b"",
                _commit_id(),
                packed(encode(event)),
                packed(encode(state_of(after))),
                note or ("" if is_changed else UNCHANGED),
                self._timeline_cap,
                self._call_ttl_s,
                due,
                int(is_urgent),
                int(after.is_ended),
                after.created_at,
                self._call_ttl_s + OVER_DAYS * _DAY_S if after.progress is Progress.ENDED else 0,
                CAP if before is None or (is_changed and self._rules.is_seen_to_change(before, after)) else "",
                self._rules.fenced_until(after),
                *_flat(counters),
            ],
        )
        self._clock.observe(reply[1], sent, time.monotonic())
        if reply[0] < 0:
            raise CallIsOver(after.call_sid)
        if not reply[0]:
            raise _Conflict(decode_call(reply[2], after.call_sid) if reply[2:] and reply[2] else None)
        if self._told is not None:
            self._told(after, event, sent_at, is_changed=is_changed)
        return Applied(before, after, before is None, is_changed)

    def _mark_for(self, call: Call, event: Event) -> tuple[int, bool]:
        """When the call is due (ms; -1 not at all), and whether before all others.

        While an intent is in flight nothing is planned, and whoever stored it may be gone or know nothing of it: all
        that comes meanwhile makes the call due, which waits for the release where somebody works on it.
        """
        now = self._clock.now_ms()
        plan = self._rules.reconcile(call, now)
        is_urgent = self._rules.is_urgent(call, plan)
        is_left_alone = call.in_flight is not None and not isinstance(event, ActionIntended)
        if plan.action is not None or is_left_alone:
            return max(1, now - self._rules.head_start_ms(call, now)), is_urgent
        return (-1 if plan.look_again_at is None else max(1, plan.look_again_at)), is_urgent


def _commit_id() -> str:
    """Never the same twice, in a process forked from another either."""
    return f"{os.getpid()}-{next(_serial)}-{_NONCE}"


_NONCE = secrets.token_hex(4)


def _flat(counters: Mapping[str, float]) -> list[str | float]:
    """Name, value, name, value ...; Redis would refuse infinities halfway through the script, after other writes."""
    return [part for pair in counters.items() if math.isfinite(pair[1]) and pair[1] for part in pair]
