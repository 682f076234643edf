"""Faults 35, 36 and 42: a worker dies or freezes at every command of its work, and a hold comes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.core import events as e
from orchestrator.core.call import Call, TranscriptionState
from orchestrator.worker.loop import LEASE_MS
from tests.integration.model.doubles import ModelWorker, World, call_store
from tests.integration.model.stepping import Fate, Gate, SteppedClock, SteppedRedis
from tests.property.test_call_invariants import LABELS, LEGS, arrival
from tests.property.vendors import Move
from tests.unit.core.given import CUSTOMER, START_MS

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

GATES = range(1, 27)
"""More than a start, or a stop, has: claim, intent, request, outcome, release, each before and after."""
CUT_MS = 3_500
STEP_MS = 250


class Scene:
    """A call that is talking or about to, and two workers."""

    def __init__(self, redis: Redis) -> None:
        stepped = SteppedRedis(redis)
        self.world = World(SteppedClock(redis, START_MS))
        self.store = call_store(stepped, self.world.clock)
        self.first, self.second = (ModelWorker(self.world, stepped, name) for name in ("first", "second"))
        self.store.begin(arrival(START_MS, {}))
        self.world.vendors._create("asapp-1", START_MS)
        for leg in (CUSTOMER, LEGS["amy"]):
            self.moves(e.ParticipantJoined, leg)

    @property
    def call(self) -> Call:
        found = self.store.load(CUSTOMER)
        assert found is not None
        return found

    def moves(self, kind: type[Move], leg: str = CUSTOMER) -> None:
        self.world.vendors.move(kind, leg, LABELS[leg], self.world.clock.now_ms())
        self.told()

    def told(self) -> None:
        while self.world.vendors.mailbox:
            self.store.apply(CUSTOMER, self.world.vendors.mailbox.pop(0).event)

    def second_works(self, milliseconds: int) -> None:
        """The other worker lives and claims whatever is due."""
        for _ in range(milliseconds // STEP_MS):
            self.second.turn(Gate())
            self.told()
            self.world.clock.step(STEP_MS)
            self.world.deliver_late()

    def is_off(self) -> bool:
        return not self.world.vendors.is_hearing and self.call.transcription.state is TranscriptionState.OFF

    def is_on(self) -> bool:
        return self.world.vendors.is_hearing and self.call.transcription.state is TranscriptionState.ON


@pytest.fixture
def scene(redis: Redis) -> Scene:
    return Scene(redis)


@pytest.mark.parametrize("number", GATES)
@pytest.mark.parametrize("fate", list(Fate))
def test_hold_while_a_start_dies(scene: Scene, number: int, fate: Fate) -> None:
    """Wherever the worker that starts is lost, a hold is off within lease and cut, and an unhold is on again."""
    scene.first.turn(Gate(closes_at=number, fate=fate))
    scene.moves(e.ParticipantHeld)
    scene.second_works(LEASE_MS + CUT_MS)
    assert scene.is_off(), scene.call
    for run in scene.first.runs:
        run.thaw()
    scene.second_works(CUT_MS)
    assert scene.is_off(), scene.call
    scene.moves(e.ParticipantUnheld)
    scene.second_works(LEASE_MS)
    assert scene.is_on(), scene.call


@pytest.mark.parametrize("number", GATES)
@pytest.mark.parametrize("fate", list(Fate))
def test_stop_that_dies(scene: Scene, number: int, fate: Fate) -> None:
    """Wherever the worker that stops is lost, another one makes sure, and an unhold is on again."""
    scene.second_works(STEP_MS)
    assert scene.is_on()
    scene.moves(e.ParticipantHeld)
    scene.first.turn(Gate(closes_at=number, fate=fate))
    scene.second_works(LEASE_MS + CUT_MS)
    assert scene.is_off(), scene.call
    for run in scene.first.runs:
        run.thaw()
    scene.moves(e.ParticipantUnheld)
    scene.second_works(2 * LEASE_MS)
    assert scene.is_on(), scene.call


@pytest.mark.parametrize("number", GATES)
def test_dead_workers_start_arrives_after_the_stop(scene: Scene, number: int) -> None:
    """A request of a dead worker that arrives after everybody settled on off is undone by the repeated stop."""
    scene.first.turn(Gate(closes_at=number, fate=Fate.DIES, request_arrives_in=LEASE_MS + 2_000))
    scene.moves(e.ParticipantHeld)
    scene.second_works(LEASE_MS + 2 * 6_000)
    assert scene.is_off(), scene.call
