"""The nightly export in the worker: after 02:00 UTC, one worker at a time, one day at a time, missed days included.

What is done is told by the archive itself: a day whose file and report are there is done, so nothing is exported twice
and a new installation fetches whatever ASAPP still has (32 days). Days go to `{ARCHIVE_URL}/batch/`; without
ARCHIVE_URL nothing is exported. A day that fails, or is not whole yet, is tried again an hour later, and the others go
on; a day that is not over is left.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from orchestrator.asapp.exporter import REFRESH_HOUR_UTC, RETENTION_DAYS
from orchestrator.errors import OrchestratorError
from orchestrator.store.heartbeat import Lease
from orchestrator.transcripts.batch import day_of, export_day, exporter_of
from orchestrator.transcripts.batch_feed import Pace, days
from orchestrator.transcripts.batch_output import Target
from orchestrator.transcripts.batch_work import clear
from orchestrator.transcripts.retention import first_day_kept

if TYPE_CHECKING:
    from orchestrator.services import Services

log = structlog.get_logger(__name__)

LOOK_S = 30.0
_IDLE_S = 900.0
_AGAIN_MS = 3_600_000
_LEASE_S = 600.0
_RENEW_MS = 30_000
_BREATH_S = 0.002
"""Between thousands of rows: the same process serves calls."""


class Nightly:
    """`stopping` ends a run between two thousands of rows; what was read stays for the next run on this machine."""

    def __init__(self, services: Services, stopping: threading.Event, work_folder: Path) -> None:
        self._services = services
        self._stopping = stopping
        self._work_folder = work_folder
        self._lease = Lease(services.redis, "batch-export")
        self._next_look_at = 0
        self._next_clear_at = 0
        self._renewed_at = 0
        self._done: set[str] = set()
        self._failed: dict[str, int] = {}

    def look(self) -> str | None:
        """Exports the oldest day that is missing, if it is time and nobody else does; returns the day."""
        now = self._now_ms()
        archive = self._services.settings.archive_url
        if now >= self._next_clear_at:
            self._next_clear_at = now + int(_IDLE_S * 1000)
            clear(self._work_folder, self._is_done)
        if not archive or now < self._next_look_at or datetime.fromtimestamp(now / 1000, UTC).hour < REFRESH_HOUR_UTC:
            return None
        if not self._lease.acquire(_IDLE_S + LOOK_S):
            return None
        self._next_look_at = now + int(_IDLE_S * 1000)  # whatever happens now; whoever holds the lease keeps others off
        target = self._missing(now)
        if target is None:
            return None
        try:
            export_day(self._services, target, self._work_folder, self._pace())
        except OrchestratorError:
            self._failed[target.day] = now
            raise
        finally:
            self._next_look_at = 0
            self._lease.release()
        self._done.add(target.day)
        return target.day

    def _now_ms(self) -> int:
        return self._services.clock.now_ms()

    def _target(self, day: str) -> Target:
        return Target(f"{(self._services.settings.archive_url or '').rstrip('/')}/batch", day, "jsonl")

    def _is_done(self, day: str) -> bool:
        """Whoever exported it."""
        return bool(self._services.settings.archive_url) and self._target(day).is_done()

    def _missing(self, now: int) -> Target | None:
        kept_days = min(RETENTION_DAYS, self._services.settings.archive_ttl_days or RETENTION_DAYS)
        first = first_day_kept(now, kept_days).isoformat()  # what retention deleted is not fetched again
        today = day_of(now).isoformat()
        for day in days(exporter_of(self._services), self._pace()):
            if not first <= day < today or day in self._done:
                continue
            if now - self._failed.get(day, -_AGAIN_MS) < _AGAIN_MS:
                continue
            target = self._target(day)
            if not target.is_done():
                return target
            self._done.add(day)
        return None

    def _pace(self) -> Pace:
        return Pace(wait=self._wait, between=self._between)

    def _wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise OrchestratorError("export-interrupted", "The worker ends; the export goes on at the next start.")

    def _between(self) -> None:
        self._wait(_BREATH_S)
        now = self._now_ms()
        if now - self._renewed_at >= _RENEW_MS:
            if not self._lease.acquire(_LEASE_S):
                raise OrchestratorError("export-interrupted", "Another worker exports now.")
            self._renewed_at = now
