from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from orchestrator.clock import ManualClock
from orchestrator.core.call import Call
from orchestrator.core.events import CallAdopted, CallArrived, Event
from orchestrator.core.profile import Profile
from orchestrator.store.calls import CallStore
from orchestrator.store.connect import Redis
from orchestrator.store.rules import Rules

NOW = 1_700_000_000_000
PROFILE = Profile(route="conference")
Arrive = Callable[..., CallArrived]


class Plan(msgspec.Struct, frozen=True):
    action: object | None = None
    look_again_at: int | None = None


def begin(event: CallArrived | CallAdopted) -> Call:
    return Call(call_sid=event.call_sid, profile=event.profile, created_at=event.at)


def count_event(call: Call, event: Event) -> Call:
    """Every event but a repeated arrival counts one; so a lost one is seen."""
    if isinstance(event, CallArrived):
        return call
    return msgspec.structs.replace(call, attempts=call.attempts + 1)


def rules(plan: Plan | None = None, *, urgent: bool = False) -> Rules:
    return Rules(
        begin=begin,
        transition=count_event,
        reconcile=lambda _call, _now: plan or Plan(action="look"),
        is_urgent=lambda _call, _plan: urgent,
        measure=lambda _before, _after, _event: {"events": 1.0},
    )


@pytest.fixture
def arrived() -> Arrive:
    def event(call_sid: str = "CA1", at: int = NOW) -> CallArrived:
        return CallArrived(at=at, call_sid=call_sid, profile=PROFILE)

    return event


@pytest.fixture
def make_store(redis: Redis) -> Callable[..., CallStore]:
    def make(
        client: Redis | None = None,
        *,
        plan: Plan | None = None,
        urgent: bool = False,
        shards: int = 1,
        timeline_cap: int = 2000,
    ) -> CallStore:
        return CallStore(
            client or redis,
            rules=rules(plan, urgent=urgent),
            clock=ManualClock(NOW),
            shards=shards,
            call_ttl_s=3600,
            timeline_cap=timeline_cap,
        )

    return make


@pytest.fixture
def store(make_store: Callable[..., CallStore]) -> CallStore:
    return make_store()
