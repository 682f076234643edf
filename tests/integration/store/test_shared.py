"""What processes share beside calls: budgets, utterances, heartbeats, leases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.store import keys
from orchestrator.store.breakers import NET_MS, Breaker
from orchestrator.store.budgets import ConcurrencyLimit, TokenBucket
from orchestrator.store.connect import Redis
from orchestrator.store.heartbeat import Heartbeat, Lease
from orchestrator.store.keys import Keys
from orchestrator.store.queue import DueQueue
from orchestrator.store.utterances import UtteranceStore

Eventually = Callable[[Callable[[], object]], None]


def test_a_bucket_gives_its_burst_and_keeps_the_reserve_for_stops(redis: Redis) -> None:
    """Starts leave a fifth; stops take what is left, then wait too."""
    bucket = TokenBucket(redis, "asapp", rate_per_s=0.1, burst=10)

    assert [bucket.take() for _ in range(8)] == [0] * 8
    assert 9_000 <= bucket.take() <= 10_000
    assert [bucket.take(is_stop=True) for _ in range(2)] == [0, 0]
    assert bucket.take(is_stop=True) > 0
    assert bucket.take() > bucket.take(is_stop=True)


def test_a_bucket_fills_by_the_clock(redis: Redis, eventually: Eventually) -> None:
    """After the told wait a token is there; the bucket's key expires when idle."""
    bucket = TokenBucket(redis, "asapp", rate_per_s=20, burst=1)
    assert bucket.take() == 0
    assert 1 <= bucket.take() <= 50

    eventually(lambda: bucket.take() == 0)
    assert redis.execute_command("TTL", keys.bucket("asapp")[0]) > 0


def test_who_waits_for_a_token_is_told_its_turn(redis: Redis) -> None:
    """By rank and not by arrival: one token's time apart, and whoever comes with a higher rank goes before."""
    bucket = TokenBucket(redis, "asapp", rate_per_s=1, burst=1)
    assert bucket.take() == 0
    turns = {who: bucket.take(who=who, rank=rank) for rank, who in enumerate(("old", "new", "newest"), start=1)}
    assert all(900 < wait <= 1000 for wait in turns.values()), "each was the first of all when it asked"
    again = [bucket.take(who=who, rank=rank) for rank, who in enumerate(("old", "new", "newest"), start=1)]
    assert [round(wait / 1000) for wait in again] == [3, 2, 1]
    assert all(redis.execute_command("TTL", key) > 0 for key in keys.bucket("asapp"))


def test_who_does_not_come_back_gives_its_place_up(redis: Redis, eventually: Eventually) -> None:
    """A call that found something better to do keeps nobody waiting for longer than two seconds after its turn."""
    bucket = TokenBucket(redis, "asapp", rate_per_s=20, burst=1)
    assert bucket.take() == 0
    bucket.take(who="gone", rank=2)
    assert bucket.take(who="left", rank=1) > 50, "behind the one who is expected"
    eventually(lambda: bucket.take(who="left", rank=1) == 0)
    assert redis.execute_command("ZCARD", keys.bucket("asapp")[1]) == 0


def test_stops_wait_in_no_line(redis: Redis) -> None:
    """However many wait, a stop finds the reserve."""
    bucket = TokenBucket(redis, "asapp", rate_per_s=0.1, burst=10)
    for number in range(50):
        bucket.take(who=f"CA{number}", rank=number)
    assert bucket.take(is_stop=True) == 0


def test_a_breaker_opens_after_five_failures_in_a_row(redis: Redis) -> None:
    """An answer in between begins anew; one probe goes while it is open, sent by those who may."""
    breaker = Breaker(redis, "asapp-starts", nobody)
    for _ in range(4):
        assert not breaker.failed().is_open
    breaker.answered()
    assert [breaker.failed().is_opened for _ in range(5)] == [False] * 4 + [True]
    assert 0 < breaker.ask("CA1") <= 2_000
    assert breaker.ask("CA2") == NET_MS, "somebody else is to send the probe"
    redis.execute_command("HSET", keys.breaker("asapp-starts"), "open_until", 1)
    assert breaker.join("CA3") == NET_MS
    assert breaker.ask("CA1") == 0
    assert breaker.ask("CA2") > 0
    assert breaker.state() == {"open": True, "failures": 5, "waiting": 3}
    breaker.answered()
    assert breaker.ask("CA2") == 0


def nobody(_who: str, _due_ms: int) -> None:
    """Is woken."""


def test_a_breaker_that_closes_wakes_the_newest_first(redis: Redis) -> None:
    """All are due at once, a millisecond apart in the order of their ranks."""
    queue = DueQueue(redis, Keys())
    breaker = Breaker(redis, "asapp-starts", queue.mark)
    breaker.failed(at_once=True)
    for rank in (3, 9, 1, 7):
        breaker.ask(f"CA{rank}", rank)
    breaker.answered()
    due = redis.execute_command("ZRANGE", Keys().queue("calls", 0).due, 0, -1, "WITHSCORES")
    assert [who.decode() for who in due[::2]] == ["CA9", "CA7", "CA3", "CA1"]
    times = [int(float(at)) for at in due[1::2]]
    assert times == list(range(times[0], times[0] + 4))


def test_places_are_limited(redis: Redis) -> None:
    """One more than the limit is refused until one leaves."""
    limit = ConcurrencyLimit(redis, "twilio", 2)
    first, second = limit.enter(), limit.enter()
    assert first is not None
    assert second is not None
    assert limit.enter() is None

    limit.leave(first)

    assert limit.enter() is not None


def test_a_dead_holder_frees_its_place(redis: Redis, eventually: Eventually) -> None:
    """A place that is not left comes free with its lease."""
    limit = ConcurrencyLimit(redis, "twilio", 1, lease_ms=50)
    limit.enter()

    eventually(limit.enter)


def test_an_utterance_is_kept_once(redis: Redis) -> None:
    """A repeated key is not new, keeps the first record, and counts as heard."""
    utterances = UtteranceStore(redis, Keys(), ttl_s=60)
    assert utterances.last_heard("CA1") is None

    assert utterances.add("CA1", "b", {"text": "second"}, 2_000_000_000_002)
    assert utterances.add("CA1", "a", b'{"text": "first", "received_at": 1}', 2_000_000_000_001)
    assert not utterances.add("CA1", "b", {"text": "other"}, 2_000_000_000_003)

    assert [record["text"] for record in utterances.all("CA1")] == ["first", "second"]
    assert [record["key"] for record in utterances.all("CA1")] == ["a", "b"]
    assert utterances.last_heard("CA1") == 2_000_000_000_003
    assert all(redis.execute_command("TTL", key) > 0 for key in redis.execute_command("KEYS", "*"))


def test_workers_count_as_alive_until_their_beat_is_old(redis: Redis, eventually: Eventually) -> None:
    """A worker is listed from its beat until the beat's time is over, or it leaves."""
    heartbeat = Heartbeat(redis)
    heartbeat.beat("long", 60)
    heartbeat.beat("short", 0.05)
    heartbeat.beat("leaver", 60)
    heartbeat.leave("leaver")

    eventually(lambda: set(heartbeat.workers()) == {"long"})


def test_a_lease_has_one_holder(redis: Redis) -> None:
    """Only the holder prolongs or releases."""
    mine, other = Lease(redis, "upkeep"), Lease(redis, "upkeep")

    assert mine.acquire(60)
    assert mine.acquire(60)
    assert not other.acquire(60)
    assert not other.release()
    assert mine.release()
    assert other.acquire(60)


@pytest.mark.parametrize("ttl_s", [0.05])
def test_a_lease_ends_by_itself(redis: Redis, eventually: Eventually, ttl_s: float) -> None:
    """A dead holder's lease comes free."""
    Lease(redis, "upkeep").acquire(ttl_s)

    eventually(lambda: Lease(redis, "upkeep").acquire(60))
