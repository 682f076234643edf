"""Small changes that several sources make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from orchestrator.core.call import Call, Problem, Reading
from orchestrator.core.events import ActionEnded

T = TypeVar("T")
_KEPT_PROBLEMS = 10


def swapped(items: tuple[T, ...], old: T, new: T) -> tuple[T, ...]:
    """The tuple with `old` replaced by `new`, by identity."""
    return tuple(new if each is old else each for each in items)


def first(items: tuple[T, ...], test: Callable[[T], bool]) -> T | None:
    return next((each for each in items if test(each)), None)


def with_problem(call: Call, problem_id: str, at: int, detail: str = "", *, gave_up: bool = False) -> Call:
    """The call with this problem raised; one that stands already keeps its `since`."""
    standing = first(call.problems, lambda each: each.id == problem_id)
    since = at if standing is None else standing.since
    problem = Problem(id=problem_id, since=since, detail=detail, gave_up=gave_up)
    others = tuple(each for each in call.problems if each.id != problem_id)
    return replace(call, problems=(*others, problem)[-_KEPT_PROBLEMS:])


def without_problems(call: Call, *ids: str) -> Call:
    return replace(call, problems=tuple(each for each in call.problems if each.id not in ids))


def with_reading(call: Call, key: str, not_before: int, why: str = "") -> Call:
    """The call with a read of Twilio due; an earlier time wins over a later one. Of an ended call nothing is asked."""
    if call.is_ended:
        return call
    standing = first(call.readings, lambda each: each.key == key)
    if standing is None:
        return replace(call, readings=(*call.readings, Reading(key=key, not_before=not_before, why=why)))
    if standing.failures == 0 and not_before < standing.not_before:
        return replace(call, readings=swapped(call.readings, standing, replace(standing, not_before=not_before)))
    return call


def without_reading(call: Call, key: str) -> Call:
    return replace(call, readings=tuple(each for each in call.readings if each.key != key))


def with_reading_failed(call: Call, key: str, at: int) -> Call:
    """A read that told nothing: again after 2, 4 ... 60 s."""
    if call.is_ended:
        return call
    standing = first(call.readings, lambda each: each.key == key)
    failures = 1 if standing is None else standing.failures + 1
    wait = min(1_000 << min(failures, 10), 60_000)
    kept = without_reading(call, key)
    reading = Reading(key=key, not_before=at + wait, failures=failures, why="" if standing is None else standing.why)
    return replace(kept, readings=(*kept.readings, reading))


def with_auth_problem(call: Call, problem_id: str, event: ActionEnded) -> Call:
    if event.outcome.family != "auth":
        return call
    return with_problem(call, problem_id, event.at, f"{event.outcome.code} {event.outcome.detail}".strip())
