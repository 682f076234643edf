"""`orchestrator doctor` and Redis: each danger with its fix; with `--release` not a write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.store.connect import connect
from orchestrator.store.shards import agree_on_shards
from tests.integration.cli.conftest import Run
from tests.integration.conftest import RedisServer

More = Callable[..., RedisServer]


@pytest.mark.parametrize(
    ("options", "told", "fix"),
    [
        ((), "keeps no append-only file", "set appendonly yes"),
        (
            ("--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"),
            "(allkeys-lru)",
            "set maxmemory-policy noeviction",
        ),
    ],
)
def test_a_redis_that_may_lose_calls_is_told(
    more_redis: More, run: Run, options: tuple[str, ...], told: str, fix: str
) -> None:
    """Exit 1, and what to set."""
    done = run(more_redis(*options).url, "doctor", "--release")
    assert done.exit_code == 1
    line = next(line for line in done.output.splitlines() if line.startswith("FAIL"))
    assert told in line
    assert f"fix: {fix}" in done.output


def test_nothing_is_written(more_redis: More, run: Run) -> None:
    """A Redis that refuses every write is well for a release."""
    server = more_redis("--appendonly", "yes", "--min-replicas-to-write", "1")
    done = run(server.url, "doctor", "--release")
    assert done.exit_code == 0, done.output
    assert "  ok  redis: Redis" in done.output


def test_a_command_that_redis_forbids_is_told_with_the_rule_that_allows_it(more_redis: More, run: Run) -> None:
    """By name; after that rule nothing is missing any more."""
    server = more_redis("--appendonly", "yes")
    client = connect(server.url)
    rules = ("~orchestrator:*", "+@all", "-blpop", "-xadd")
    client.execute_command("ACL", "SETUSER", "limited", "on", ">fake-limited", *rules)
    url = server.url.replace("//", "//limited:fake-limited@")
    done = run(url, "doctor")
    assert done.exit_code == 1
    assert "FAIL  redis: its user may not use blpop, xadd" in " ".join(done.output.split()).replace("FAIL ", "FAIL  ")
    fix = " ".join(done.output.partition("fix: ACL SETUSER <user> ")[2].split()[:3])
    assert fix == "~orchestrator:* +blpop +xadd"
    client.execute_command("ACL", "SETUSER", "limited", *fix.split())
    client.close()
    assert "may not use" not in run(url, "doctor").output


def test_a_redis_that_takes_no_writes_is_told(more_redis: More, run: Run) -> None:
    """A replica, or one that waits for its replicas, answers and is of no use."""
    server = more_redis("--appendonly", "yes", "--min-replicas-to-write", "1")
    done = run(server.url, "doctor")
    assert done.exit_code == 1
    assert "redis: it takes no writes from us" in done.output


def test_what_cannot_be_read_is_noted_not_failed(more_redis: More, run: Run) -> None:
    """A provider that forbids CONFIG."""
    server = more_redis("--rename-command", "CONFIG", "")
    done = run(server.url, "doctor", "--release")
    assert done.exit_code == 0, done.output
    assert "note  redis: appendonly and maxmemory-policy cannot be read" in done.output


def test_another_number_of_shards_is_told(more_redis: More, run: Run) -> None:
    """With the number that was recorded."""
    server = more_redis("--appendonly", "yes")
    client = connect(server.url)
    agree_on_shards(client, 4)
    client.close()
    done = run(server.url, "doctor", "--release")
    assert done.exit_code == 1
    assert "holds calls in 4 shards" in done.output
    assert run(server.url, "doctor", "--release", REDIS_SHARDS="4").exit_code == 0
