"""Web and worker processes on a Redis Cluster: stories as anywhere, and a master that dies under live calls."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.store.keys import Keys
from tests.e2e.cluster import SHARDS, ClusterSite
from tests.e2e.faults.talks import PATIENCE_S, Talk, kill
from tests.e2e.processes import poll
from tests.e2e.world import CallSeen, assert_archived_complete, assert_ended_clean, pause_to_off_s

CALLS = 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterSite]:
    with ClusterSite() as running:
        yield running


def test_calls_in_every_part_of_the_cluster_are_looked_after(cluster: ClusterSite) -> None:
    """Side by side, over all masters: each is paused in time, ended clean and archived."""
    with ThreadPoolExecutor(CALLS) as pool:
        played = list(pool.map(cluster.play, ["two_holds"] * CALLS))
    calls = [CallSeen(cluster, each.call_sid) for each in played]
    assert len({Keys(SHARDS).shard_of(call.sid) for call in calls}) > 1
    assert len({cluster.master_of(call.sid) for call in calls}) > 1
    for call in calls:
        assert_ended_clean(call)
        assert_archived_complete(call)
    spans = sorted(span for call in calls for span in pause_to_off_s(call))
    assert len(spans) >= 2 * CALLS
    assert spans[-1] < 3.5
    text = cluster.metrics()
    assert 'orchestrator_webhook_seconds_count{endpoint="voice.voice",status="200"}' in text


def test_a_master_dies_under_a_live_call(cluster: ClusterSite) -> None:
    """Its replica takes over: the hold that comes meanwhile is honoured, and the call goes on to its end."""
    talk = Talk(cluster)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    died = cluster.master_of(talk.call.sid)
    kill(cluster.nodes[died])
    talk.play("customer is held")
    poll(lambda: not talk.is_transcribing(), PATIENCE_S, "off at ASAPP, by whoever could say so")
    poll(lambda: cluster.master_of(talk.call.sid) != died, PATIENCE_S, "another node holds the call")
    talk.settles("paused", PATIENCE_S)
    talk.play("customer is unheld", "wait until transcribing", "customer hangs up")
    assert_ended_clean(talk.call)
    assert all(process.popen.poll() is None for process in cluster.processes if process.name in {"web", "worker"})
