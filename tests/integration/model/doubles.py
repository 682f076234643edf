"""Stand-ins for the two vendors' clients over one truth, and workers made of the real parts around them.

`World.moods` says how each vendor serves: as told, or with a verdict instead; `UNKNOWN` takes the whole time-out, and
the request is carried out later or never. What the truth is afterwards only `Vendors` knows.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from orchestrator import services as services_module
from orchestrator.asapp.client import AsappClient
from orchestrator.asapp.stream_url import StreamUrls
from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.profile import Profile
from orchestrator.services import Services
from orchestrator.settings import Settings
from orchestrator.store.calls import CallStore
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.keys import Keys
from orchestrator.store.queue import DueQueue
from orchestrator.store.utterances import UtteranceStore
from orchestrator.twilio.client import TwilioClient
from orchestrator.worker.loop import LEASE_MS, Worker
from tests.integration.model.stepping import Gate, KilledError, Run, SteppedClock, SteppedRedis
from tests.property.vendors import Vendors

_CONFIG = Path(__file__).parents[3] / "config" / "profiles.toml"
_ENVIRONMENT = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_BASE_URL": "https://calls.example.com",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake-token",
    "ASAPP_API_ID": "fake-id",
    "ASAPP_API_SECRET": "fake-secret",
    "ORCHESTRATOR_CONFIG": str(_CONFIG),
}
KEYS = Keys()


@dataclass(frozen=True)
class Mood:
    """How a vendor serves. `arrives_in`: a request without an answer is carried out so much later; None: never."""

    verdict: Verdict | None = None
    family: str = ""
    arrives_in: int | None = None


WELL = Mood()


@dataclass
class Late:
    """A request that its sender has given up, on its way to the vendor."""

    action: a.Action
    arrives_at: int


@dataclass
class World:
    """The truth, the clock that everybody reads, and the vendors' moods."""

    clock: SteppedClock
    vendors: Vendors = field(default_factory=Vendors)
    asapp: Mood = WELL
    twilio: Mood = WELL
    late: list[Late] = field(default_factory=list)
    last_surprise: int = 0
    """When a request last arrived of which nobody had been told."""
    silent_since: int = 0
    """When ASAPP last ceased to hear."""

    def serve(self, action: a.VendorAction, mood: Mood) -> Outcome:
        was_hearing = self.vendors.is_hearing
        outcome = self._serve(action, mood)
        if was_hearing and not self.vendors.is_hearing:
            self.silent_since = self.clock.now_ms()
        return outcome

    def _serve(self, action: a.VendorAction, mood: Mood) -> Outcome:
        if mood.verdict is None:
            return self.vendors.serve(action, self.clock.now_ms())
        if mood.verdict is Verdict.UNKNOWN:
            if mood.arrives_in is not None:
                self.late.append(Late(action, self.clock.now_ms() + mood.arrives_in))
            self.clock.step(action.timeout_ms)
            self.deliver_late()
        elif mood.verdict is Verdict.FAILED and mood.arrives_in == 0:
            self.vendors.serve(action, self.clock.now_ms())
        return Outcome(verdict=mood.verdict, family=mood.family)

    def deliver_late(self, *, everything: bool = False) -> None:
        for each in [each for each in self.late if everything or each.arrives_at <= self.clock.now_ms()]:
            self.late.remove(each)
            self.vendors.serve(each.action, self.clock.now_ms())
            self.last_surprise = self.clock.now_ms()


def _asked(world: World, gate: Gate, action: a.VendorAction, mood: Mood, renew: Callable[[], None]) -> Outcome:
    """A worker that dies at the first gate may have sent its request already: it arrives all the same."""
    try:
        gate.pass_through(is_redis=False)
    except KilledError:
        if gate.request_arrives_in is not None:
            world.late.append(Late(action, world.clock.now_ms() + gate.request_arrives_in))
        raise
    outcome = world.serve(action, mood)
    renew()
    gate.pass_through(is_redis=False)
    return outcome


class Asapp:
    """In place of `AsappClient`."""

    def __init__(self, world: World, gate: Gate, renew: Callable[[], None]) -> None:
        self._world, self._gate, self._renew = world, gate, renew

    def start(
        self, call_sid: str, *, customer_id: str, agent_id: str, profile: Profile, timeout_ms: int = 2000
    ) -> Outcome:
        del call_sid, customer_id, profile
        return self._asked(a.StartTranscription(agent_id=agent_id, stream="", timeout_ms=timeout_ms))

    def stop(self, call_sid: str, *, timeout_ms: int = 2000) -> Outcome:
        del call_sid
        return self._asked(a.StopTranscription(timeout_ms=timeout_ms))

    def _asked(self, action: a.VendorAction) -> Outcome:
        return _asked(self._world, self._gate, action, self._world.asapp, self._renew)


class Twilio:
    """In place of `TwilioClient`."""

    def __init__(self, world: World, gate: Gate, renew: Callable[[], None]) -> None:
        self._world, self._gate, self._renew = world, gate, renew

    def create_stream(self, call_sid: str, *, name: str, url: str, status_callback: str, timeout_ms: int) -> Outcome:
        del call_sid, url, status_callback
        return self._asked(a.CreateStream(name=name, timeout_ms=timeout_ms))

    def stop_stream(self, call_sid: str, sid_or_name: str, *, timeout_ms: int = 3000) -> Outcome:
        del call_sid
        streams = self._world.vendors.streams
        name = next((name for name, sid in streams.items() if sid_or_name in {sid, name}), sid_or_name)
        return self._asked(a.StopStream(name=name, timeout_ms=timeout_ms))

    def redirect_call(self, call_sid: str, twiml: str, *, timeout_ms: int = 3000) -> Outcome:
        del call_sid
        names = tuple(re.findall(r'<Stream name="([^"]+)"', twiml))
        return self._asked(a.RedirectToSurvey(survey_url="", streams=names, timeout_ms=timeout_ms))

    def complete_conference(self, conference: str, *, timeout_ms: int = 3000) -> Outcome:
        return self._asked(a.CompleteConference(conference=conference, timeout_ms=timeout_ms))

    def read_call(self, call_sid: str, *, at: int, timeout_ms: int = 3000) -> e.CallRead | Outcome:
        del call_sid, at
        return cast("e.CallRead | Outcome", self._read(a.ReadCall(timeout_ms=timeout_ms)))

    def read_leg(self, leg: str, *, call_sid: str, at: int, timeout_ms: int = 3000) -> e.LegRead | Outcome:
        del call_sid, at
        return cast("e.LegRead | Outcome", self._read(a.ReadLeg(leg=leg, timeout_ms=timeout_ms)))

    def read_participants(self, conference: str, *, at: int, timeout_ms: int = 3000) -> e.ParticipantsRead | Outcome:
        del at
        read = a.ReadParticipants(conference=conference, timeout_ms=timeout_ms)
        return cast("e.ParticipantsRead | Outcome", self._read(read))

    def _asked(self, action: a.VendorAction) -> Outcome:
        return _asked(self._world, self._gate, action, self._world.twilio, self._renew)

    def _read(self, action: a.VendorAction) -> e.Event | Outcome:
        self._gate.pass_through(is_redis=False)
        mood = self._world.twilio
        if mood.verdict is Verdict.UNKNOWN:
            self._world.clock.step(action.timeout_ms)
            self._world.deliver_late()
        read = self._world.vendors.read(action, self._world.clock.now_ms())
        self._renew()
        self._gate.pass_through(is_redis=False)
        return read if mood.verdict is None else Outcome(verdict=mood.verdict, family=mood.family)


class Url:
    """In place of `StreamUrls`: one is always at hand."""

    def at_hand(self) -> str | None:
        return "wss://media.asapp.example/fake"

    def get(self, wait_s: float) -> str | None:
        del wait_s
        return "wss://media.asapp.example/fake"


@dataclass
class ModelWorker:
    """A worker process: the real loop over the real store and queue, one claim at a time."""

    world: World
    redis: SteppedRedis
    name: str

    def __post_init__(self) -> None:
        self.runs: list[Run] = []

    def turn(self, gate: Gate, *, only_stops: bool = False) -> Run:
        """Claim one call, if any is due, and work on it until it is released (or the gate's fate comes)."""
        held: list[Worker] = []

        def renew() -> None:
            """As the thread that renews leases does, which sees a request's time-out pass."""
            for each in (each for worker in held for each in worker._held.values()):
                held[0]._renew(each)

        worker = Worker(self._services(gate, renew), threads=1)
        worker.name = self.name
        held.append(worker)
        run = Run(lambda: self._claim_and_work(worker, only_stops=only_stops), gate)
        if run.is_frozen:
            self.runs.append(run)
        return run

    def _claim_and_work(self, worker: Worker, *, only_stops: bool) -> None:
        try:
            claim = worker.services.queue.claim(self.name, lease_ms=LEASE_MS, urgent_only=only_stops)
        except StoreUnavailable:
            return  # as the loop does, after a pause
        if claim is not None:
            worker._work_safely(claim)
            assert not worker._failures, "a call made the worker fail"

    def _services(self, gate: Gate, renew: Callable[[], None]) -> Services:
        redis = SteppedRedis(self.redis.redis, gate)
        clock = self.world.clock
        built = services_module.build(Settings.from_environment(_ENVIRONMENT))
        for budget in vars(built.budgets).values():
            budget._redis = redis
        queue = DueQueue(redis, KEYS)
        for breaker in built.budgets.breakers:
            breaker._wake = queue.mark
        return dataclasses.replace(
            built,
            clock=clock,
            redis=redis,
            store=call_store(redis, clock),
            queue=queue,
            slow_queue=DueQueue(redis, KEYS, "slow"),
            utterances=UtteranceStore(redis, KEYS, ttl_s=3600),
            asapp=cast("AsappClient", Asapp(self.world, gate, renew)),
            twilio=cast("TwilioClient", Twilio(self.world, gate, renew)),
            stream_urls=cast("StreamUrls", Url()),
        )


def call_store(redis: SteppedRedis, clock: SteppedClock) -> CallStore:
    return CallStore(redis, rules=services_module.RULES, clock=clock, call_ttl_s=1_000_000)
