"""ASAPP's day: what is counted, what is kept for stops, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.asapp.day import Reserved
from orchestrator.clock import ManualClock
from orchestrator.store.connect import Redis, connect
from orchestrator.store.daily import DailyLimit, Used
from tests.integration.conftest import RedisServer

LATE = 1_700_006_399_000
"""A second before midnight UTC."""


def test_a_start_keeps_a_stop_and_is_refused_where_none_is_left(redis: Redis) -> None:
    """Two of five: start and stop; the second start finds room for one request only once the first is off."""
    day = DailyLimit(redis, ManualClock(), 4)
    assert day.reserve("CA1") is Reserved.NEW
    assert day.reserve("CA1") is Reserved.ALREADY
    assert day.today() == Used(2, 1, 4)
    assert day.reserve("CA2") is Reserved.REFUSED
    assert day.may_ask()
    assert not day.may_ask(), "the last one is kept for the stop"
    day.sent()
    day.release("CA1")
    assert day.today() == Used(4, 0, 4)
    assert day.today().is_near


def test_the_day_ends_at_midnight_utc_and_what_is_on_still_needs_its_stop(redis: Redis) -> None:
    """The count begins anew, the reserve goes on."""
    clock = ManualClock(LATE)
    day = DailyLimit(redis, clock, 2)
    assert day.reserve("CA1") is Reserved.NEW
    assert day.reserve("CA2") is Reserved.REFUSED
    clock.step(1_000)
    assert day.today() == Used(0, 1, 2)
    assert day.may_ask()
    assert not day.may_ask()


def test_processes_share_the_day(redis: Redis) -> None:
    """What one sent without asking is known to all once it was handed over, or with its next start."""
    one, other = (DailyLimit(redis, ManualClock(), 10) for _ in range(2))
    one.sent()
    one.sent()
    assert other.today().used == 0
    one.hand_over()
    assert other.today().used == 2
    other.sent()
    other.reserve("CA1")
    assert one.today() == Used(4, 1, 10)


def test_with_the_store_away_nothing_is_refused_and_nothing_forgotten(
    redis: Redis, more_redis: Callable[..., RedisServer]
) -> None:
    """It is counted when the store is back."""
    server = more_redis()
    client = connect(server.url)
    day = DailyLimit(client, ManualClock(), 2)
    server.end()
    assert day.may_ask()
    assert day.reserve("CA1") is Reserved.ALREADY, "so that no answer to this start takes away what an earlier one kept"
    day.release("CA1")
    client.close()
    day._redis = redis
    assert day.today() == Used(2, 0, 2)
