"""Redis did what it was told, and its answer was lost: whatever the worker believes, the call goes on."""

from __future__ import annotations

import time

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import StopStream, Verdict
from orchestrator.store.calls import Applied
from orchestrator.store.errors import StoreUnavailable
from tests.integration.claims import claim_due
from tests.integration.worker.conftest import CUSTOMER, Desk


@pytest.fixture
def held(talking: Desk) -> Desk:
    """The talk is held now; its stop is due."""
    talking.tell(CUSTOMER, e.HoldReported(at=talking.services.clock.now_ms()))
    return talking


def test_an_intent_that_is_stored_and_overtaken_is_not_left_alone(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer was lost, and another event came before it was sent again: the call has an intent nobody works on."""
    store = held.services.store
    commit = store.commit

    def overtaken(*arguments: object) -> Applied | None:
        monkeypatch.setattr(store, "commit", commit)
        assert commit(*arguments) is not None  # type: ignore[arg-type]
        held.tell(CUSTOMER, e.PauseRequested(at=held.services.clock.now_ms(), reason="payment"))
        return None

    monkeypatch.setattr(store, "commit", overtaken)
    held.turns()
    assert len(held.vendors.requests("/stop-streaming")) == 1
    assert held.call(CUSTOMER).transcription.state == "off"


def test_news_of_a_call_with_an_intent_that_nobody_works_on_makes_it_due(held: Desk) -> None:
    """The one who stored it is gone without a lease to run out; the first event brings another worker."""
    claim = claim_due(held.services.queue)
    assert claim is not None
    stop = a.StopTranscription(timeout_ms=2_000)
    held.tell(CUSTOMER, e.ActionIntended(at=held.services.clock.now_ms(), action=stop, attempt=2, worker="gone"))
    held.services.queue.release(claim)
    assert claim_due(held.services.queue) is None
    held.tell(CUSTOMER, e.PauseRequested(at=held.services.clock.now_ms(), reason="payment"))
    held.turns()
    assert held.call(CUSTOMER).transcription.state == "off"


def test_what_is_put_off_stays_urgent(held: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment of Redis's failing costs a stop its time, not its place before a herd of starts."""
    claim = claim_due(held.services.queue)
    assert claim is not None
    assert claim.is_urgent

    def away(_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(held.services.store, "load", away)
    held.worker._work_safely(claim)
    assert held.services.queue.state(0).next_urgent_ms is not None


def test_a_cut_goes_without_a_place(held: Desk) -> None:
    """All places of the account are taken: whoever must not be heard does not wait for one."""
    places = held.services.budgets.twilio
    while places.enter() is not None:
        pass
    cut = StopStream(name="asapp-1", sid="MZ" + "3" * 32, purpose="cut")
    began = time.monotonic()
    ended = held.worker.executor.run(held.call(CUSTOMER), cut, 2)
    assert isinstance(ended, e.ActionEnded)
    assert ended.outcome.verdict is Verdict.DONE
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("where", ["enter", "leave"])
def test_a_place_that_cannot_be_asked_for_loses_no_outcome(
    held: Desk, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The request is made, or certainly is not; a survey that was never asked for is not given up."""

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(held.services.budgets.twilio, where, away)
    redirect = a.RedirectToSurvey(survey_url="https://example.com/survey", streams=())
    ended = held.worker.executor.run(held.call(CUSTOMER), redirect, 2)
    assert isinstance(ended, e.ActionEnded)
    assert ended.outcome.verdict is (Verdict.REFUSED_FOR_NOW if where == "enter" else Verdict.DONE)
