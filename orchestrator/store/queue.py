"""A queue of keys that are due: level-triggered, leased, one worker per key.

Rules (client-go's work queue, shared by processes): many marks before a claim are one run; a mark during a run means
one more run after its release; never two workers hold one key, except that a worker that outlives its lease without
renewing loses the key to another (its token is refused from then on, requests it has already sent are not). Nothing
that is due is forgotten. Times are milliseconds by Redis's clock; a lease must outlast the longest action between two
renewals. Urgent keys are claimed before all others.
"""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.clock import Clock
from orchestrator.store.connect import LONGEST_BLOCK_S
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

_serial = itertools.count()
_NONCE = secrets.token_hex(4)
_add = Script("queue_add")
_claim = Script("queue_claim")
_renew = Script("queue_renew")
_release = Script("queue_release")
_state = Script("queue_state")


@dataclass(frozen=True)
class Claim:
    """The right to work on `key` until the lease ends. `was_taken_over`: its last worker did not release it.

    `is_urgent`: it was claimed as one.
    """

    key: str
    token: str
    shard: int
    was_taken_over: bool
    lease_ms: int
    is_urgent: bool = False


@dataclass(frozen=True)
class QueueState:
    """Of one shard: keys due now, due later, under a lease; the earliest times, None where there is none."""

    due: int
    later: int
    leased: int
    next_due_ms: int | None
    next_urgent_ms: int | None
    next_lease_end_ms: int | None
    now_ms: int


class DueQueue:
    """Thread-safe. `name` tells queues apart: `calls` is the one that `CallStore` marks with each commit.

    `clock` learns Redis's time from every claim and look: who works on calls follows a jump of that clock at once.
    """

    def __init__(self, redis: Redis, keys: Keys, name: str = "calls", clock: Clock | None = None) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock or Clock()
        self.name = name

    def mark(self, key: str, due_ms: int = 0, *, urgent: bool = False) -> None:
        """`key` is due at `due_ms` (0: now); an earlier mark stands, a later one is brought forward."""
        queue = self._keys.queue(self.name, self._keys.shard_of(key))
        _add.run(self._redis, queue, [key, max(0, due_ms), int(urgent)])

    def claim(self, worker: str, *, shard: int = 0, lease_ms: int = 4000, urgent_only: bool = False) -> Claim | None:
        """The next due key of the shard, or None. `urgent_only`: for reserved threads; urgent keys and dead leases."""
        sent = time.monotonic()
        keys = [*self._keys.queue(self.name, shard), self._keys.claim(shard, f"{worker}-{next(_serial)}-{_NONCE}")]
        now, *found = _claim.run(self._redis, keys, [worker, lease_ms, int(urgent_only)])
        self._clock.observe(now, sent, time.monotonic())
        if not found:
            return None
        key, token, taken_over, is_urgent = found
        return Claim(key.decode(), token.decode(), shard, bool(taken_over), lease_ms, bool(is_urgent))

    def renew(self, claim: Claim) -> bool:
        """Whether the claim still stands, now for another lease from this moment."""
        queue = self._keys.queue(self.name, claim.shard)
        return bool(_renew.run(self._redis, queue, [claim.key, claim.token, claim.lease_ms]))

    def release(
        self, claim: Claim, look_again_at: int | None = None, *, urgent: bool = False, is_put_off: bool = False
    ) -> bool:
        """Ends the claim; False when it had been lost (nothing is changed then). Marks made meanwhile come due.

        `is_put_off`: they do not; for who fails whenever it works on this key, and marked it itself.
        """
        queue = self._keys.queue(self.name, claim.shard)
        again = -1 if look_again_at is None else look_again_at
        return bool(_release.run(self._redis, queue, [claim.key, claim.token, again, int(urgent), int(is_put_off)]))

    def wait(self, shard: int, timeout_s: float, *, urgent_only: bool = False) -> None:
        """Returns when something may be claimable, at the latest after `timeout_s` (and up to 0.1 s more)."""
        queue = self._keys.queue(self.name, shard)
        lists = [queue.wake_urgent] if urgent_only else [queue.wake_urgent, queue.wake]
        deadline = time.monotonic() + min(timeout_s, self._next_look_s(shard, urgent_only=urgent_only))
        while (left := deadline - time.monotonic()) > 0:
            if self._redis.execute_command("BLPOP", *lists, f"{max(0.001, min(left, LONGEST_BLOCK_S)):.3f}"):
                return

    def state(self, shard: int) -> QueueState:
        sent = time.monotonic()
        due, later, leased, *times, now = _state.run(self._redis, self._keys.queue(self.name, shard))
        self._clock.observe(now, sent, time.monotonic())
        next_due, next_urgent, next_lease = (int(float(each)) if each else None for each in times)
        return QueueState(due, later, leased, next_due, next_urgent, next_lease, now)

    def depth(self) -> int:
        """Keys that are due and not claimed, over all shards."""
        return sum(self.state(shard).due for shard in range(self._keys.shards))

    def _next_look_s(self, shard: int, *, urgent_only: bool) -> float:
        state = self.state(shard)
        times = [state.next_urgent_ms, state.next_lease_end_ms, None if urgent_only else state.next_due_ms]
        return min((max(0, at - state.now_ms) / 1000 for at in times if at is not None), default=float("inf"))
