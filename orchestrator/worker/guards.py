"""What stands between an action and its vendor, over all calls: breakers.

Stops never ask one. None of this may lose an outcome: with Redis away a request that was already made counts as told
to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orchestrator.asapp.day import DAILY
from orchestrator.core import actions as a
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.store.breakers import Breaker

NO_PLACE = "no-place"
_REFUSED_BEHIND_MS = 86_400_000
"""Longer than any talk."""
_UNWELL = frozenset({Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.UNKNOWN})
_log = get_logger("orchestrator.worker.guards")


@dataclass(frozen=True)
class HeldBack:
    """Until a breaker closes: for how long at most, and by what trouble."""

    for_ms: int
    trouble: str


def rank_of(call: Call) -> int:
    """Who comes first where not all can: the newest talk."""
    return call.wanted_since or 0


def rank_of_start(call: Call) -> int:
    """Of those whom ASAPP has refused since they were off each comes after all who have not been tried.

    Its gateway finds a stream a moment after that has begun; asked too early again and again it uses up the budget.
    """
    return rank_of(call) - (_REFUSED_BEHIND_MS if call.transcription.not_before else 0)


class Guards:
    """Thread-safe; one per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._budgets = services.budgets

    def held_back(self, action: a.VendorAction, call: Call) -> HeldBack | None:
        """By a breaker that is open; None: go now. The call is due when it closes, the newest talk first."""
        held = (
            HeldBack(for_ms, trouble)
            for breaker, trouble, may_probe in self._breakers_before(action)
            if (for_ms := (breaker.ask if may_probe else breaker.join)(call.call_sid, rank_of(call)))
        )
        return next(held, None)

    def _breakers_before(self, action: a.VendorAction) -> Iterator[tuple[Breaker, str, bool]]:
        """With what their being open is called, and whether this action may be the probe."""
        budgets, own = self._budgets, self.breaker_of(action)
        if isinstance(action, a.CreateStream):
            if self._services.stream_urls.at_hand() is None:
                yield budgets.urls, "no-stream-url", False  # the upkeep probes
            yield budgets.media, "asapp-unwell", True
        if own is not None:
            yield own, "twilio-unwell" if own is budgets.creates else "asapp-unwell", True

    def breaker_of(self, action: a.VendorAction) -> Breaker | None:
        """A stop that serves a start goes with the starts; one that is wanted, and all else, goes past."""
        match action:
            case a.StartTranscription() | a.StopTranscription(purpose="reset"):
                return self._budgets.starts
            case a.CreateStream():
                return self._budgets.creates
            case _:
                return None

    def stream_never_lived(self) -> None:
        """Twilio made it, and it did not reach ASAPP."""
        self._tell_of_media(lambda breaker: breaker.failed())

    def stream_arrives(self) -> None:
        self._tell_of_media(lambda breaker: breaker.answered())

    def _tell_of_media(self, tell: Callable[[Breaker], object]) -> None:
        try:
            tell(self._budgets.media)
        except OrchestratorError as error:
            _log.warning("breaker not told", breaker=self._budgets.media.name, error=error.error_id)

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
