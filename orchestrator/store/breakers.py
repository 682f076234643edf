"""Circuit breakers, shared by all workers: one for each kind of request that a failing vendor need not get from all.

Five failures in a row, over all calls, open a breaker; a failure that is the configuration's (credentials) does so
alone. While it is open one request every two seconds (`probe_ms`) is let through as a probe. Who is refused is
remembered, and made due when it closes: all at once, a millisecond apart, so that the highest rank comes first (the
newest talk; the vendors' budgets pace them). Stops never ask a breaker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.log import get_logger
from orchestrator.store import keys
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.store.connect import Redis

FAILURES = 5
PROBE_MS = 2_000
NET_MS = 5_000
"""Those who are not to send the next probe look again after so long, should nobody tell them."""
_ask = Script("breaker_ask")
_tell = Script("breaker_tell")
_log = get_logger("orchestrator.store.breakers")


@dataclass(frozen=True)
class Told:
    """What a failure did to the breaker."""

    is_open: bool
    is_opened: bool


class Breaker:
    """Thread-safe. `wake(who, due_ms)` makes due who was refused. Keys expire ten minutes after the last failure."""

    def __init__(
        self,
        redis: Redis,
        name: str,
        wake: Callable[[str, int], object],
        *,
        probe_ms: int = PROBE_MS,
        net_ms: int = NET_MS,
    ) -> None:
        self._redis = redis
        self.name = name
        self._wake = wake
        self._keys = [keys.breaker(name), keys.breaker_waiting(name)]
        self._probe_ms, self._net_ms = probe_ms, net_ms

    def ask(self, who: str = "", rank: int = 0) -> int:
        """0: go ahead; else milliseconds after which asking again is sensible. `who` is woken when it closes."""
        return int(_ask.run(self._redis, self._keys, [who, self._probe_ms, self._net_ms, rank, 1]))

    def join(self, who: str, rank: int = 0) -> int:
        """As `ask` by somebody who is not to send the probe: others do."""
        return int(_ask.run(self._redis, self._keys, [who, self._probe_ms, self._net_ms, rank, 0]))

    def answered(self) -> None:
        """The vendor answered, whatever it said: a breaker that was open closes, and who waits is woken."""
        _, _, now, *waiting = _tell.run(self._redis, self._keys, [1, FAILURES, self._probe_ms, 0])
        if waiting:
            _log.warning("breaker closed", breaker=self.name, waiting=len(waiting))
        for place, who in enumerate(waiting):
            self._wake(who.decode(), now + place)

    def failed(self, *, at_once: bool = False) -> Told:
        """No answer, or one that says that the vendor is not well; `at_once`: and will not be until it is set right."""
        is_open, is_opened, _ = _tell.run(self._redis, self._keys, [0, FAILURES, self._probe_ms, int(at_once)])
        if is_opened:
            _log.error("breaker open", breaker=self.name)
        return Told(is_open=bool(is_open), is_opened=bool(is_opened))

    def is_open(self) -> bool:
        return bool(self._redis.execute_command("HEXISTS", self._keys[0], "open_until"))

    def state(self) -> dict[str, object]:
        """For people: open or not, failures in a row, how many calls wait."""
        failures, open_until = self._redis.execute_command("HMGET", self._keys[0], "failures", "open_until")
        waiting = int(self._redis.execute_command("ZCARD", self._keys[1]))
        return {"open": open_until is not None, "failures": int(failures or 0), "waiting": waiting}
