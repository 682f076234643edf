"""What stands between an action and its vendor, over all calls: breakers, and ASAPP's daily number of requests.

Stops never ask a breaker and are never refused for the day: they are only counted. None of this may lose an outcome:
with Redis away a request that was already made counts as told to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orchestrator.core import actions as a
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.store.breakers import Breaker

NO_PLACE = "no-place"
DAY_IS_OVER = Outcome(
    verdict=Verdict.REFUSED_FOR_NOW, family="429", code="daily-limit", detail="ASAPP's requests of this day are used up"
)
_UNWELL = frozenset({Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.UNKNOWN})
_OFF = frozenset({Verdict.DONE, Verdict.ALREADY, Verdict.NO_STREAM})
_log = get_logger("orchestrator.worker.guards")


class Guards:
    """Thread-safe; one per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._budgets = services.budgets

    def breaker_of(self, action: a.VendorAction) -> Breaker | None:
        """A stop that serves a start goes with the starts; one that is wanted, and all else, goes past."""
        match action:
            case a.StartTranscription() | a.StopTranscription(purpose="reset"):
                return self._budgets.starts
            case a.CreateStream():
                return self._budgets.creates
            case _:
                return None

    def told(self, action: a.VendorAction, outcome: Outcome) -> Outcome:
        """The outcome, paced by the breaker where that is open; its closing makes due who waits for it."""
        breaker = self.breaker_of(action)
        if breaker is None or _says_nothing_of_the_vendor(outcome):
            return outcome
        try:
            if outcome.verdict not in _UNWELL:
                self._wake(breaker, breaker.answered().waiting)
                return outcome
            told = breaker.failed(at_once=outcome.family == "auth")
        except OrchestratorError as error:
            _log.warning("breaker not told", breaker=breaker.name, error=error.error_id)
            return outcome
        if told.is_opened:
            _log.error("breaker open", breaker=breaker.name, code=outcome.code, family=outcome.family)
        return replace(outcome, is_paced=True) if told.is_open else outcome

    def _wake(self, breaker: Breaker, waiting: tuple[str, ...]) -> None:
        if waiting:
            _log.warning("breaker closed", breaker=breaker.name, waiting=len(waiting))
        for call_sid in waiting:
            self._services.queue.mark(call_sid)

    def is_within_the_day(self, call: Call, action: a.StartTranscription | a.StopTranscription) -> bool:
        """Counts it; the intent is stored by now, so with Redis away it goes uncounted."""
        is_start = isinstance(action, a.StartTranscription)
        try:
            return self._budgets.asapp_day.take(call.call_sid, "start" if is_start else "stop")
        except OrchestratorError as error:
            _log.warning("request not counted", call_sid=call.call_sid, error=error.error_id)
            return True

    def stopped(self, call: Call, outcome: Outcome) -> None:
        if outcome.verdict not in _OFF:
            return
        try:
            self._budgets.asapp_day.stopped(call.call_sid)
        except OrchestratorError as error:  # it stays in reserve until the day is over
            _log.warning("stop not told", call_sid=call.call_sid, error=error.error_id)


def _says_nothing_of_the_vendor(outcome: Outcome) -> bool:
    """It was never asked: no URL at hand, no place free, the day used up."""
    return outcome.family == "no-url" or outcome.code in {DAY_IS_OVER.code, NO_PLACE}
