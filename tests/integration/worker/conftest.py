"""A worker whose turns a test takes itself, on a real Redis, with both vendors on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.call import Call
from orchestrator.core.events import Event
from orchestrator.profiles import parse
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.worker.loop import Worker
from tests.integration.claims import claim_due
from tests.integration.conftest import RedisServer
from tests.integration.worker.vendors import ACCOUNT, STREAM, Vendors

CUSTOMER, AMY = ("CA" + letter * 32 for letter in "ab")
ROOM = "CF" + "1" * 32
PROFILES = """
[default]
route = "conference"
agent_identities = ["client:agent-*"]

[[profile]]
to = "+15555550111"
transcribe = false
"""


@dataclass
class Desk:
    """One worker and what it works on."""

    services: Services
    worker: Worker
    vendors: Vendors

    def turns(self, most: int = 20) -> None:
        """Claims what is due, again and again, until nothing is."""
        for _ in range(most):
            claim = claim_due(self.services.queue)
            if claim is None:
                return
            self.worker._work_safely(claim)
        raise AssertionError("still busy")

    def call(self, sid: str) -> Call:
        call = self.services.store.load(sid)
        assert call is not None
        return call

    def tell(self, sid: str, *events: Event) -> None:
        for event in events:
            assert self.services.store.apply(sid, event) is not None


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as running:
        yield running


@pytest.fixture
def desk(redis: object, redis_server: RedisServer, vendors: Vendors) -> Iterator[Desk]:
    del redis  # empties the server
    settings = Settings.from_environment(
        {
            "REDIS_URL": redis_server.url,
            "PUBLIC_BASE_URL": "https://calls.example.com",
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": "fake-token",
            "TWILIO_API_BASE_URL": vendors.url,
            "ASAPP_API_BASE_URL": vendors.url,
            "ASAPP_API_ID": "fake-id",
            "ASAPP_API_SECRET": "fake-secret",
            "TRANSCRIPT_WEBHOOK_SECRET": "fake-webhook",
            "AGENT_API_KEYS": "desk:fake-key",
            "ORCHESTRATOR_CONFIG": "config/profiles.toml",
        }
    )
    services = replace(build(settings), profiles=parse(PROFILES))
    yield Desk(services, Worker(services, threads=1), vendors)
    services.close()


@pytest.fixture
def talking(desk: Desk) -> Desk:
    """With a call that is being transcribed, with amy."""
    at = desk.services.clock.now_ms()
    profile = desk.services.profiles.default
    desk.services.store.begin(e.CallArrived(at=at, call_sid=CUSTOMER, profile=profile, has_stream_url=True))
    start = a.StartTranscription(agent_id="amy", stream="asapp-1")
    desk.tell(
        CUSTOMER,
        e.StreamStarted(at=at, name="asapp-1", sid=STREAM),
        e.ParticipantJoined(at=at, conference=ROOM, leg=CUSTOMER, sequence=1, label="customer"),
        e.ParticipantJoined(at=at, conference=ROOM, leg=AMY, sequence=2, label="agent-amy"),
        e.ActionIntended(at=at, action=start, attempt=1, worker="test"),
        e.ActionEnded(at=at, action=start, attempt=1, outcome=a.Outcome(verdict=a.Verdict.DONE)),
    )
    desk.vendors.leg(CUSTOMER)
    desk.vendors.room(ROOM, **{CUSTOMER: False, AMY: False})
    return desk
