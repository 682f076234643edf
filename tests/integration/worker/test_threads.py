"""The threads of one worker process: how they share looking for work."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

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


class BrokenQueue(DueQueue):
    """Raises what nobody foresaw at its first claims and releases."""

    troubles: deque[str]

    def claim(self, worker: str, *, shard: int = 0, lease_ms: int = 4000, urgent_only: bool = False) -> Claim | None:
        self._break("claim")
        shorter = min(lease_ms, 500)  # a claim that could not be given back is taken over soon
        return super().claim(worker, shard=shard, lease_ms=shorter, urgent_only=urgent_only)

    def release(
        self, claim: Claim, look_again_at: int | None = None, *, urgent: bool = False, is_put_off: bool = False
    ) -> bool:
        self._break("release")
        return super().release(claim, look_again_at, urgent=urgent, is_put_off=is_put_off)

    def _break(self, where: str) -> None:
        if where in self.troubles:
            self.troubles.remove(where)
            raise ZeroDivisionError


def broken(queue: DueQueue, desk: Desk) -> BrokenQueue:
    made = BrokenQueue(desk.services.redis, desk.services.store.keys, queue.name, desk.services.clock)
    made.troubles = deque(["claim", "claim", "release"])
    return made


def test_threads_survive_what_nobody_foresaw(desk: Desk, eventually: Eventually) -> None:
    """Of calls, of stops and of the slow queue: all still serve, and the log says what each of them met."""
    calls, slow = broken(desk.services.queue, desk), broken(desk.services.slow_queue, desk)
    worker = Worker(replace(desk.services, queue=calls, slow_queue=slow), 2)
    with capture_logs() as logs:
        worker.start()
        try:
            for queue in (calls, slow):
                queue.mark("CA" + "0" * 32, 1)
            eventually(lambda: not calls.troubles and not slow.troubles)
            eventually(lambda: [queue.state(0).leased for queue in (calls, slow)] == [0, 0])
            assert all(thread.is_alive() for thread in worker._running)
        finally:
            worker.stop()
    told = Counter(each["event"] for each in logs)
    assert (told["worker-thread-failed"], told["slow-work-thread-failed"]) == (3, 3)
