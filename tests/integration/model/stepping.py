"""A Redis whose clock is stepped, and workers that stop, die or lose an answer at any of their commands.

`SteppedRedis` sends the store's own scripts with one change: their clock is a key that only the test moves, so that
leases run out and calls come due when the test says so. A worker's client passes a `Gate` before and after each
command, as do the vendors' stand-ins before and after they serve. At one chosen gate the worker's thread is stopped
(frozen until thawed), ended for good (`kill -9`: nothing after it runs, not even the release of the claim), or told
that Redis is away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from queue import SimpleQueue
from typing import Any

from redis.exceptions import NoScriptError

from orchestrator.clock import ManualClock
from orchestrator.store.connect import Redis
from orchestrator.store.errors import StoreUnavailable

NOW_KEY = "model:now-ms"
ENDS_WITHIN_S = 20.0
_REAL = "local time = redis.call('TIME')\n  return time[1] * 1000 + math.floor(time[2] / 1000)"
_STEPPED = f"return tonumber(redis.call('GET', '{NOW_KEY}'))"


class KilledError(BaseException):
    """The process is gone. Not an `Exception`: no handler of ours may see it."""


class Fate(StrEnum):
    """What becomes of a worker at its gate."""

    FREEZES = "freezes"
    DIES = "dies"
    LOSES_REDIS = "loses redis"


@dataclass
class Gate:
    """Counts what one run of a worker does; at number `closes_at` its fate comes. None: nothing ever happens."""

    closes_at: int | None = None
    fate: Fate = Fate.DIES
    request_arrives_in: int | None = None
    """Of a worker that dies just as it asks a vendor (ms); None: the request was not sent."""
    passed: int = 0
    is_killed: bool = False
    has_halted: SimpleQueue[str] = field(default_factory=SimpleQueue)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def pass_through(self, *, is_redis: bool) -> None:
        if self.is_killed:
            raise KilledError
        self.passed += 1
        is_here = self.closes_at is not None and self.passed >= self.closes_at
        if not is_here or (self.fate is Fate.LOSES_REDIS and not is_redis):
            return
        self.closes_at = None
        match self.fate:
            case Fate.DIES:
                self.is_killed = True
                raise KilledError
            case Fate.LOSES_REDIS:
                raise StoreUnavailable("Redis is away", command="gate")
            case Fate.FREEZES:
                self.has_halted.put("frozen")
                self.may_go_on.wait()
                self.pass_through(is_redis=is_redis)


@dataclass
class SteppedRedis:
    """One client; `gate` is None for whoever is not a worker."""

    redis: Redis
    gate: Gate | None = None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] == "EVALSHA":
            raise NoScriptError("this Redis takes sources only")
        self._pass()
        if args[0] == "EVAL":
            args = ("EVAL", str(args[1]).replace(_REAL, _STEPPED), *args[2:])
        reply = self.redis.execute_command(*args, **options)
        self._pass()
        return reply

    def get(self, name: str) -> Any:
        return self.execute_command("GET", name)

    def set(self, name: str, value: Any, ex: int | None = None, px: int | None = None, nx: bool = False) -> Any:
        del ex, px, nx
        return self.execute_command("SET", name, value)

    def delete(self, *names: str) -> Any:
        return self.execute_command("DEL", *names)

    def close(self) -> None:
        """The connections belong to the test."""

    def _pass(self) -> None:
        if self.gate is not None:
            self.gate.pass_through(is_redis=True)


class SteppedClock(ManualClock):
    """The processes' clock and Redis's in one."""

    def __init__(self, redis: Redis, now_ms: int) -> None:
        super().__init__(now_ms)
        self._shown = redis
        self.step(0)

    def step(self, milliseconds: int) -> int:
        now = super().step(milliseconds)
        self._shown.set(NOW_KEY, now)
        return now


class Run:
    """One turn of a worker in a thread of its own; two are never at work at once, one may be frozen meanwhile."""

    def __init__(self, work: Callable[[], None], gate: Gate) -> None:
        self.gate = gate
        self.is_frozen = True
        self._failure: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def thaw(self, *, kill: bool = False) -> None:
        """Goes on to the end of its turn, or ends where it stands."""
        self.gate.is_killed = kill
        self.gate.may_go_on.set()
        self._wait()

    def _run(self) -> None:
        try:
            self._work()
        except KilledError:
            pass
        except BaseException as failure:  # noqa: BLE001  told to the test's own thread, which raises it
            self._failure = failure
        finally:
            self.gate.has_halted.put("ended")

    def _wait(self) -> None:
        self.is_frozen = self.gate.has_halted.get(timeout=ENDS_WITHIN_S) == "frozen"
        if self.is_frozen:
            return
        self._thread.join(ENDS_WITHIN_S)
        if self._failure is not None:
            raise self._failure
