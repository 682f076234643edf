"""What a client of ASAPP asks about the day before it asks ASAPP, and tells it afterwards.

ASAPP: rate limits. Beyond a daily number every request is refused until 00:00 UTC, stops among them. What exactly is
counted is UNCONFIRMED, so everything is: starts, stops (also those of an emergency), URLs, messages, health, exports.
Stops are never refused here; whatever else would use up what they need is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from orchestrator.core.actions import Outcome, Verdict

DAILY = "daily-limit"
DAY_IS_OVER = Outcome(
    verdict=Verdict.REFUSED_FOR_NOW, family=DAILY, code=DAILY, detail="ASAPP's requests of this day are used up"
)


class Reserved(StrEnum):
    """What became of a start's wish for a stop of its own."""

    REFUSED = "refused"
    NEW = "new"
    ALREADY = "already"
    """An earlier start of the call, whose stop is not confirmed, keeps it."""


class Day(Protocol):
    """Nothing here raises; whoever cannot count now does so later, and refuses nothing."""

    def may_ask(self) -> bool:
        """Whether a request that is neither start nor stop may be sent; it is counted then."""

    def reserve(self, call_sid: str) -> Reserved:
        """The same for a start, and from now on one stop is kept for the call."""

    def release(self, call_sid: str) -> None:
        """The call is certainly off."""

    def sent(self) -> None:
        """A request was sent without asking. Waits for nothing."""


class Endless:
    """A day without a limit."""

    def may_ask(self) -> bool:
        return True

    def reserve(self, call_sid: str) -> Reserved:
        del call_sid
        return Reserved.NEW

    def release(self, call_sid: str) -> None: ...

    def sent(self) -> None: ...
