"""The same code on Redis Cluster and behind Sentinel."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.core.events import AuditRequested, CallArrived
from orchestrator.store.budgets import TokenBucket
from orchestrator.store.calls import CallStore
from orchestrator.store.connect import Redis, connect
from orchestrator.store.feed import START, Feed
from orchestrator.store.health import ping
from orchestrator.store.heartbeat import Lease
from orchestrator.store.queue import DueQueue
from orchestrator.store.utterances import UtteranceStore
from tests.integration.cluster import succeeds
from tests.integration.conftest import RedisServer
from tests.ports import free_port

Arrive = Callable[..., CallArrived]
MakeStore = Callable[..., CallStore]
StartRedis = Callable[..., RedisServer]
StartSentinel = Callable[[RedisServer], int]
Eventually = Callable[[Callable[[], object]], None]


def use_everything(store: CallStore, redis: Redis, arrived: Arrive) -> None:
    """A conversation's worth of every part of the store, in several shards."""
    for number in range(8):
        sid = f"CA{number}"
        assert store.begin(arrived(sid), indexes=[("conference", f"CF{number}")]).is_new
        assert store.apply(sid, AuditRequested(at=1)) is not None
        assert store.resolve("conference", f"CF{number}") == sid
    assert len(store.list().calls) == 8
    assert store.counters() == {"events": 16.0}
    assert len(store.timeline("CA0")) == 2
    queue = DueQueue(redis, store.keys)
    claims = [queue.claim("worker", shard=shard) for shard in range(store.keys.shards)]
    assert all(claims)
    assert all(queue.release(claim) for claim in claims if claim)
    queue.wait(0, 0.05)
    assert UtteranceStore(redis, store.keys, 60).add("CA0", "a", {"text": "hello"}, 1)
    follow_everything(store, redis)
    assert TokenBucket(redis, "asapp", 10, 10).take() == 0
    assert Lease(redis, "upkeep").acquire(60)
    store.park("CF9", AuditRequested(at=1))
    assert len(store.unpark("CF9")) == 1
    assert ping(redis).version.startswith("Redis ")


def follow_everything(store: CallStore, redis: Redis) -> None:
    feed = Feed(redis, store.keys)
    told = [entry for shard in range(feed.shards) for entry in feed.next(shard, START)]
    assert sorted((entry.call_sid, entry.version) for entry in told if entry.version) == sorted(
        (f"CA{number}", version) for number in range(8) for version in (1, 2)
    )
    assert [entry.call_sid for entry in told if entry.utterance] == ["CA0"]
    shard = feed.shard_of("CA0")
    assert feed.next(shard, feed.end(shard)) == []
    assert feed.has(shard, feed.end(shard))
    assert feed.load(["CA0"])["CA0"].shown == 2


def test_a_cluster_holds_calls_by_shard(
    more_redis: StartRedis, make_store: MakeStore, arrived: Arrive, eventually: Eventually
) -> None:
    """Every script's keys share a slot, whatever the shard: Cluster refuses a script otherwise."""
    bus = [free_port(), free_port()]
    servers = [more_redis("--cluster-enabled", "yes", "--cluster-port", str(port)) for port in bus]
    one, two = (connect(server.url) for server in servers)
    one.execute_command("CLUSTER ADDSLOTSRANGE", 0, 8191)
    two.execute_command("CLUSTER ADDSLOTSRANGE", 8192, 16383)
    two.execute_command("CLUSTER SET-CONFIG-EPOCH", 2)
    one.execute_command("CLUSTER MEET", "127.0.0.1", servers[1].port, bus[1])
    eventually(lambda: all(each.execute_command("CLUSTER INFO")["cluster_state"] == "ok" for each in (one, two)))

    client = connect(f"redis+cluster://127.0.0.1:{servers[0].port},127.0.0.1:{servers[1].port}")
    use_everything(make_store(client, shards=4), client, arrived)

    assert all(int(each.execute_command("DBSIZE")) > 0 for each in (one, two))
    for each in (client, one, two):
        each.close()


def test_sentinel_names_the_master_and_its_successor(
    more_redis: StartRedis, sentinel: StartSentinel, make_store: MakeStore, arrived: Arrive, eventually: Eventually
) -> None:
    """After a failover the same client goes on with the new master."""
    master, replica = more_redis(), more_redis()
    direct = [connect(server.url) for server in (master, replica)]
    direct[1].execute_command("REPLICAOF", "127.0.0.1", master.port)
    port = sentinel(master)
    watcher = connect(f"redis://127.0.0.1:{port}/0")
    eventually(lambda: b"num-slaves,1," in told_by(watcher))
    client = connect(f"redis+sentinel://127.0.0.1:{port}/mymaster/0")
    store = make_store(client, shards=2)
    use_everything(store, client, arrived)
    eventually(lambda: direct[1].execute_command("DBSIZE") == direct[0].execute_command("DBSIZE"))

    master.end()

    eventually(lambda: succeeds(lambda: store.apply("CA1", AuditRequested(at=2))))
    assert len(store.timeline("CA1")) >= 3
    for each in (client, watcher, *direct):
        each.close()


def told_by(watcher: Redis) -> bytes:
    return b",".join(watcher.execute_command("SENTINEL", "MASTER", "mymaster")) if answers(watcher) else b""


def answers(redis: Redis) -> bool:
    return succeeds(lambda: redis.execute_command("PING"))


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[StartSentinel]:
    """Starts a Sentinel for a master and gives its port."""
    with contextlib.ExitStack() as running:

        def start(master: RedisServer) -> int:
            port = free_port()
            configuration = tmp_path / "sentinel.conf"
            configuration.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
                "sentinel down-after-milliseconds mymaster 500\n"
                "sentinel failover-timeout mymaster 2000\n"
            )
            command = ["redis-server", str(configuration), "--sentinel"]
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))  # noqa: S603  ours
            running.callback(process.kill)
            return port

        yield start
