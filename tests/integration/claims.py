"""Claims of tests that take a worker's turns themselves.

Calls are marked as due by this process's clock, which may be some milliseconds ahead of Redis's: what is due by the one
is waited for until it is by the other.
"""

from __future__ import annotations

from orchestrator.store.queue import Claim, DueQueue
from orchestrator.worker.loop import LEASE_MS

_CLOCKS_DIFFER_BY_MS = 50


def claim_due(queue: DueQueue) -> Claim | None:
    """The next key of the first shard that is due; None when none is, by either clock."""
    while (claim := queue.claim("test", lease_ms=LEASE_MS)) is None:
        state = queue.state(0)
        times = [each for each in (state.next_due_ms, state.next_urgent_ms) if each is not None]
        if not times or min(times) > state.now_ms + _CLOCKS_DIFFER_BY_MS:
            return None
        queue.wait(0, _CLOCKS_DIFFER_BY_MS / 1000)
    return claim
