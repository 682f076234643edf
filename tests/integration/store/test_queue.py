"""The work queue: one worker per key, many marks one run, nothing forgotten, urgent ones first."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest

from orchestrator.core.events import CallArrived
from orchestrator.store.calls import CallStore
from orchestrator.store.connect import Redis, connect
from orchestrator.store.keys import Keys
from orchestrator.store.queue import Claim, DueQueue
from tests.integration.conftest import RedisServer

Eventually = Callable[[Callable[[], object]], None]
MakeStore = Callable[..., CallStore]
Arrive = Callable[..., CallArrived]


@pytest.fixture
def queue(redis: Redis) -> DueQueue:
    return DueQueue(redis, Keys())


def claimed(queue: DueQueue, **options: object) -> Claim:
    claim = queue.claim("worker", **options)  # type: ignore[arg-type]  # as in claim's signature
    assert claim is not None
    return claim


def now_of(redis: Redis) -> int:
    seconds, micros = redis.execute_command("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def test_many_marks_are_one_run(queue: DueQueue) -> None:
    """Marks before a claim are one claim."""
    for _ in range(5):
        queue.mark("CA1")

    claim = claimed(queue)

    assert claim.key == "CA1"
    assert queue.claim("other") is None
    assert queue.release(claim)
    assert queue.claim("other") is None


def test_a_mark_during_a_run_is_one_more_run(queue: DueQueue) -> None:
    """What became known during a run is looked at after it, not beside it."""
    queue.mark("CA1")
    claim = claimed(queue)
    queue.mark("CA1")
    queue.mark("CA1")

    assert queue.claim("other") is None
    queue.release(claim)

    assert claimed(queue).key == "CA1"
    assert queue.claim("other") is None


def test_an_earlier_mark_stands(redis: Redis, queue: DueQueue) -> None:
    """A later due time does not postpone a key, an earlier one brings it forward."""
    queue.mark("CA1", now_of(redis) + 60_000)
    assert queue.claim("worker") is None

    queue.mark("CA1")
    queue.mark("CA1", now_of(redis) + 60_000)

    assert claimed(queue).key == "CA1"


def test_urgent_keys_come_first(queue: DueQueue) -> None:
    """A wanted stop passes a herd of starts; reserved threads take nothing else."""
    for number in range(50):
        queue.mark(f"CA{number}")
    assert queue.claim("reserved", urgent_only=True) is None
    queue.mark("CA-stop", urgent=True)
    queue.mark("CA-stop-2", urgent=True)

    assert claimed(queue, urgent_only=True).key == "CA-stop"
    assert claimed(queue).key == "CA-stop-2"
    assert queue.depth() == 50


def test_an_urgent_key_due_later_waits_for_its_time(redis: Redis, queue: DueQueue) -> None:
    """The next try of a stop is first in line when it is due, not before."""
    queue.mark("CA1", now_of(redis) + 60_000, urgent=True)

    assert queue.claim("worker") is None
    assert queue.depth() == 0


class Repeating:
    """A client whose first answer is always lost: the command is sent again."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def execute_command(self, *args: object) -> object:
        self._redis.execute_command(*args)
        return self._redis.execute_command(*args)


def test_a_claim_whose_answer_was_lost_is_the_same_when_sent_again(redis: Redis, queue: DueQueue) -> None:
    """Nothing lies under a lease of nobody."""
    for key in ("CA1", "CA2"):
        queue.mark(key, urgent=key == "CA1")
    repeating = DueQueue(cast("Redis", Repeating(redis)), Keys())
    first, second = claimed(repeating), claimed(repeating)
    assert [(each.key, each.is_urgent) for each in (first, second)] == [("CA1", True), ("CA2", False)]
    assert repeating.claim("worker") is None
    assert all(queue.release(each) for each in (first, second))
    assert queue.state(0).leased == 0


def test_what_is_put_off_is_due_when_its_worker_says(redis: Redis, queue: DueQueue) -> None:
    """Marks that were made meanwhile do not bring it forward; later ones do."""
    queue.mark("CA1")
    claim = claimed(queue)
    queue.mark("CA1")
    queue.mark("CA1", urgent=True)

    assert queue.release(claim, now_of(redis) + 60_000, is_put_off=True)

    assert queue.claim("worker") is None
    assert queue.state(0).later == 1
    queue.mark("CA1")
    assert claimed(queue).key == "CA1"


def test_an_urgent_mark_during_a_run_stays_urgent(queue: DueQueue) -> None:
    """Urgency survives the wait for the release."""
    queue.mark("CA1")
    claim = claimed(queue)
    queue.mark("CA1", urgent=True)
    queue.mark("CA0")

    queue.release(claim)

    assert claimed(queue).key == "CA1"


def test_a_release_may_ask_for_another_look(redis: Redis, queue: DueQueue, eventually: Eventually) -> None:
    """`look_again_at` in the past is due at once, in the future then."""
    queue.mark("CA1")
    queue.release(claimed(queue), now_of(redis) - 1)
    queue.release(claimed(queue), now_of(redis) + 80)

    assert queue.claim("worker") is None
    eventually(lambda: queue.claim("worker"))


def test_a_dead_workers_key_is_taken_over(queue: DueQueue, eventually: Eventually) -> None:
    """After the lease another worker gets the key, is told so, and the late worker's token is refused."""
    queue.mark("CA1")
    dead = claimed(queue, lease_ms=60)
    assert not dead.was_taken_over
    taken: list[Claim] = []

    def take() -> bool:
        taken.extend(filter(None, [queue.claim("heir", urgent_only=True)]))
        return bool(taken)

    eventually(take)

    assert taken[0].was_taken_over
    assert not queue.renew(dead)
    assert not queue.release(dead, 0)
    assert queue.renew(taken[0])
    assert queue.release(taken[0])
    assert not queue.release(taken[0])
    assert queue.claim("worker") is None


def test_a_renewed_lease_is_not_taken_over(redis: Redis, queue: DueQueue, eventually: Eventually) -> None:
    """Renewal counts from its own moment."""
    queue.mark("CA1")
    claim = claimed(queue, lease_ms=150)
    until = now_of(redis) + 400

    def still_mine() -> bool:
        assert queue.renew(claim)
        assert queue.claim("thief") is None
        return now_of(redis) > until

    eventually(still_mine)


def test_shards_are_served_apart(redis: Redis) -> None:
    """A claim serves one shard; together the shards hold every key."""
    keys = Keys(4)
    queue = DueQueue(redis, keys)
    for number in range(20):
        queue.mark(f"CA{number}")
    assert queue.depth() == 20

    found = {}
    for shard in range(4):
        while claim := queue.claim("worker", shard=shard):
            found[claim.key] = claim.shard

    assert found == {f"CA{number}": keys.shard_of(f"CA{number}") for number in range(20)}


def test_queues_of_other_names_are_apart(redis: Redis, queue: DueQueue) -> None:
    """Slow work does not meet calls."""
    DueQueue(redis, Keys(), "after-call").mark("CA1")

    assert queue.claim("worker") is None


def test_waiting_ends_with_the_next_due_time(redis: Redis, queue: DueQueue) -> None:
    """An idle worker sleeps no longer than until a key that it knows of comes due."""
    queue.mark("CA1", now_of(redis) + 300)
    queue.claim("worker")
    started = time.monotonic()
    queue.wait(0, 10)  # the wake-up that the mark left
    queue.wait(0, 10)

    assert 0.2 < time.monotonic() - started < 1.0
    assert claimed(queue).key == "CA1"


def test_waiting_ends_by_itself(queue: DueQueue) -> None:
    """With nothing to do a wait lasts its time-out."""
    started = time.monotonic()

    queue.wait(0, 0.7, urgent_only=True)

    assert 0.6 < time.monotonic() - started < 1.5


def test_an_idle_worker_starts_within_milliseconds(
    redis_server: RedisServer, queue: DueQueue, record_property: Callable[[str, object], None]
) -> None:
    """From mark to claim on a waiting worker: a few milliseconds in the median, even on a busy machine."""
    mine = DueQueue(connect(redis_server.url), Keys())
    started: list[float] = []
    ready = threading.Semaphore(0)
    rounds = 60

    def work() -> None:
        while len(started) < rounds:
            if claim := mine.claim("worker"):
                started.append(time.perf_counter())
                mine.release(claim)
                ready.release()
            else:
                mine.wait(0, 1.0)

    worker = threading.Thread(target=work)
    worker.start()
    waits = []
    for number in range(rounds):
        marked = time.perf_counter()
        queue.mark(f"CA{number}")
        assert ready.acquire(timeout=10)
        waits.append((started[-1] - marked) * 1000)
        time.sleep(0.005)  # lets the worker fall asleep, the case that is measured
    worker.join()
    mine._redis.close()

    record_property("wake_up_ms_p50", statistics.median(waits))
    assert statistics.median(waits) < 20


def test_commits_wake_the_right_workers(redis: Redis, make_store: MakeStore, arrived: Arrive) -> None:
    """A commit that needs a stop is claimable by reserved threads; another commit is not."""
    queue = DueQueue(redis, Keys())
    make_store(urgent=False).begin(arrived("CA1"))
    assert queue.claim("reserved", urgent_only=True) is None
    make_store(urgent=True).begin(arrived("CA2"))

    assert claimed(queue, urgent_only=True).key == "CA2"
