"""A worker with its real threads, on a real Redis, beside vendors that a test can spoil."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.core import events as e
from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.profiles import parse
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.worker.loop import Worker
from tests.integration.conftest import RedisServer
from tests.integration.faults.vendors import ACCOUNT, Vendors

Until = Callable[[Callable[[], object], float, str], None]


def until(condition: Callable[[], object], within_s: float, why: str) -> None:
    """Polls; fails with what was expected."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {why}"
        time.sleep(0.01)


@dataclass
class Floor:
    """A call centre's floor: calls in a talk, one worker process's threads, and the vendors."""

    services: Services
    vendors: Vendors

    def sid(self, number: int = 0) -> str:
        return f"CA{number:032x}"

    def talk(self, number: int = 0) -> str:
        """A call with a live stream and a connected agent: transcription is wanted."""
        sid, now = self.sid(number), self.services.clock.now_ms()
        profile = self.services.profiles.default
        self.services.store.begin(e.CallArrived(at=now, call_sid=sid, profile=profile, has_stream_url=True))
        self.tell(sid, e.StreamStarted(at=now, name="asapp-1", sid=f"MZ{number:032x}"))
        self.tell(sid, e.AgentConnected(at=now, agent_id="amy"))
        return sid

    def tell(self, sid: str, event: e.Event) -> None:
        assert self.services.store.apply(sid, event) is not None

    def hold(self, sid: str) -> None:
        self.tell(sid, e.HoldReported(at=self.services.clock.now_ms()))

    def unhold(self, sid: str) -> None:
        self.tell(sid, e.UnholdReported(at=self.services.clock.now_ms()))

    def call(self, sid: str) -> Call:
        call = self.services.store.load(sid)
        assert call is not None
        return call

    def state(self, sid: str) -> str:
        return state_of(self.call(sid))

    def reaches(self, sid: str, state: str, within_s: float = 5) -> None:
        until(lambda: self.state(sid) == state, within_s, f"{sid} is {state}")


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


def worker_environment(redis_url: str, vendors: Vendors) -> dict[str, str]:
    """What a process of the service needs."""
    return {
        "REDIS_URL": redis_url,
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "TWILIO_API_BASE_URL": vendors.url,
        "ASAPP_API_BASE_URL": vendors.url,
        "ASAPP_API_ID": "fake-id",
        "ASAPP_API_SECRET": "fake-secret",
        "AGENT_API_KEYS": "desk:fake-key",
        "ORCHESTRATOR_CONFIG": str(Path(__file__).parents[3] / "config" / "profiles.toml"),
        "WORKER_THREADS": "8",
        "LOG_FORMAT": "json",
    }


def settings(redis_url: str, vendors: Vendors, **changes: str) -> Settings:
    return Settings.from_environment({**worker_environment(redis_url, vendors), **changes})


@pytest.fixture
def make_floor(redis: object, redis_server: RedisServer, vendors: Vendors) -> Iterator[Callable[..., Floor]]:
    """A floor with a running worker; keywords are settings. `has_worker=False`: a test takes the turns itself."""
    del redis  # empties the server
    floors: list[Services] = []
    workers: list[Worker] = []

    def make(*, has_worker: bool = True, redis_url: str = "", **changes: str) -> Floor:
        built = build(settings(redis_url or redis_server.url, vendors, **changes))
        services = replace(built, profiles=parse('[default]\nroute = "conference"\n'))
        floors.append(services)
        if has_worker:
            worker = Worker(services, services.settings.worker_threads)
            worker.start()
            workers.append(worker)
        return Floor(services, vendors)

    yield make
    vendors.stopped.set()
    for worker in workers:
        worker.stop()
    for services in floors:
        services.close()


@pytest.fixture
def floor(make_floor: Callable[..., Floor]) -> Floor:
    return make_floor()
