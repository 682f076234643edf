"""Circuit breakers, shared by all workers: one for each kind of request that a failing vendor need not get from all.

Five failures in a row, over all calls, open a breaker; a failure that is the configuration's (credentials) does so
alone. While it is open one request every two seconds (`probe_ms`) is let through as a probe. Who is refused is
remembered, and told to whoever closes it, so that all of them come due at once. Stops never ask a breaker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

FAILURES = 5
PROBE_MS = 2_000
NET_MS = 5_000
"""Those who are not to send the next probe look again after so long, should nobody tell them."""
_ask = Script("breaker_ask")
_tell = Script("breaker_tell")


@dataclass(frozen=True)
class Told:
    """What an answer did to the breaker. `waiting`: who was refused while it was open, now that it closed."""

    is_open: bool
    is_opened: bool = False
    waiting: tuple[str, ...] = ()


class Breaker:
    """Thread-safe. Its keys expire ten minutes after the last failure."""

    def __init__(self, redis: Redis, name: str, *, probe_ms: int = PROBE_MS, net_ms: int = NET_MS) -> None:
        self._redis = redis
        self.name = name
        self._keys = [keys.breaker(name), keys.breaker_waiting(name)]
        self._probe_ms, self._net_ms = probe_ms, net_ms

    def ask(self, who: str = "") -> int:
        """0: go ahead; else milliseconds after which asking again is sensible. `who` is told when it closes."""
        return int(_ask.run(self._redis, self._keys, [who, self._probe_ms, self._net_ms]))

    def answered(self) -> Told:
        """The vendor answered, whatever it said: a breaker that was open closes."""
        _, _, *waiting = _tell.run(self._redis, self._keys, [1, FAILURES, self._probe_ms, 0])
        return Told(is_open=False, waiting=tuple(each.decode() for each in waiting))

    def failed(self, *, at_once: bool = False) -> Told:
        """No answer, or one that says that the vendor is not well; `at_once`: and will not be until it is set right."""
        is_open, is_opened, *_ = _tell.run(self._redis, self._keys, [0, FAILURES, self._probe_ms, int(at_once)])
        return Told(is_open=bool(is_open), is_opened=bool(is_opened))

    def is_open(self) -> bool:
        return bool(self._redis.execute_command("HEXISTS", self._keys[0], "open_until"))

    def state(self) -> dict[str, object]:
        """For people: open or not, failures in a row, how many calls wait."""
        failures, open_until = self._redis.execute_command("HMGET", self._keys[0], "failures", "open_until")
        waiting = int(self._redis.execute_command("SCARD", self._keys[1]))
        return {"open": open_until is not None, "failures": int(failures or 0), "waiting": waiting}
