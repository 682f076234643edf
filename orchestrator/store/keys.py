"""Every key name, in one place.

All keys of one call, and the queues that it waits in, carry the hash tag `{n}` with n = CRC-32 of the Call SID modulo
the number of shards: one script can touch them all, on Redis Cluster too. With one shard (the default) every tag is
`{0}`. The number of shards is recorded in Redis at first use (`shards.py`), for with another number the keys would
be looked for elsewhere.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

PREFIX = "orchestrator"


class CallKeys(NamedTuple):
    """What one call owns. `shard` also names the lists and queues that it is in."""

    shard: int
    document: str
    timeline: str
    utterances: str
    heard: str


class QueueKeys(NamedTuple):
    """One queue in one shard, in the order in which the queue's scripts take them."""

    due: str
    urgent: str
    held_due: str
    held_urgent: str
    leases: str
    tokens: str
    serial: str
    wake: str
    wake_urgent: str


@dataclass(frozen=True)
class Keys:
    """Names for a given number of shards."""

    shards: int = 1

    def shard_of(self, text: str) -> int:
        return zlib.crc32(text.encode()) % self.shards

    def of(self, call_sid: str) -> CallKeys:
        shard = self.shard_of(call_sid)
        tag = f"{PREFIX}:{{{shard}}}"
        return CallKeys(
            shard,
            f"{tag}:call:{call_sid}",
            f"{tag}:timeline:{call_sid}",
            f"{tag}:utterances:{call_sid}",
            f"{tag}:heard:{call_sid}",
        )

    def messages(self, call_sid: str) -> str:
        """What the vendor had of the finished call, as fetched."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:messages:{call_sid}"

    def quarantine(self, call_sid: str) -> str:
        """Words that the fence took out, for the few hours that a profile may keep them."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:quarantine:{call_sid}"

    def delivery(self, call_sid: str) -> str:
        """What the sink was told of the call."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:delivery:{call_sid}"

    def forgotten(self, call_sid: str) -> str:
        """There while nothing of a forgotten call may come back; the name does not tell which call it was."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:forgotten:{digest_of(call_sid)}"

    def over(self, call_sid: str) -> str:
        """There while the SID of a call that has ended must not begin another."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:over:{call_sid}"

    def audit(self, call_sid: str) -> str:
        """What people did with this call in the console."""
        return f"{PREFIX}:{{{self.shard_of(call_sid)}}}:audit:{call_sid}"

    def live(self, shard: int) -> str:
        """Calls that have not ended; score: creation time."""
        return f"{PREFIX}:{{{shard}}}:live"

    def recent(self, shard: int) -> str:
        """All calls that are still kept; score: creation time."""
        return f"{PREFIX}:{{{shard}}}:recent"

    def feed(self, shard: int) -> str:
        """What changed, for those who follow calls; see `feed.py`."""
        return f"{PREFIX}:{{{shard}}}:feed"

    def counters(self, shard: int) -> str:
        return f"{PREFIX}:{{{shard}}}:counters"

    def index(self, kind: str, identifier: str) -> str:
        """Another name of a call (a leg, conference or task SID); it lies where its own name hashes to."""
        return f"{PREFIX}:{{{self.shard_of(identifier)}}}:index:{kind}:{identifier}"

    def parked(self, key: str) -> str:
        """Events that arrived before their call was known."""
        return f"{PREFIX}:{{{self.shard_of(key)}}}:parked:{key}"

    def claim(self, shard: int, once: str) -> str:
        """What one claim has got; see `queue_claim.lua`."""
        return f"{PREFIX}:{{{shard}}}:claim:{once}"

    def queue(self, name: str, shard: int) -> QueueKeys:
        return _queue(name, shard)


def digest_of(call_sid: str) -> str:
    """Knows a SID again that may not be kept."""
    return hashlib.sha256(call_sid.encode()).hexdigest()


@cache
def _queue(name: str, shard: int) -> QueueKeys:
    """Few and always the same; each event needs them."""
    tag = f"{PREFIX}:{{{shard}}}:queue:{name}"
    return QueueKeys(*(f"{tag}:{part.replace('_', '-')}" for part in QueueKeys._fields))


SLOW_QUEUE = "slow"
SHARDS = f"{PREFIX}:shards"
WORKERS = f"{PREFIX}:workers"
DAILY_LIVE = f"{PREFIX}:{{daily}}:live"
PARKED = f"{PREFIX}:parked-calls"
DEAD_LETTERS = f"{PREFIX}:dead-letters"
AUDIT = f"{PREFIX}:audit"


def bucket(name: str) -> tuple[str, str, str]:
    """Its tokens, who waits in line for one, and until when each of them keeps its place."""
    tag = f"{PREFIX}:{{bucket-{name}}}"
    return f"{tag}:tokens", f"{tag}:line", f"{tag}:places"


def places(name: str) -> str:
    return f"{PREFIX}:places:{name}"


def breaker(name: str) -> str:
    return f"{PREFIX}:{{breaker-{name}}}:state"


def breaker_waiting(name: str) -> str:
    return f"{PREFIX}:{{breaker-{name}}}:line"


def daily(day: str) -> str:
    """`day` of UTC, such as 2024-05-17."""
    return f"{PREFIX}:{{daily}}:{day}"


def lease(name: str) -> str:
    return f"{PREFIX}:lease:{name}"


def session(digest: str) -> str:
    return f"{PREFIX}:{{console}}:session:{digest}"


def opened(digest: str) -> str:
    """A transcript that a session has open."""
    return f"{PREFIX}:{{console}}:opened:{digest}"


def tries(digest: str) -> str:
    """How often somebody tried to sign in under this name or from this address."""
    return f"{PREFIX}:{{console}}:tries:{digest}"
