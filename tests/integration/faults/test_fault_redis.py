"""Redis in trouble: callers are served, pauses reach ASAPP, and the calls are right again once it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from orchestrator.core import events as e
from orchestrator.core.call import TranscriptionState
from orchestrator.store import health, keys
from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.queue import Claim
from orchestrator.web import create_app
from orchestrator.worker.loop import LEASE_MS, Worker
from orchestrator.worker.resync import MARK, Resync
from orchestrator.worker.upkeep import RESYNC_S
from tests.integration.claims import claim_due
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import START, STOP, Mood
from tests.link import Link

MakeFloor = Callable[..., Floor]
HOLDS_AND_LASTS = frozenset(("live", "recent", "counters", "serial", "due", "urgent", "leases", "tokens"))


@dataclass
class Linked:
    """A floor whose worker and whose desk reach Redis over a link."""

    floor: Floor
    link: Link
    client: FlaskClient

    def report(self, sid: str, kind: str) -> int:
        answer = self.client.post(
            f"/api/v1/calls/{sid}/events", json={"type": kind}, headers={"Authorization": "Bearer fake-key"}
        )
        return answer.status_code


@pytest.fixture
def linked(make_floor: MakeFloor, redis_server: RedisServer) -> Iterator[Linked]:
    with Link(redis_server.port) as link:
        floor = make_floor(redis_url=link.url)
        yield Linked(floor, link, create_app(services=floor.services).test_client())


@pytest.mark.parametrize("how", ["27-refused", "28-hung"])
def test_fault_a_hold_with_redis_away(linked: Linked, how: str) -> None:
    """27, 28: one stop to ASAPP before the 503; when Redis is back the call is doubted, asked about and on again."""
    floor, link = linked.floor, linked.link
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    link.cut() if how == "27-refused" else link.block()
    began = time.monotonic()
    assert linked.report(sid, "hold") == 503
    assert time.monotonic() - began <= (0.9 if how == "27-refused" else 2.6)
    assert len(floor.vendors.requests(STOP, sid)) == 1
    assert linked.client.get("/healthz").status_code == 200
    link.mend()
    until(lambda: "transcription-doubted" in names(floor, sid), 6, "the call is told of the stop")
    floor.reaches(sid, "transcribing", 12)
    assert len(floor.vendors.requests(START, sid)) == 2, "what the stop ended was begun again"
    assert floor.vendors.requests(f"/Calls/{sid}.json"), "after Twilio was asked about the call"


def names(floor: Floor, sid: str) -> list[str]:
    try:
        return [entry.name for entry in floor.services.store.timeline(sid)]
    except StoreUnavailable:
        return []


def test_fault_27_a_hold_repeated_by_its_source_stays_off(linked: Linked) -> None:
    """27: the desktop repeats the hold after the 503: off, and the doubt about it starts nothing."""
    floor = linked.floor
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    linked.link.cut()
    assert linked.report(sid, "hold") == 503
    linked.link.mend()
    until(lambda: linked.report(sid, "hold") == 202, 3, "the hold is taken")
    until(lambda: "transcription-doubted" in names(floor, sid), 6, "the call is told of the stop")
    floor.reaches(sid, "paused")
    assert len(floor.vendors.requests(START, sid)) == 1


def test_fault_28_an_outcome_is_kept_through_a_short_outage(linked: Linked) -> None:
    """28, 30: ASAPP's answer comes while Redis is away: it is recorded once Redis is back, nothing is asked twice."""
    floor, link = linked.floor, linked.link
    floor.vendors.moods[START] = Mood(after_s=0.6)
    sid = floor.talk()
    until(lambda: floor.vendors.requests(START, sid), 3, "start is under way")
    link.cut()
    until(lambda: time.monotonic() - floor.vendors.requests(START, sid)[0].at > 1.0, 3, "it has been answered")
    link.mend()
    floor.reaches(sid, "transcribing", 6)
    assert len(floor.vendors.requests(START, sid)) <= 2


def test_fault_29_forgotten_scripts(floor: Floor) -> None:
    """29: SCRIPT FLUSH in the middle changes nothing."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.services.redis.execute_command("SCRIPT FLUSH")
    floor.hold(sid)
    floor.reaches(sid, "paused")
    floor.services.redis.execute_command("SCRIPT FLUSH")
    floor.unhold(sid)
    floor.reaches(sid, "transcribing")


def test_fault_31_after_a_reconnect_live_calls_are_compared(linked: Linked) -> None:
    """31, 34: who saw Redis away asks Twilio about every live call: one that ended meanwhile is closed."""
    floor = linked.floor
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    linked.link.cut()
    floor.vendors.leg_status = "completed"
    floor.vendors.stopped.wait(RESYNC_S + 0.2)  # nothing outside shows that a look has failed
    linked.link.mend()
    floor.reaches(sid, "ended", 8)
    until(lambda: floor.call(sid).transcription.state is TranscriptionState.OFF, 5, "and off")


def test_fault_31_an_outage_between_two_looks_is_noticed(linked: Linked) -> None:
    """31: cut and mended before the upkeep looks again: the threads that met it say so."""
    floor = linked.floor
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.leg_status = "completed"
    with capture_logs() as logs:
        linked.link.cut()
        until(lambda: any(each["event"] == "store-unavailable" for each in logs), 3, "a thread has met it")
        linked.link.mend()
    floor.reaches(sid, "ended", 8)


def test_fault_31_another_server_is_noticed(redis: Redis, more_redis: Callable[..., RedisServer]) -> None:
    """31: a restart that fell between all requests: the server's own id tells."""
    before, again = health.identity(redis), health.identity(redis)
    assert before == again != frozenset()
    other = connect(more_redis().url)
    assert health.identity(other) != before
    other.close()


def test_fault_31_a_server_that_was_restarted_has_live_calls_compared(
    redis: Redis, make_floor: MakeFloor, more_redis: Callable[..., RedisServer]
) -> None:
    """31: the same upkeep before and after finds another server, once."""
    floor = make_floor(has_worker=False)
    resync = Resync(floor.services)
    sid = floor.talk()
    resync.look()
    assert not floor.call(sid).readings
    resync._server = health.identity(connect(more_redis().url))  # as if that one had been there at the last look
    resync.look()
    assert [each.key for each in floor.call(sid).readings] == ["call"]
    assert resync._server == health.identity(redis)


def test_fault_30_a_claim_is_given_back_as_soon_as_redis_is(make_floor: MakeFloor, redis_server: RedisServer) -> None:
    """30: Redis was away just when a call was claimed: nobody waits for the end of that lease."""
    with Link(redis_server.port) as link:
        floor = make_floor(redis_url=link.url, has_worker=False)
        worker, queue, sid = Worker(floor.services, threads=2), floor.services.queue, floor.talk()
        claim = claim_due(queue)
        assert claim is not None
        link.cut()
        working = threading.Thread(target=worker._work_safely, args=(claim,))
        working.start()
        working.join(0.5)
        assert working.is_alive(), "it waits for Redis"
        link.mend()
        back_at = time.monotonic()
        working.join(2)
        again: Claim | None = None
        while again is None and time.monotonic() - back_at < 2:
            again = queue.claim("test", lease_ms=LEASE_MS)
        assert again is not None, "it is due again"
        assert (again.key, again.was_taken_over) == (sid, False)


def test_fault_32_a_full_redis_writes_nothing_by_halves(
    more_redis: Callable[..., RedisServer], make_floor: MakeFloor
) -> None:
    """32: out of memory: 503 with an emergency stop, no half-written call; once there is room all goes on."""
    server = more_redis("--maxmemory-policy", "noeviction")
    floor = make_floor(redis_url=server.url)
    client = create_app(services=floor.services).test_client()
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    before = floor.call(sid)
    floor.services.redis.execute_command("CONFIG SET", "maxmemory", "1")
    answer = client.post(
        f"/api/v1/calls/{sid}/events", json={"type": "hold"}, headers={"Authorization": "Bearer fake-key"}
    )
    assert answer.status_code == 503
    assert floor.vendors.requests(STOP, sid)
    assert floor.call(sid) == before
    floor.services.redis.execute_command("CONFIG SET", "maxmemory", "0")
    floor.hold(sid)
    floor.reaches(sid, "paused")


def test_fault_34_emptied_redis_is_marked_anew(floor: Floor) -> None:
    """34: after FLUSHALL the list of calls in progress is read again, and the next event makes its call known."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    until(lambda: floor.services.redis.get(MARK), 5, "looked through once")
    floor.services.redis.execute_command("FLUSHALL")
    until(lambda: floor.services.redis.get(MARK), 8, "looked through again")
    assert len(floor.vendors.requests("/Calls.json")) == 2
    client = create_app(services=floor.services).test_client()
    for kind in ("agent-connected", "hold"):
        client.post(
            f"/api/v1/calls/{sid}/events",
            json={"type": kind, "agent_id": "amy"},
            headers={"Authorization": "Bearer fake-key"},
        )
    floor.reaches(sid, "paused")
    assert floor.vendors.requests(STOP, sid)


def test_fault_27_a_worker_starts_before_redis(redis: object, redis_server: RedisServer, make_floor: MakeFloor) -> None:
    """27: a worker that finds no Redis waits for it, and works when it comes."""
    del redis
    with Link(redis_server.port) as link:
        link.cut()
        floor = make_floor(redis_url=link.url)
        assert create_app(services=floor.services).test_client().get("/healthz").status_code == 200
        link.mend()
        until(floor.services.heartbeat.workers, 5, "it lives")
        sid = floor.talk()
        floor.reaches(sid, "transcribing")


def test_fault_6_every_key_of_a_call_expires(floor: Floor) -> None:
    """6, 7: what is kept for ever is a fixed number of lists; all that bears a call's name has a time to live."""
    sid, services = floor.talk(), floor.services
    floor.reaches(sid, "transcribing")
    now = services.clock.now_ms()
    services.utterances.add(sid, "said", {"text": "hello", "role": "customer"}, now)
    services.store.index("leg", "CA" + "d" * 32, sid, 60)
    services.store.park(f"conference:{sid}", e.HoldReported(at=now))
    floor.tell(sid, e.LegEnded(at=now, leg=sid))
    floor.reaches(sid, "ended")
    until(lambda: services.redis.get(services.store.keys.of(sid).heard), 5, "what was said is kept")
    until(lambda: floor.call(sid).transcription.state is TranscriptionState.OFF, 5, "off")
    lasting = [
        name.decode()
        for name in floor.services.redis.execute_command("KEYS", "*")
        if floor.services.redis.execute_command("TTL", name) == -1
    ]
    assert not [name for name in lasting if sid in name]
    fixed = {keys.SHARDS, keys.WORKERS, MARK}
    assert {name for name in lasting if name not in fixed and name.rpartition(":")[2] not in HOLDS_AND_LASTS} == set()


def test_fault_33_a_redis_that_may_forget_is_told_at_the_start(
    more_redis: Callable[..., RedisServer], make_floor: MakeFloor
) -> None:
    """33: no append-only file, keys evicted: `/readyz` and metrics say so, and nobody is turned away for it."""
    server = more_redis("--appendonly", "no", "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb")
    floor = make_floor(redis_url=server.url, METRICS_TOKEN="fake-metrics")
    client = create_app(services=floor.services).test_client()
    until(floor.services.heartbeat.workers, 5, "a worker lives")
    page = client.get("/readyz")
    assert page.status_code == 200
    assert "append-only" in page.text
    assert "evicts" in page.text
    metrics = client.get("/metrics", headers={"Authorization": "Bearer fake-metrics"}).text
    assert "orchestrator_redis_warnings 2" in metrics
