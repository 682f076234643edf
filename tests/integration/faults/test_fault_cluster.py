"""A whole Redis Cluster in trouble: callers are served, pauses reach ASAPP, and all goes on once it is back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from orchestrator.web import create_app
from tests.integration.cluster import Cluster
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import STOP

MakeFloor = Callable[..., Floor]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path, 1) as running:
        yield running


def hold(client: FlaskClient, sid: str) -> int:
    answer = client.post(
        f"/api/v1/calls/{sid}/events", json={"type": "hold"}, headers={"Authorization": "Bearer fake-key"}
    )
    return answer.status_code


def workers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(("calls-", "stops-", "after-call-"))]


def test_fault_27_a_whole_cluster_is_away_and_back(cluster: Cluster, make_floor: MakeFloor) -> None:
    """27: a hold is sent to ASAPP and answered 503, processes start, and all work as soon as the Cluster does."""
    floor = make_floor(redis_url=cluster.url)
    client, sid = create_app(services=floor.services).test_client(), floor.talk()
    floor.reaches(sid, "transcribing")
    threads = workers()
    assert len(threads) >= 8

    cluster.end()
    assert hold(client, sid) == 503
    assert len(floor.vendors.requests(STOP, sid)) == 1
    late = make_floor(redis_url=cluster.url)
    late_client = create_app(services=late.services).test_client()
    assert (late_client.get("/healthz").status_code, late_client.get("/readyz").status_code) == (200, 503)
    assert hold(late_client, sid) == 503
    assert len(floor.vendors.requests(STOP, sid)) == 2

    cluster.start_again()
    cluster.wait_until_well()
    until(lambda: late_client.get("/readyz").status_code == 200, 3, "the late process is ready")
    until(lambda: hold(client, sid) == 202, 3, "the hold is taken")
    floor.reaches(sid, "paused")
    floor.unhold(sid)
    floor.reaches(sid, "transcribing")
    assert all(thread.is_alive() for thread in threads)
