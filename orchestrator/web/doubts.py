"""Calls whose transcription was stopped past the store: remembered in this process until the store can be told.

A stop that was sent while Redis was away leaves the stored call believing that it is transcribed. As soon as Redis
answers again the call is told (`TranscriptionDoubted`): wanted off it is stopped properly, wanted on it is looked into
and started again. A process that ends before that forgets its doubts; the audit of all live calls after every
reconnect and the silence probe are the net beneath.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.events import TranscriptionDoubted
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store.errors import StoreUnavailable
from orchestrator.threads import has_begun

if TYPE_CHECKING:
    from orchestrator.services import Services

LOOK_S = 0.25
KEPT_S = 3_600.0
AT_MOST = 10_000
_log = get_logger("orchestrator.web.doubts")


@dataclass(frozen=True)
class Doubt:
    """`since` by `time.monotonic()`."""

    services: Services
    call_sid: str
    since: float


class Doubts:
    """Thread-safe; one thread runs while there is any doubt. Where none is to be had, the next doubt tries again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[tuple[int, str], Doubt] = {}
        self._is_telling = False

    def remember(self, services: Services, call_sid: str) -> None:
        with self._lock:
            if len(self._calls) < AT_MOST:
                self._calls[id(services), call_sid] = Doubt(services, call_sid, time.monotonic())
            if self._is_telling:
                return
            self._is_telling = has_begun(threading.Thread(target=self._tell_all, name="doubts", daemon=True))

    def _tell_all(self) -> None:
        while True:
            with self._lock:
                doubted = dict(self._calls)
                self._is_telling = bool(doubted)
            if not doubted:
                return
            away: set[int] = set()
            for key, doubt in doubted.items():
                store = id(doubt.services)
                if store in away:
                    continue
                if not _is_told(doubt):
                    away.add(store)
                    continue
                with self._lock:
                    if self._calls.get(key) is doubt:
                        del self._calls[key]
            if away:
                time.sleep(LOOK_S)


def _is_told(doubt: Doubt) -> bool:
    """False while the store is away; true when there is nothing left to tell about this call, or no way to."""
    store = doubt.services.store
    try:
        known = store.resolve("leg", doubt.call_sid) or doubt.call_sid
        applied = store.apply(known, TranscriptionDoubted(at=doubt.services.clock.now_ms()))
    except StoreUnavailable:
        return time.monotonic() - doubt.since > KEPT_S
    except OrchestratorError as error:  # this call alone: the others are not kept waiting
        _log.warning("doubt not told", call_sid=doubt.call_sid, error_id=error.error_id)
        return True
    except Exception:  # noqa: BLE001  as above: without this thread no doubt would be told any more
        _log.exception("doubt not told", call_sid=doubt.call_sid, error_id="internal")
        return True
    _log.warning("transcription doubted", call_sid=known, known=applied is not None)
    return True
