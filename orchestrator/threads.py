"""Threads on a system that may have none left (`RLIMIT_NPROC`, a container's `pids.max`).

Python raises RuntimeError then, wherever a thread happens to be needed. Here that is an answer which the caller has to
deal with, so that a shortage costs what wanted the thread, and never the request or the process that wanted it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from orchestrator.log import get_logger

_TOLD_EVERY_S = 10.0
_T = TypeVar("_T")
_log = get_logger("orchestrator.threads")


class _Shortage:
    """Tells the log of it, once in a while."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def tell(self, wanted: str) -> None:
        if time.monotonic() - self._told_at > _TOLD_EVERY_S:
            self._told_at = time.monotonic()
            _log.error("out of threads", wanted=wanted, threads=threading.active_count())


_shortage = _Shortage()


def has_begun(thread: threading.Thread) -> bool:
    """Start it. False where the system has no thread to give."""
    try:
        thread.start()
    except RuntimeError:
        _shortage.tell(thread.name)
        return False
    return True


class Threads(ThreadPoolExecutor):
    """A pool that goes on with the threads it has; a future is cancelled when there is not even one.

    The standard one queues the work before it starts a thread for it, and raises when it cannot: the work is done all
    the same, by whichever thread is free next, and nobody would learn of its end.
    """

    def __init__(self, at_most: int, name: str) -> None:
        super().__init__(at_most, thread_name_prefix=name)
        self._name = name
        self._has_thread = False

    def submit(self, fn: Callable[..., _T], /, *arguments: Any, **named: Any) -> Future[_T]:
        done: Future[_T] = Future()
        try:
            super().submit(_carry_out, done, fn, arguments, named)
            self._has_thread = True
        except RuntimeError:
            _shortage.tell(self._name)
            if not self._has_thread:
                done.cancel()
        return done


def _carry_out(done: Future[_T], work: Callable[..., _T], arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = work(*arguments, **named)
    except BaseException as error:  # noqa: BLE001  whoever waits for the future is told, as with any pool
        done.set_exception(error)
    else:
        done.set_result(result)
