"""The threads of one worker process: how they share looking for work."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from orchestrator.store.queue import Claim, DueQueue
from orchestrator.worker.loop import Worker
from tests.integration.worker.conftest import Desk

THREADS, CALLS = 16, 12
Eventually = Callable[[Callable[[], object]], None]


class WatchedQueue(DueQueue):
    """Remembers how many threads of each role waited at a time, and what was claimed."""

    waiting: Counter[bool]
    most: Counter[bool]
    claimed: list[str]
    lock: threading.Lock

    def claim(self, worker: str, *, shard: int = 0, lease_ms: int = 4000, urgent_only: bool = False) -> Claim | None:
        claim = super().claim(worker, shard=shard, lease_ms=lease_ms, urgent_only=urgent_only)
        if claim is not None:
            self.claimed.append(claim.key)
        return claim

    def wait(self, shard: int, timeout_s: float, *, urgent_only: bool = False) -> None:
        with self.lock:
            self.waiting[urgent_only] += 1
            self.most |= self.waiting
        super().wait(shard, timeout_s, urgent_only=urgent_only)
        with self.lock:
            self.waiting[urgent_only] -= 1


@pytest.fixture
def watched(desk: Desk) -> Iterator[WatchedQueue]:
    """The queue of a running worker."""
    services = desk.services
    queue = WatchedQueue(services.redis, services.store.keys, clock=services.clock)
    queue.waiting, queue.most, queue.claimed, queue.lock = Counter(), Counter(), [], threading.Lock()
    worker = Worker(replace(services, queue=queue), THREADS)
    worker.start()
    yield queue
    worker.stop()


def test_one_idle_thread_of_a_role_waits_for_all(watched: WatchedQueue, eventually: Eventually) -> None:
    """A call that comes due by the clock wakes no herd, and whoever takes it leaves another thread waiting."""
    now = watched.state(0).now_ms
    for number in range(CALLS):
        watched.mark(f"CA{number:032x}", now + 200 + 50 * number)
    eventually(lambda: len(watched.claimed) == CALLS)
    eventually(lambda: watched.waiting == {False: 1, True: 1})
    assert watched.most == {False: 1, True: 1}
