"""A Redis Cluster in trouble: nothing waits long for it, and it is found again by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.store.cluster import REST_S
from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.scripts import Script
from tests.integration.cluster import Cluster, succeeds
from tests.integration.conftest import RedisServer
from tests.link import Link
from tests.ports import free_port
from tests.scarce import no_threads

Eventually = Callable[[Callable[[], object]], None]
OF_NODE = ("{b}", "{c}", "{a}")
"""A hash tag for each node: slots 3300, 7365 and 15495."""


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    options = ("--cluster-require-full-coverage", "no")
    with Cluster(tmp_path_factory.mktemp("cluster"), 3, *options) as running:
        yield running


@pytest.fixture
def cluster(formed: Cluster) -> Iterator[Cluster]:
    """Well, and well again for the next test."""
    yield formed
    formed.start_again()
    formed.thaw()
    formed.wait_until_well()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Redis]:
    with closing(connect(cluster.url)) as redis:
        for tag in OF_NODE:
            redis.set(tag, "kept")
        yield redis


def fails_within(redis: Redis, seconds: float, key: str = OF_NODE[0]) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        redis.get(key)
    assert time.monotonic() - began < seconds


def all_kept(redis: Redis) -> bool:
    try:
        return [redis.get(tag) for tag in OF_NODE] == [b"kept"] * len(OF_NODE)
    except StoreUnavailable:
        return False


def test_what_the_service_asks_of_a_client_works_over_all_nodes(client: Redis) -> None:
    """Values, lifetimes, conditions, and names on several nodes at once."""
    assert not client.set(OF_NODE[0], "other", nx=True)
    assert client.set(OF_NODE[0], "kept", px=60_000)
    assert 0 < client.execute_command("PTTL", OF_NODE[0]) <= 60_000
    assert client.set(OF_NODE[1], "kept", ex=60)
    assert 0 < client.execute_command("TTL", OF_NODE[1]) <= 60
    assert all_kept(client)
    client.delete(*OF_NODE)
    assert [client.get(tag) for tag in OF_NODE] == [None] * 3


def test_a_cluster_that_was_stopped_is_found_again(client: Redis, cluster: Cluster, eventually: Eventually) -> None:
    """A command fails at once while all nodes are away, on an old client and on a new one; both find them again."""
    cluster.end()
    with closing(connect(cluster.url)) as fresh:
        for each in (client, fresh):
            fails_within(each, 0.5)
            fails_within(each, 0.5)
        cluster.start_again()
        cluster.wait_until_well()
        began = time.monotonic()
        eventually(lambda: all_kept(client) and all_kept(fresh))
        assert time.monotonic() - began < REST_S + 1


def test_a_cluster_that_hangs_is_left_within_the_bound(client: Redis, cluster: Cluster, eventually: Eventually) -> None:
    """About two seconds, however many ask and whether the nodes are known yet; then at once; and well when it is."""
    with closing(connect(cluster.url)) as fresh, ThreadPoolExecutor(8) as threads:
        cluster.freeze()
        asked = [threads.submit(fails_within, each, 2.2) for each in (client, fresh) for _ in range(4)]
        for each in asked:
            each.result()
        eventually(lambda: is_left_at_once(client))
        cluster.thaw()
        began = time.monotonic()
        eventually(lambda: all_kept(client) and all_kept(fresh))
        assert time.monotonic() - began < REST_S + 1


def is_left_at_once(redis: Redis) -> bool:
    """The look for the nodes has ended: every node had its second."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        redis.get(OF_NODE[0])
    return time.monotonic() - began < 0.1


def test_one_node_that_hangs_does_not_keep_the_others(client: Redis, cluster: Cluster) -> None:
    """Its keys cost two time-outs; meanwhile, and while the nodes are looked for, the others are served at once."""
    cluster.servers[0].freeze()
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(fails_within, client, 2.6, OF_NODE[0]) for _ in range(4)]
        while not all(each.done() for each in asked):
            began = time.monotonic()
            assert [client.get(tag) for tag in OF_NODE[1:]] == [b"kept"] * 2
            assert time.monotonic() - began < 0.5
            time.sleep(0.05)
        for each in asked:
            each.result()


def test_a_cluster_that_has_moved_is_found_by_the_configured_name(
    cluster: Cluster, tmp_path: Path, eventually: Eventually
) -> None:
    """All nodes have other addresses than those that were learnt: what REDIS_URL names is asked again."""
    with (
        Link(cluster.servers[0].port) as name,
        Cluster(tmp_path, 1) as moved,
        closing(connect(f"redis+cluster://127.0.0.1:{name.port}")) as redis,
    ):
        redis.set(OF_NODE[0], "old")
        name.lead_to(moved.servers[0].port)
        assert redis.get(OF_NODE[0]) == b"old"
        cluster.end()
        eventually(lambda: succeeds(lambda: redis.set(OF_NODE[0], "new")))
        assert moved.ask(0, "GET", OF_NODE[0]) == b"new"


def test_without_a_thread_to_look_for_nodes_redis_is_away(client: Redis, cluster: Cluster) -> None:
    """A new client has no map yet, an old one needs another after an outage; both go on once there are threads."""
    with closing(connect(cluster.url)) as fresh:
        with no_threads():
            fails_within(fresh, 0.5)
            assert all_kept(client)
        assert all_kept(fresh)
        cluster.end()
        with no_threads():
            fails_within(client, 0.5)
            fails_within(fresh, 0.5)


def test_slots_that_move_are_followed(client: Redis, cluster: Cluster) -> None:
    """While they move, to a node that has had none and is not on the map (ASK), and when they have (MOVED)."""
    client.set(moving := "{d}", "kept")
    slot, place = int(cluster.ask(0, "CLUSTER KEYSLOT", moving)), cluster.join()
    old, new = (cluster.ask(number, "CLUSTER MYID").decode() for number in (2, place))
    cluster.ask(place, "CLUSTER SETSLOT", slot, "IMPORTING", old)
    cluster.ask(2, "CLUSTER SETSLOT", slot, "MIGRATING", new)
    cluster.ask(2, "MIGRATE", "127.0.0.1", cluster.servers[place].port, moving, 0, 1000)
    assert client.get(moving) == b"kept"
    for number in (place, 2):
        cluster.ask(number, "CLUSTER SETSLOT", slot, "NODE", new)
    assert client.get(moving) == b"kept"
    assert client.execute_command("EVAL", "return redis.call('GET', KEYS[1])", 1, moving) == b"kept"


@pytest.mark.parametrize(
    ("options", "why"),
    [((), "Cluster mode is not enabled"), (("--cluster-enabled", "yes"), "no node of the Cluster has slots")],
    ids=["no-cluster", "no-slots"],
)
def test_what_is_no_cluster_is_an_error_of_ours(
    more_redis: Callable[..., RedisServer], options: tuple[str], why: str
) -> None:
    """A Redis without Cluster, or a node that has joined none: what is wrong, and no exception of redis-py."""
    server = more_redis(*options, *(("--cluster-port", str(free_port())) if options else ()))
    with closing(connect(server.url.replace("redis:", "redis+cluster:").removesuffix("/0"))) as redis:
        with pytest.raises(StoreUnavailable, match=why):
            redis.get("x")
        with pytest.raises(StoreUnavailable):
            Script("lease_acquire").run(redis, ["{0}"], [])
