"""Redis lets us in, but not to everything, or not at all: told at the start, by name, without a storm."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.permissions import TRIALS, forbidden
from orchestrator.web import create_app
from tests.e2e.processes import Process, start
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import Floor, until, worker_environment
from tests.integration.faults.vendors import Vendors

MakeFloor = Callable[..., Floor]
COMMANDS = list(dict.fromkeys(str(trial[0]) for trial in TRIALS))
NO_KEY = {"PING", "TIME", "EVALSHA", "EVAL"}
LINES_OF_A_STORM = 20
REFUSALS = {"NOAUTH", "WRONGPASS"}


def url_of(server: RedisServer, user: str = "limited") -> str:
    return server.url.replace("//", f"//{user}:fake-limited@")


def allow(redis: Redis, *rules: str) -> None:
    redis.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">fake-limited", *rules)


@contextmanager
def worker_process(folder: Path, redis_url: str, vendors: Vendors) -> Iterator[Process]:
    command = [sys.executable, "-m", "orchestrator", "worker"]
    worker = start("worker", command, folder, worker_environment(redis_url, vendors))
    try:
        yield worker
    finally:
        worker.terminate()


def told(worker: Process) -> list[str]:
    lines = [json.loads(line) for line in worker.text().splitlines(keepends=True) if line.endswith("\n")]
    return [str(line.get("why")) for line in lines if line["event"] in {"redis-warning", "store-unavailable"}]


def test_fault_64_each_forbidden_command_is_found_by_its_name(redis: Redis, redis_server: RedisServer) -> None:
    """64: whichever command the user may not use, that one is named; with all of them, none."""
    for name in COMMANDS:
        allow(redis, "~*", "&*", "+@all", f"-{name.lower()}")
        limited = connect(url_of(redis_server))
        assert forbidden(limited) == [name]
        limited.close()
    allow(redis, "~*", "&*", "+@all")
    whole = connect(url_of(redis_server))
    assert forbidden(whole) == []
    whole.close()


def test_fault_64_foreign_keys_are_found(redis: Redis, redis_server: RedisServer) -> None:
    """64: a user who may not touch our keys is refused every command that has one."""
    allow(redis, "~other:*", "+@all")
    limited = connect(url_of(redis_server))
    assert set(forbidden(limited)) == set(COMMANDS) - NO_KEY
    limited.close()


@pytest.mark.parametrize("name", ["hset", "evalsha", "blpop"])
def test_fault_64_a_worker_says_at_its_start_what_it_may_not(
    redis: Redis, redis_server: RedisServer, vendors: Vendors, tmp_path: Path, name: str
) -> None:
    """64: one line names the command, a handful at most in the first seconds, and no secret is in them."""
    allow(redis, "~*", "&*", "+@all", f"-{name}")
    with worker_process(tmp_path, url_of(redis_server), vendors) as worker:
        until(lambda: any(name in why.lower() for why in told(worker)), 10, f"{name} is named")
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > 2, 3, "two seconds of its work")
        assert worker.popen.poll() is None, "it waits for the permission"
        assert len(told(worker)) < LINES_OF_A_STORM
        assert "fake-limited" not in worker.text()
        allow(redis, "~*", "&*", "+@all")


@pytest.mark.parametrize("password", ["", ":fake-wrong@"], ids=["none", "wrong"])
def test_fault_64_a_worker_with_a_wrong_password_is_no_storm(
    more_redis: Callable[..., RedisServer], vendors: Vendors, tmp_path: Path, password: str
) -> None:
    """64: the refusal is told, Redis gets a few log-ins a second, and with the password put right it works."""
    server = more_redis()
    opened = connect(server.url)
    opened.execute_command("CONFIG SET", "requirepass", "fake-right")
    opened.close()
    right = connect(server.url.replace("//", "//:fake-right@"))
    with worker_process(tmp_path, server.url.replace("//", f"//{password}"), vendors) as worker:
        until(lambda: any("auth" in why.lower() for why in told(worker)), 10, "it tells of the refusal")
        before, began = refusals(right), time.monotonic()
        until(lambda: time.monotonic() - began > 2, 3, "two seconds of its work")
        assert (refusals(right) - before) / (time.monotonic() - began) < 60
        assert len(told(worker)) < LINES_OF_A_STORM
        assert "fake-wrong" not in worker.text()
    right.close()


def refusals(redis: Redis) -> int:
    """Commands that were refused so far for want of the right password."""
    stats = redis.execute_command("INFO", "errorstats")
    return sum(int(each["count"]) for name, each in stats.items() if name.removeprefix("errorstat_") in REFUSALS)


def test_fault_64_a_wrong_password_and_a_forbidden_command(
    more_redis: Callable[..., RedisServer], make_floor: MakeFloor
) -> None:
    """64: told by name, at once, with nothing retried for ever; callers are still answered."""
    server = more_redis()
    opened = make_floor(redis_url=server.url, has_worker=False)
    opened.services.redis.execute_command("CONFIG SET", "requirepass", "fake-right")
    for url in (server.url, server.url.replace("//", "//:fake-wrong@")):
        floor = make_floor(redis_url=url, has_worker=False)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Auth"):
            floor.services.redis.execute_command("PING")
        assert time.monotonic() - began < 1
        client = create_app(services=floor.services).test_client()
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)
    right = make_floor(redis_url=server.url.replace("//", "//:fake-right@"), has_worker=False)
    right.services.redis.execute_command("ACL", "SETUSER", "limited", "on", ">fake-limited", "~*", "+@all", "-evalsha")
    limited = make_floor(redis_url=server.url.replace("//", "//limited:fake-limited@"), has_worker=False)
    with pytest.raises(StoreUnavailable, match="evalsha") as told:
        limited.talk()
    assert "fake" not in told.value.message
