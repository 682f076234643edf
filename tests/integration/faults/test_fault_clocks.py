"""Clocks that are wrong: Redis's own jumps while calls are talking, and a worker's host is an hour off."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from orchestrator.core.backoff import STOP_DEADLINE_MS
from tests.e2e.processes import start
from tests.faketime import Faketime
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import Floor, until, worker_environment
from tests.integration.faults.vendors import START, STOP, Mood

OFF_WITHIN_S = STOP_DEADLINE_MS / 1000 + 0.5
NOTICED_WITHIN_S = 6.0
"""What was marked as due in the last moment of the old clock is found by the look at all live calls."""
REBUILT_WITHIN_S = 14.0
"""A clock put forward makes a pause look a minute old, so the stream is cut; these vendors never tell of a new one."""
REQUEST_S = 0.05


def assert_never_two_at_once(floor: Floor, sid: str) -> None:
    asked = sorted([each.at for part in (START, STOP) for each in floor.vendors.requests(part, sid)])
    assert all(later - earlier >= REQUEST_S for earlier, later in itertools.pairwise(asked))


@pytest.mark.parametrize("jump_s", [60, -60])
def test_fault_40_redis_s_clock_jumps(
    more_redis: Callable[..., RedisServer], make_floor: Callable[..., Floor], tmp_path: Path, jump_s: int
) -> None:
    """40: Redis's clock jumps by a minute and back: holds are off within seconds, unholds on, one worker at a time."""
    clock = Faketime(tmp_path)
    server = more_redis(environment=clock.environment())
    floor, _ = make_floor(redis_url=server.url), make_floor(redis_url=server.url)
    floor.vendors.moods |= {START: Mood(after_s=REQUEST_S), STOP: Mood(after_s=REQUEST_S)}
    sid, other = floor.talk(1), floor.talk(2)
    for each in (sid, other):
        floor.reaches(each, "transcribing")
    for off_by_s in (jump_s, 0):
        clock.jump(off_by_s)
        for each in (sid, other):
            floor.hold(each)
            floor.reaches(each, "paused", NOTICED_WITHIN_S)
        for each in (sid, other):
            floor.unhold(each)
            floor.reaches(each, "transcribing", REBUILT_WITHIN_S)
    for each in (sid, other):
        assert_never_two_at_once(floor, each)


def test_fault_40_a_jump_within_a_stop(
    more_redis: Callable[..., RedisServer], make_floor: Callable[..., Floor], tmp_path: Path
) -> None:
    """40: the clock jumps while a stop is under way, so its lease is over: its outcome counts, and off it stays."""
    clock = Faketime(tmp_path)
    floor = make_floor(redis_url=more_redis(environment=clock.environment()).url)
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods[STOP] = Mood(after_s=1.0)
    floor.hold(sid)
    until(lambda: floor.vendors.requests(STOP, sid), 2, "the stop is under way")
    clock.jump(60)
    floor.reaches(sid, "paused", OFF_WITHIN_S)
    assert len(floor.vendors.requests(START, sid)) == 1
    floor.unhold(sid)
    floor.reaches(sid, "transcribing", REBUILT_WITHIN_S)


@pytest.mark.parametrize("off_by_s", [3600, -3600])
def test_fault_39_a_worker_on_a_host_that_is_an_hour_off(
    make_floor: Callable[..., Floor], redis_server: RedisServer, tmp_path: Path, off_by_s: int
) -> None:
    """39: a worker process whose wall clock is an hour wrong starts, stops and starts again in time."""
    floor = make_floor(has_worker=False)
    clock = Faketime(tmp_path, off_by_s)
    environment = worker_environment(redis_server.url, floor.vendors) | clock.environment()
    worker = start("worker", [sys.executable, "-m", "orchestrator", "worker"], tmp_path, environment)
    try:
        until(floor.services.heartbeat.workers, 10, "the worker lives")
        sid = floor.talk()
        floor.reaches(sid, "transcribing")
        floor.hold(sid)
        floor.reaches(sid, "paused", 1)
        floor.unhold(sid)
        floor.reaches(sid, "transcribing", 2)
    finally:
        worker.terminate()
    first = json.loads(worker.text().splitlines()[0])
    told = datetime.fromisoformat(first["at"]).timestamp() - time.time()
    assert abs(told - off_by_s) < 60, "its clock was off"
