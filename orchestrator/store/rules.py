"""What the store asks of the core, as plain functions; `services.py` passes the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.core.call import Call
from orchestrator.core.events import CallAdopted, CallArrived, Event


class Plan(Protocol):
    """The next step for a call: an action now, or a time (ms) to look again; both None when converged."""

    @property
    def action(self) -> object | None: ...

    @property
    def look_again_at(self) -> int | None: ...


def measure_nothing(before: Call | None, after: Call, event: Event) -> Mapping[str, float]:
    del before, after, event
    return {}


def always_seen(before: Call, after: Call) -> bool:
    del before, after
    return True


def never_urgent(after: Call, plan: Any) -> bool:
    del after, plan
    return False


def no_head_start(after: Call, now: int) -> int:
    del after, now
    return 0


def never_fenced(after: Call) -> int:
    del after
    return 0


@dataclass(frozen=True)
class Rules:
    """`begin`, `transition` and `reconcile` are the core's; all must be pure, for a conflict runs them again.

    `is_urgent(after, plan)`: a wanted stop is needed, to be done before anything else. `head_start_ms(after, now)`:
    how much earlier than others it counts as due where more is due than can be done. `measure(before, after, event)`:
    counters to add with this commit, finite numbers by name. `is_seen_to_change(before, after)`:
    those who follow the call are told. `fenced_until(after)`: until when (ms) a message that comes may tell what was
    said in a pause, so that somebody has to look; 0: not at all.
    """

    begin: Callable[[CallArrived | CallAdopted], Call]
    transition: Callable[[Call, Event], Call]
    reconcile: Callable[[Call, int], Plan]
    is_urgent: Callable[[Call, Any], bool] = never_urgent
    head_start_ms: Callable[[Call, int], int] = no_head_start
    measure: Callable[[Call | None, Call, Event], Mapping[str, float]] = measure_nothing
    is_seen_to_change: Callable[[Call, Call], bool] = always_seen
    fenced_until: Callable[[Call], int] = never_fenced
