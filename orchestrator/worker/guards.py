"""What stands between an action and its vendor, over all calls: breakers.

Stops never ask one. None of this may lose an outcome: with Redis away a request that was already made counts as told
to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orchestrator.asapp.day import DAILY
from orchestrator.core import actions as a
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger

if TYPE_CHECKING:
    from orchestrator.services import Services
    from orchestrator.store.breakers import Breaker

NO_PLACE = "no-place"
_UNWELL = frozenset({Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.UNKNOWN})
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
                breaker.answered()
                return outcome
            told = breaker.failed(at_once=outcome.family == "auth")
        except OrchestratorError as error:
            _log.warning("breaker not told", breaker=breaker.name, error=error.error_id)
            return outcome
        if told.is_opened:
            _log.error("vendor is not well", breaker=breaker.name, code=outcome.code, family=outcome.family)
        return replace(outcome, is_paced=True) if told.is_open else outcome


def _says_nothing_of_the_vendor(outcome: Outcome) -> bool:
    """It was never asked: no URL at hand, no place free, the day used up."""
    return outcome.family in {"no-url", DAILY} or outcome.code == NO_PLACE
