"""Erasing a call: everything it owns in Redis goes, a mark without its name stays for 40 days.

The mark keeps real-time messages that come late, the finished call's list (7 days) and the batch feed (32 days) from
bringing the words back, and a replayed message from beginning the call anew. Other names of the call (leg, conference)
expire by themselves; they lead nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.store.feed import CAP
from orchestrator.store.keys import DEAD_LETTERS, PARKED, digest_of
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

MARK_DAYS = 40
_forget = Script("forget")
_DAY_S = 86_400


def forget(redis: Redis, keys: Keys, call_sid: str) -> bool:
    """Whether there was anything; again is harmless. Raises StoreUnavailable."""
    own = keys.of(call_sid)
    names = [
        keys.forgotten(call_sid),
        keys.live(own.shard),
        keys.recent(own.shard),
        keys.feed(own.shard),
        keys.over(call_sid),
        own.document,
        own.timeline,
        own.utterances,
        own.heard,
        keys.messages(call_sid),
        keys.quarantine(call_sid),
        keys.delivery(call_sid),
        keys.audit(call_sid),
    ]
    was_there = bool(_forget.run(redis, names, [call_sid, MARK_DAYS * _DAY_S, digest_of(call_sid), CAP]))
    for each in (DEAD_LETTERS, PARKED):
        redis.execute_command("ZREM", each, call_sid)
    return was_there
