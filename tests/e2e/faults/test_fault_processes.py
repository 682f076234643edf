"""Processes that die, freeze and are replaced while they act for a call."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self

import pytest

from orchestrator.worker.loop import LEASE_MS
from tests.e2e.faults.gate import Gate, Moment
from tests.e2e.faults.talks import PATIENCE_S, Talk, freeze, kill, replace_worker, thaw
from tests.e2e.harness import DESKTOP_KEY
from tests.e2e.processes import DRAIN_S, poll, procfile
from tests.e2e.world import START, STOP

LEASE_S = LEASE_MS / 1000
TAKEN_OVER_S = LEASE_S + 1.0 + 2.0
RESUMED_S = 2.0
ANSWERED_S = 1.3
SOME = 20
ACCEPTED = 202


@contextmanager
def one_more(talk: Talk, operation: str) -> Iterator[None]:
    """What is done within makes ASAPP receive one more such request; left when it has."""
    before = len(talk.call.requests(operation))
    yield
    poll(lambda: len(talk.call.requests(operation)) > before, 10, f"{operation} is asked once more")


@pytest.mark.parametrize("is_carried_out", [True, False], ids=["carried-out", "refused"])
def test_fault_35_a_worker_dies_within_a_stop(talk: Talk, is_carried_out: bool) -> None:
    """35: intent stored, request sent, answer never seen: another worker makes sure that it is off."""
    rule = {"delay_ms": 1500} if is_carried_out else {"delay_ms": 1500, "status": 503}
    talk.asapp_fault(STOP, times=1, **rule)
    with one_more(talk, STOP):
        talk.play("customer is held")
    kill(talk.site.process("worker"))
    replace_worker(talk.site)
    talk.settles("paused", TAKEN_OVER_S)
    assert len(talk.call.requests(STOP)) > 1
    talk.play("customer is unheld", "wait until transcribing")


@pytest.mark.parametrize("moment", list(Moment), ids=lambda each: each.value)
def test_fault_35_a_worker_dies_at_each_step_of_a_stop(talk: Talk, moment: Moment) -> None:
    """35: killed between any two of its commands to Redis: another worker makes sure that it is off."""
    site = talk.site
    with Gate(int(site.redis_url.rpartition(":")[2].partition("/")[0])) as gate:
        kill(site.process("worker"))
        worker = site._run("worker", shlex.split(procfile()["worker"]), {**site.environment(), "REDIS_URL": gate.url})
        poll(lambda: "worker-started" in worker.text(), PATIENCE_S, "the worker behind the gate works")
        gate.closes_at(moment, talk.call.sid)
        talk.play("customer is held")
        assert gate.closed.wait(10), "the worker came to that moment"
        kill(worker)
    replace_worker(site)
    talk.settles("paused", TAKEN_OVER_S)
    assert talk.call.requests(STOP)
    talk.play("customer is unheld", "wait until transcribing")


def test_fault_35_a_worker_dies_within_a_start_and_a_hold_comes(talk: Talk) -> None:
    """35, 42: the start may be carried out after the worker's death; on hold it does not stay on."""
    talk.play("customer is held", "wait until paused")
    talk.asapp_fault(START, times=1, delay_ms=1500)
    with one_more(talk, START):
        talk.play("customer is unheld")
    kill(talk.site.process("worker"))
    talk.play("customer is held")
    replace_worker(talk.site)
    talk.settles("paused", TAKEN_OVER_S)
    stops = len(talk.call.requests(STOP))
    poll(lambda: len(talk.call.requests(STOP)) > stops, 9, "the stop is asserted once more, later")
    assert not talk.is_transcribing()


def test_fault_36_a_frozen_workers_late_request(talk: Talk) -> None:
    """36: frozen beyond its lease with a start on its way, then alive again: the call stays off."""
    talk.play("customer is held", "wait until paused")
    frozen = talk.site.process("worker")
    talk.asapp_fault(START, times=1, delay_ms=400)
    with one_more(talk, START):
        talk.play("customer is unheld")
    freeze(frozen)
    talk.play("customer is held")
    replace_worker(talk.site)
    talk.settles("paused", TAKEN_OVER_S)
    thaw(frozen)
    poll(lambda: late_starts(talk), 10, "it tells what it had been answered")
    talk.settles("paused", 10)
    poll(lambda: talk.call.api()["transcription"]["state"] == "off", 10, "confirmed off, whatever came late")
    talk.play("customer is unheld", "wait until transcribing")
    frozen.terminate()


def late_starts(talk: Talk) -> list[int]:
    """Attempts that were given up for lost, and whose answer came all the same."""
    events = [entry["event"] for entry in talk.call.timeline()]
    lost = [event["attempt"] for event in events if event["event"] == "action-abandoned"]
    return [event["attempt"] for event in events if event["event"] == "action-ended" and event["attempt"] in lost]


def test_fault_48_a_worker_told_to_end_finishes_what_it_began(talk: Talk) -> None:
    """48: SIGTERM within a stop: its answer is recorded, the process ends well, and nothing is asked twice."""
    worker = talk.site.process("worker")
    talk.asapp_fault(STOP, times=1, delay_ms=1000)
    with one_more(talk, STOP):
        talk.play("customer is held")
    worker.popen.terminate()
    talk.settles("paused", 3)
    assert worker.popen.wait(DRAIN_S) == 0
    began = time.monotonic()
    replace_worker(talk.site)
    talk.play("customer is unheld", "wait until transcribing")
    assert time.monotonic() - began < 8
    assert len(talk.call.requests(STOP)) == 1


class Desk(threading.Thread):
    """A desktop that reports a pause that stands already, again and again; `taken`: what was acknowledged, and when."""

    def __init__(self, talk: Talk) -> None:
        super().__init__(daemon=True)
        self.taken: list[tuple[str, float]] = []
        self._talk = talk
        self._is_over = threading.Event()

    def run(self) -> None:
        for number in count():
            if self._is_over.wait(0.005):
                return
            name = f"desk-{number}"
            answer = self._talk.site.http.post(
                f"{self._talk.site.web_url}/api/v1/calls/{self._talk.call.sid}/events",
                json={"type": "pause", "reason": "payment", "event_id": name},
                headers={"Authorization": f"Bearer {DESKTOP_KEY}"},
                timeout=10,
            )
            if answer.status_code == ACCEPTED:
                self.taken.append((name, time.monotonic()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()


def test_fault_30_redis_killed_and_restarted(talk: Talk) -> None:
    """30: nothing that was acknowledged up to SIGKILL is lost, and within 2 s of Redis's return all goes on."""
    redis = talk.site.process("redis")
    talk.asapp_fault(STOP, times=1, delay_ms=1000)
    with Desk(talk) as desk:
        poll(lambda: len(desk.taken) > SOME and talk.call.requests(STOP), 10, "the pause is known, its stop under way")
        kill(redis)
        killed_at = time.monotonic()
        poll(lambda: time.monotonic() - killed_at > ANSWERED_S, 2 * ANSWERED_S, "ASAPP has answered meanwhile")
        again = talk.site._run("redis", list(redis.popen.args))  # type: ignore[arg-type]  # it was a list of words
        poll(lambda: "Ready to accept connections" in again.text(), 10, "redis-server is back")
        back_at = time.monotonic()
        talk.settles("paused", back_at + RESUMED_S - time.monotonic())
        poll(lambda: desk.taken[-1][1] > back_at, 5, "reports are taken again")
    assert next(at for _, at in desk.taken if at > back_at) - back_at <= RESUMED_S
    told = {str(entry["event"].get("event_id")).rpartition(":")[2] for entry in talk.call.timeline()}
    assert [name for name, _ in desk.taken if name not in told] == []
    talk.call.report("resume", reason="payment")
    talk.play("wait until transcribing")


def test_fault_34_redis_emptied_in_the_middle(talk: Talk) -> None:
    """34: all is forgotten: the call is found in Twilio's list, the hold that follows is honoured, and the unhold."""
    with talk.site.redis() as redis:
        redis.flushall()
    poll(lambda: is_known(talk), 10, "the call is found again")
    talk.play("customer is held")
    talk.settles("paused", 10)
    talk.play("customer is unheld", "wait until transcribing", "wait until heard customer-speech again")


def is_known(talk: Talk) -> bool:
    sids = [call["call_sid"] for call in talk.site.api("/calls")["calls"]]
    return talk.call.sid in sids
