"""An action that has to wait, for a budget or for a vendor that is not well, keeps nothing else of its call waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.people import is_customer_held
from orchestrator.worker.guards import HeldBack
from orchestrator.worker.loop import Held
from tests.integration.claims import claim_due
from tests.integration.worker.conftest import AMY, CUSTOMER, ROOM, Desk

BOB = "CA" + "c" * 32


@dataclass
class Slow:
    """In front of the executor: what waits, what is held back, and what was really asked."""

    desk: Desk
    waits: tuple[type, ...] = ()
    held: tuple[type, ...] = ()
    fails: tuple[type, ...] = ()
    asked: list[a.VendorAction] = field(default_factory=list)

    def put(self, monkeypatch: pytest.MonkeyPatch) -> Slow:
        executor = self.desk.worker.executor
        run, held_back = executor.run, executor.held_back

        def asked(call: object, action: a.VendorAction, attempt: int) -> e.Event:
            self.asked.append(action)
            if isinstance(action, self.fails):
                failed = Outcome(verdict=Verdict.FAILED, family="5xx")
                return e.ActionEnded(at=self.now(), action=action, attempt=attempt, outcome=failed)
            return run(call, action, attempt)  # type: ignore[arg-type]

        def held(action: a.VendorAction, call: object) -> HeldBack | None:
            if isinstance(action, self.held):
                return HeldBack(for_ms=2_000, trouble="asapp-5xx")
            return held_back(action, call)  # type: ignore[arg-type]

        def wait_ms(action: a.VendorAction, _call: object) -> int:
            return 20_000 if isinstance(action, self.waits) else 0

        monkeypatch.setattr(executor, "run", asked)
        monkeypatch.setattr(executor, "held_back", held)
        monkeypatch.setattr(executor, "wait_ms", wait_ms)
        return self

    def now(self) -> int:
        return self.desk.services.clock.now_ms()

    def look(self) -> tuple[int, bool]:
        """One claim's work: in how many milliseconds the next look is, and whether that is urgent."""
        claim = claim_due(self.desk.services.queue)
        assert claim is not None
        at, urgent = self.desk.worker._work(Held(claim))
        assert at is not None
        self.desk.services.queue.release(claim, at, urgent=urgent)
        return at - self.now(), urgent


@pytest.fixture
def slow(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Slow]:
    return lambda **kinds: Slow(desk, **kinds).put(monkeypatch)


def test_a_read_that_waits_for_its_budget_hides_no_stop(talking: Desk, slow: Callable[..., Slow]) -> None:
    """A herd of reads after a reconnect; the first stop of a hold fails: its repetition and the cut come in time."""
    waiting = slow(waits=(a.ReadCall, a.ReadParticipants), fails=(a.StopTranscription,))
    talking.tell(CUSTOMER, e.AuditRequested(at=waiting.now(), why="Redis was away"))
    talking.tell(CUSTOMER, e.HoldReported(at=waiting.now()))
    wait_ms, urgent = waiting.look()
    assert [type(each) for each in waiting.asked] == [a.StopTranscription]
    assert 0 < wait_ms <= 300
    assert urgent


def test_a_start_that_is_held_back_hides_no_look(talking: Desk, slow: Callable[..., Slow]) -> None:
    """ASAPP is not well, and a hold was lost meanwhile: Twilio is asked, so the start does not come into the hold."""
    waiting = slow(held=(a.StartTranscription, a.StopTranscription))
    at = waiting.now()
    talking.tell(CUSTOMER, e.TranscriptionDoubted(at=at - 10_000))
    talking.vendors.room(ROOM, **{CUSTOMER: True, AMY: False})
    waiting.look()
    assert [type(each) for each in waiting.asked] == [a.ReadCall, a.ReadParticipants]
    assert is_customer_held(talking.call(CUSTOMER))


def test_an_agent_change_that_is_held_back_is_looked_at_when_it_may_go(
    talking: Desk, slow: Callable[..., Slow]
) -> None:
    """Nothing is stored for it while transcription runs on: what is stored makes the call due at once."""
    waiting = slow(held=(a.StopTranscription,))
    talking.tell(CUSTOMER, e.ParticipantJoined(at=waiting.now(), conference=ROOM, leg=BOB, sequence=3, label="agent-b"))
    talking.tell(CUSTOMER, e.ParticipantLeft(at=waiting.now(), conference=ROOM, leg=AMY, sequence=4))
    before = talking.call(CUSTOMER).version
    wait_ms, _ = waiting.look()
    assert wait_ms > 1_000
    assert (waiting.asked, talking.call(CUSTOMER).version) == ([], before)
    assert claim_due(talking.services.queue) is None
