"""Every request to a vendor is counted where it is made: by provider, operation and outcome, whoever asked for it.

A client names a `count(operation, outcome, seconds)` and marks its methods with `counted`; one call of such a method is
one request, however many pages or repeated connections it took. Outcomes are `Verdict`s; what was read is `done`.

Counts are collected in the process; web and worker processes hand them over to Redis every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.services import Services

HAND_OVER_S = 2.0
_ADD = "for i = 1, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end return 1"
Count = Callable[[str, str, float], None]
Params = ParamSpec("Params")
Got = TypeVar("Got")


class Counting(Protocol):
    """A client that has somewhere to count."""

    @property
    def count(self) -> Count: ...


Client = TypeVar("Client", bound=Counting)


def nowhere(_operation: str, _outcome: str, _seconds: float) -> None:
    """For clients whose requests nobody counts."""


def counted(
    operation: str,
) -> Callable[[Callable[Concatenate[Client, Params], Got]], Callable[Concatenate[Client, Params], Got]]:
    """Marks a client's method as one request of this name."""

    def mark(method: Callable[Concatenate[Client, Params], Got]) -> Callable[Concatenate[Client, Params], Got]:
        @wraps(method)
        def asked(client: Client, /, *args: Params.args, **kwargs: Params.kwargs) -> Got:
            began = time.monotonic()
            got = method(client, *args, **kwargs)
            verdict = got.verdict if isinstance(got, Outcome) else Verdict.DONE
            client.count(operation, str(verdict), time.monotonic() - began)
            return got

        return asked

    return mark


def hand_over(services: Services) -> None:
    """Add this process's counts to those in Redis. Raises StoreUnavailable, the counts kept."""
    services.budgets.asapp_day.hand_over()
    counts = services.tally.take()
    if not counts:
        return
    flat = [part for pair in counts.items() for part in pair]
    try:
        services.redis.execute_command("EVAL", _ADD, 1, services.store.keys.counters(0), *flat)
    except OrchestratorError:
        services.tally.add(counts)
        raise
