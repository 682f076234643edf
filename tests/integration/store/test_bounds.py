"""Nothing waits long for Redis, and only our own errors come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis as redis_py

from orchestrator.clock import Clock, ManualClock
from orchestrator.core.events import AuditRequested, CallArrived
from orchestrator.store.calls import CallStore
from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.health import ping
from tests.integration.conftest import RedisServer
from tests.ports import free_port

Arrive = Callable[..., CallArrived]
MakeStore = Callable[..., CallStore]


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """The body raises StoreUnavailable before the time is over."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as raised:
        yield
    assert time.monotonic() - started < seconds
    assert raised.value.error_id == "store-unavailable"


def test_a_refused_port_answers_at_once(make_store: MakeStore, arrived: Arrive) -> None:
    """With no Redis at its address an operation fails within half a second."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    with ends_within(0.5):
        make_store(client).begin(arrived())
    client.close()


@pytest.mark.parametrize("password", ["", "fake-password"])
def test_a_hung_redis_is_left_within_its_bound(own_redis: RedisServer, password: str) -> None:
    """A stopped Redis costs one operation at most 2.5 s, on an open connection and on a new one that must log in."""
    admin = redis_py.Redis(port=own_redis.port)
    admin.config_set("requirepass", password)
    credentials = f":{password}@" if password else ""
    warm, cold = (connect(f"redis://{credentials}127.0.0.1:{own_redis.port}/1") for _ in range(2))
    warm.get("x")
    own_redis.freeze()
    for client in (warm, cold):
        with ends_within(2.5):
            client.get("x")
    for each in (warm, cold, admin):
        each.close()


def test_service_returns_with_redis(own_redis: RedisServer, make_store: MakeStore, arrived: Arrive) -> None:
    """After a pause of Redis the same store works on."""
    client = connect(own_redis.url)
    store = make_store(client)
    store.begin(arrived())
    own_redis.freeze()
    with ends_within(2.5):
        store.load("CA1")
    own_redis.thaw()

    assert store.apply("CA1", AuditRequested(at=1)) is not None
    client.close()


def test_connections_that_a_restart_broke_are_replaced(redis: Redis) -> None:
    """A command on a connection that was cut is repeated on a new one, once, unseen."""
    redis.get("x")
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")

    assert redis.get("x") is None


def test_refusals_of_redis_are_ours_too(redis: Redis) -> None:
    """A full or read-only Redis, or a wrong command, is StoreUnavailable as well."""
    with pytest.raises(StoreUnavailable):
        redis.execute_command("NO-SUCH-COMMAND")


def test_the_clock_is_rediss(redis: Redis) -> None:
    """`now_ms` agrees with Redis's TIME."""
    seconds, micros = redis.execute_command("TIME")

    assert abs(Clock(redis).now_ms() - (int(seconds) * 1000 + int(micros) // 1000)) < 100


def test_the_clock_follows_redis_not_this_machine(redis: Redis) -> None:
    """An offset that was learnt is kept, with Redis away too."""
    clock = Clock(redis)
    moment = time.monotonic()
    assert clock.observe(1_000_000, moment, moment)

    assert 1_000_000 <= clock.now_ms() < 1_005_000
    assert clock.offset_ms < -1_000_000


def test_the_clock_goes_on_without_redis() -> None:
    """Before the first contact it is this machine's wall clock, and asking does not raise."""
    client = connect(f"redis://127.0.0.1:{free_port()}/0")
    clock = Clock(client)

    assert abs(clock.now_ms() - time.time() * 1000) < 100
    assert clock.offset_ms == 0
    client.close()


def test_slow_measurements_teach_the_clock_nothing() -> None:
    """A trip of a second says nothing about when Redis looked."""
    clock = Clock()

    assert not clock.observe(5, 10.0, 11.0)
    assert clock.offset_ms == 0


def test_a_manual_clock_stands_until_stepped() -> None:
    """Tests decide what time it is."""
    clock = ManualClock(5)
    clock.observe(99, 0, 0)

    assert clock.now_ms() == 5
    assert clock.step(7) == 12


def test_health_tells_version_eviction_and_aof(redis: Redis) -> None:
    """What may lose calls is said in words."""
    health = ping(redis)

    assert health.version.startswith("Redis ")
    assert (health.eviction, health.aof) == ("noeviction", "no")
    assert health.latency_ms < 1000
    assert len(health.warnings()) == 1


def test_health_is_unknown_where_config_is_forbidden(more_redis: Callable[..., RedisServer]) -> None:
    """A managed Redis that forbids CONFIG is no failure."""
    client = connect(more_redis("--rename-command", "CONFIG", "").url)
    health = ping(client)
    client.close()

    assert (health.eviction, health.aof) == ("unknown", "unknown")
    assert health.warnings() == []
