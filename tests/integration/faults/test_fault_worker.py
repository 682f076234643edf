"""Workers and calls in trouble: poison, lost leases, agents that change within a hold, herds."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from orchestrator.core import events as e
from orchestrator.store import keys
from orchestrator.store.keys import Keys
from orchestrator.web import create_app
from orchestrator.worker import poison
from orchestrator.worker.loop import Worker
from tests.integration.claims import claim_due
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import START, STOP, Mood

ROOT = Path(__file__).parents[3]
_DIES = """
from pathlib import Path
from orchestrator import log
from orchestrator.services import build
from orchestrator.settings import Settings
from orchestrator.worker.loop import Worker
log.configure("json", "info")
worker = Worker(build(Settings.from_environment()), threads=2)
worker.start()
worker._held = None
worker.stopping.wait(30)
"""


def test_fault_47_a_poison_call(make_floor: Callable[..., Floor]) -> None:
    """47: it always raises: put off longer and longer, silenced, parked after 20, shown; other calls do not notice."""
    floor = make_floor(has_worker=False)
    services, vendors = floor.services, floor.vendors
    poisoned, other = floor.talk(0), floor.talk(1)
    good = services.redis.execute_command("HGET", Keys().of(poisoned).document, "document")
    services.redis.execute_command("HSET", Keys().of(poisoned).document, "document", b'{"not": "a call"}')
    worker = Worker(services, threads=2)
    assert poison.PARKED_AFTER == 20
    with capture_logs():  # twenty tracebacks for a terminal take a while
        for _ in range(poison.PARKED_AFTER):
            services.queue.mark(poisoned)
            while (claim := claim_due(services.queue)) is not None:
                worker._work_safely(claim)
    assert floor.state(other) == "transcribing"
    assert len(vendors.requests(STOP, poisoned)) == 2, "it was not left listening"
    assert poison.parked(services) == [poisoned]
    page = create_app(services=services).test_client().get("/readyz").text
    assert poisoned in page
    assert services.redis.execute_command("ZSCORE", Keys().queue("calls", 0).due, poisoned) is None
    assert services.redis.execute_command("TTL", keys.PARKED) > 0
    # Whoever mends it makes it due again; then it is as any other.
    services.redis.execute_command("HSET", Keys().of(poisoned).document, "document", good)
    floor.tell(poisoned, e.RetryRequested(at=services.clock.now_ms()))
    while (claim := claim_due(services.queue)) is not None:
        worker._work_safely(claim)
    assert poison.parked(services) == []
    assert floor.state(poisoned) == "transcribing"
    assert not floor.call(poisoned).problems


def test_fault_47_a_call_whose_request_makes_the_worker_fail(
    make_floor: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """47: its intent is stored, and taken back by the next look; neither makes it due before its time."""
    floor = make_floor(has_worker=False, ASAPP_MAX_RPS="1000")
    services, poisoned = floor.services, floor.talk(0)
    worker, due = Worker(services, threads=2), Keys().queue("calls", 0).due

    def fails(*_: object) -> e.Event:
        raise ZeroDivisionError

    monkeypatch.setattr(worker.executor, "run", fails)
    with capture_logs():
        for failures in range(1, poison.PARKED_AFTER + 1):
            services.queue.mark(poisoned)
            claim = claim_due(services.queue)
            assert claim is not None
            worker._work_safely(claim)
            assert claim_due(services.queue) is None, failures
    assert poison.parked(services) == [poisoned]
    assert services.redis.execute_command("ZSCORE", due, poisoned) is None


def test_fault_47_the_pause_between_failures_grows_to_a_minute(make_floor: Callable[..., Floor]) -> None:
    """47: 2, 4, 8 ... 60 s."""
    services = make_floor(has_worker=False).services
    began = services.clock.now_ms()
    waits = [poison.met(services, "CA" + "0" * 32, failures) or 0 for failures in (1, 2, 5, 6, 19)]
    assert [round((at - began) / 1000) for at in waits] == [2, 4, 32, 60, 60]
    assert poison.met(services, "CA" + "0" * 32, poison.PARKED_AFTER) is None


def test_fault_37_a_worker_whose_lease_thread_dies_ends(redis_server: RedisServer, redis: object) -> None:
    """37: without renewals two workers would get into one call: the process ends, to be started anew."""
    del redis  # empties the server
    environ = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": redis_server.url,
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_ID": "fake-id",
        "ASAPP_API_SECRET": "fake-secret",
    }
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-c", _DIES], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "lease-thread-died" in done.stdout + done.stderr


def test_fault_38_many_workers_one_call(make_floor: Callable[..., Floor]) -> None:
    """38, 41: three workers and a call that is toggled within each request: never two at once, none taken for lost."""
    floors = [make_floor() for _ in range(3)]
    floor = floors[0]
    floor.vendors.moods |= {START: Mood(after_s=0.3), STOP: Mood(after_s=0.3)}
    sid = floor.talk()
    for part in (START, STOP, START, STOP):
        before = len(floor.vendors.requests(part, sid))
        floor.unhold(sid) if part == START else floor.hold(sid)
        until(lambda part=part, before=before: len(floor.vendors.requests(part, sid)) > before, 5, f"{part} is sent")  # type: ignore[misc]
        for _ in range(5):  # all within the request that is under way
            floor.hold(sid)
            floor.unhold(sid)
    floor.hold(sid)
    until(lambda: floor.state(sid) == "paused", 5, "off at last")
    asked = sorted([each.at for part in (START, STOP) for each in floor.vendors.requests(part, sid)])
    assert all(later - earlier >= 0.3 for earlier, later in itertools.pairwise(asked))
    assert "action-abandoned" not in [entry.name for entry in floor.services.store.timeline(sid)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fault_45_unhold_and_another_agent_together(floor: Floor, order: tuple[int, ...]) -> None:
    """45: in whichever order they come: one stop, then one start, with the new agent's id."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.hold(sid)
    floor.reaches(sid, "paused")
    now = floor.services.clock.now_ms()
    together = (
        e.AgentConnected(at=now, agent_id="bob"),
        e.AgentDisconnected(at=now, agent_id="amy"),
        e.UnholdReported(at=now),
    )
    for number in order:
        floor.tell(sid, together[number])
        time.sleep(0.05)  # three messages of one transfer come like this, whatever has been made of the first
    floor.reaches(sid, "transcribing")
    starts = floor.vendors.requests(START, sid)
    assert len(starts) == 2
    assert len(floor.vendors.requests(STOP, sid)) == 1
    assert b'"bob"' in starts[1].body


def test_fault_15_slow_answers_keep_no_hold_waiting(make_floor: Callable[..., Floor]) -> None:
    """15, 46: a herd of starts that each take a second: a hold is off at once, by the threads kept for stops."""
    floor = make_floor(WORKER_THREADS="8")
    held = floor.talk(99)
    floor.reaches(held, "transcribing")
    floor.vendors.moods[START] = Mood(after_s=1.0)
    for number in range(30):
        floor.talk(number)
    until(lambda: len(floor.vendors.requests(START)) > 6, 5, "all general threads are busy")
    began = time.monotonic()
    floor.hold(held)
    until(lambda: floor.vendors.requests(STOP, held), 2, "the stop is sent")
    assert floor.vendors.requests(STOP, held)[0].at - began < 0.25


def test_a_stop_waits_for_no_thread_that_looks_at_another_shard(make_floor: Callable[..., Floor]) -> None:
    """With more shards than reserved threads a hold reaches ASAPP at once all the same: each shard has its own."""
    floor = make_floor(REDIS_SHARDS="12", WORKER_THREADS="16")
    calls = [floor.talk(number) for number in range(24)]
    for sid in calls:
        floor.reaches(sid, "transcribing", within_s=10)
    late = []
    for sid in calls:
        began = time.monotonic()
        floor.hold(sid)
        until(lambda sid=sid: floor.vendors.requests(STOP, sid), 5, "the stop is sent")  # type: ignore[misc]
        if (seconds := floor.vendors.requests(STOP, sid)[0].at - began) > 0.25:
            late.append(round(seconds, 3))
    assert late == []
