"""What a worker process does beside calls: heartbeats, a stream URL at hand, resync, the nightly export.

Each task runs in a thread of its own with its own pace; a failure of one round is logged and the next round tries
again. All end when `stopping` is set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from orchestrator.counting import HAND_OVER_S, hand_over
from orchestrator.errors import OrchestratorError
from orchestrator.store import health as store_health
from orchestrator.store.permissions import forbidden
from orchestrator.transcripts import batch_nightly
from orchestrator.transcripts.batch_work import work_folder
from orchestrator.transcripts.retention import LOOK_S, Retention
from orchestrator.worker.resync import Resync

if TYPE_CHECKING:
    from orchestrator.services import Services

log = structlog.get_logger(__name__)

HEARTBEAT_S = 2.0
HEARTBEAT_TTL_S = 10
PREFETCH_S = 1.0
RESYNC_S = 2.0
STORE_CHECK_S = 60.0
DAY_CHECK_S = 10.0


class Upkeep:
    """The upkeep threads of one worker process."""

    def __init__(self, services: Services, worker: str, stopping: threading.Event) -> None:
        self._services = services
        self._worker = worker
        self._stopping = stopping
        self._resync = Resync(services)
        self._warned: tuple[str, ...] = ()
        self._has_told_of_the_day = False

    def store_was_away(self) -> None:
        """Some thread could not reach Redis: live calls are compared with Twilio once it is back."""
        self._resync.was_away = True

    def threads(self) -> list[threading.Thread]:
        """Not started yet; the caller starts and joins them."""
        tasks: dict[str, Callable[[], None]] = {
            "heartbeat": lambda: self._repeat(HEARTBEAT_S, self._beat),
            "stream-url": lambda: self._repeat(PREFETCH_S, self._services.stream_urls.refresh),
            "store-check": lambda: self._repeat(STORE_CHECK_S, self._check_store),
            "day-check": lambda: self._repeat(DAY_CHECK_S, self._check_day),
            "resync": lambda: self._repeat(RESYNC_S, self._resync.look),
            "counts": self._hand_counts_over,
            "batch-export": self._export_nightly,
            "retention": self._sweep_archive,
        }
        return [threading.Thread(target=task, name=name, daemon=True) for name, task in tasks.items()]

    def _repeat(self, pause_s: float, task: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            self._safely(task)
            self._stopping.wait(pause_s)

    def _safely(self, task: Callable[[], object]) -> bool:
        try:
            task()
        except OrchestratorError as error:
            log.warning("upkeep-put-off", task=threading.current_thread().name, error=error.error_id)
            return False
        except Exception:  # upkeep goes on whatever one round meets; the calls do not depend on it
            log.exception("upkeep-failed", task=threading.current_thread().name)
            return False
        return True

    def _beat(self) -> None:
        self._services.heartbeat.beat(self._worker, HEARTBEAT_TTL_S)

    def _hand_counts_over(self) -> None:
        """And once more when it is told to end."""
        self._repeat(HAND_OVER_S, lambda: hand_over(self._services))
        self._safely(lambda: hand_over(self._services))

    def _check_store(self) -> None:
        """Says at the start, and whenever it changes, what may lose calls: commands forbidden, no AOF, keys evicted."""
        redis = self._services.redis
        refused = [f"Redis forbids this user the command {name}" for name in forbidden(redis)]
        found = (*refused, *store_health.ping(redis).warnings())
        for warning in found if found != self._warned else ():
            log.warning("redis-warning", worker=self._worker, why=warning)
        self._warned = found

    def _check_day(self) -> None:
        """Says once that ASAPP's requests of this day run out; /readyz and the metrics say it all the time."""
        today = self._services.budgets.asapp_day.today()
        if today.is_near and not self._has_told_of_the_day:
            log.warning("asapp-day-near", used=today.used, kept_for_stops=today.reserved, limit=today.limit)
        self._has_told_of_the_day = today.is_near

    def _export_nightly(self) -> None:
        """Not in the first moments: a worker that starts has calls to look after."""
        nightly = batch_nightly.Nightly(self._services, self._stopping, work_folder(self._services.settings))
        while not self._stopping.wait(batch_nightly.LOOK_S):
            self._safely(nightly.look)

    def _sweep_archive(self) -> None:
        retention = Retention(self._services)
        while not self._stopping.wait(LOOK_S):
            self._safely(retention.look)
