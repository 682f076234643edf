"""Choosing and ordering calls for a list, and the figures of the front page: pure functions over rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.web.console.rows import URGENT, Row, by_need, need_of

PER_PAGE = 50
HOURS = 24
_HOUR_MS = 3_600_000
_DAY_MS = HOURS * _HOUR_MS
_DIGITS = re.compile(r"\D+")


@dataclass(frozen=True)
class Wish:
    """What somebody wants listed; an empty text asks for nothing. `state` may also be `live`."""

    state: str = ""
    agent: str = ""
    number: str = ""
    problem: str = ""
    sort: str = "need"

    def is_met_by(self, row: Row) -> bool:
        return (
            (not self.state or row.state == self.state or (self.state == "live" and row.is_live))
            and (not self.agent or any(self.agent.casefold() in each.casefold() for each in row.agents))
            and (not self.number or self._is_number_of(row))
            and (not self.problem or self.problem in row.problems or (self.problem == "any" and bool(row.problem)))
        )

    def _is_number_of(self, row: Row) -> bool:
        """A Call SID, or digits that the customer's number ends with."""
        if self.number.startswith("CA"):
            return row.call_sid.startswith(self.number)
        digits = _DIGITS.sub("", self.number)
        return bool(digits) and _DIGITS.sub("", row.number).endswith(digits)


def chosen(rows: Iterable[Row], wish: Wish, now: int) -> list[Row]:
    found = [row for row in rows if wish.is_met_by(row)]
    match wish.sort:
        case "newest":
            return sorted(found, key=lambda row: -row.created_at)
        case "longest":
            return sorted(found, key=lambda row: row.created_at - (row.ended_at or now))
        case _:
            return sorted(found, key=lambda row: by_need(row, now))


def in_need(rows: Iterable[Row], now: int) -> int:
    """How many of these calls somebody should look at."""
    return sum(row.is_live and need_of(row, now).rank <= URGENT for row in rows)


@dataclass
class Hour:
    """One hour of the day: milliseconds of talk, transcribed and missing; calls begun."""

    hour: int
    transcribed_ms: int = 0
    missing_ms: int = 0
    calls: int = 0


@dataclass
class Figures:
    """The floor at a glance. Of today (UTC): coverage, pauses (ms until off, sorted), unwanted time, calls."""

    states: Counter[str] = field(default_factory=Counter)
    hours: list[Hour] = field(default_factory=lambda: [Hour(hour) for hour in range(HOURS)])
    offs: list[int] = field(default_factory=list)
    unwanted_ms: int = 0
    calls_today: int = 0
    hour_now: int = 0

    @property
    def live(self) -> int:
        return self.states.total()

    @property
    def transcribed_ms(self) -> int:
        return sum(hour.transcribed_ms for hour in self.hours)

    @property
    def missing_ms(self) -> int:
        return sum(hour.missing_ms for hour in self.hours)

    @property
    def coverage(self) -> float | None:
        talk = self.transcribed_ms + self.missing_ms
        return self.transcribed_ms / talk if talk else None

    def off_within(self, share: float) -> int | None:
        """Milliseconds within which this share of today's pauses was off."""
        return self.offs[min(len(self.offs) - 1, int(share * len(self.offs)))] if self.offs else None


def figures(rows: Sequence[Row], now: int) -> Figures:
    found = Figures(hour_now=now % _DAY_MS // _HOUR_MS)
    midnight = now - now % _DAY_MS
    for row in rows:
        if row.is_live:
            found.states[row.state] += 1
        if row.created_at < midnight:
            continue
        hour = found.hours[min(HOURS - 1, (row.created_at - midnight) // _HOUR_MS)]
        hour.calls += 1
        hour.transcribed_ms += row.transcribed_ms + (max(0, now - row.updated_at) if row.is_on and row.is_live else 0)
        hour.missing_ms += row.missing_ms
        found.calls_today += 1
        found.unwanted_ms += row.unwanted_ms
        found.offs += row.offs
    found.offs.sort()
    return found
