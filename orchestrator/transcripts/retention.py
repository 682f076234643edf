"""How long the archive keeps calls: documents and exported days older than ARCHIVE_TTL_DAYS are deleted, by one worker.

Age is that of the call's start (UTC), in whole days. Only what this service wrote is touched: `YYYY/MM/DD/CA....json`
and `batch/utterances-YYYY-MM-DD.*`. Without ARCHIVE_TTL_DAYS nothing is ever deleted. Again is harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import fsspec
import structlog

from orchestrator.errors import OrchestratorError
from orchestrator.store.heartbeat import Lease

if TYPE_CHECKING:
    from orchestrator.services import Services

log = structlog.get_logger(__name__)

LOOK_S = 60.0
_EVERY_S = 6 * 3600.0
_AT_ONCE = 500
_CALL = re.compile(r"CA[0-9a-f]{32}\.json(\.part)?\Z")
_EXPORTED = re.compile(r"utterances-(\d{4}-\d{2}-\d{2})\.[a-z.]+\Z")


class Retention:
    """One worker at a time, every six hours: whoever has the lease keeps it, and with it the others, for so long."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lease = Lease(services.redis, "archive-retention")
        self._next_at = 0

    def look(self) -> int | None:
        """How many files were deleted; None when it was not our turn. Raises `archive-unavailable`."""
        settings, now = self._services.settings, self._services.clock.now_ms()
        if not settings.archive_url or settings.archive_ttl_days is None or now < self._next_at:
            return None
        if not self._lease.acquire(_EVERY_S + 2 * LOOK_S):
            return None
        self._next_at = now + int(_EVERY_S * 1000)
        deleted = sweep(settings.archive_url, first_day_kept(now, settings.archive_ttl_days))
        if deleted:
            log.info("archive-swept", deleted=deleted, days=settings.archive_ttl_days)
        return deleted


def first_day_kept(now_ms: int, days: int) -> date:
    return (datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(days=days)).date()


def sweep(url: str, first_kept: date, between: Callable[[], None] = lambda: None) -> int:
    """Deletes what is older than that day; returns how many files. `between` is called now and then; it may raise."""
    try:
        files, root = fsspec.core.url_to_fs(url.rstrip("/"))
        deleted = 0
        for day, path in _day_folders(files, root):
            if day < first_kept:
                deleted += _delete(files, [name for name in _names(files, path) if _CALL.match(_last(name))], between)
                with suppress(OSError, NotImplementedError):  # not empty, or a store that has no folders
                    files.rmdir(path)
        exported = [name for name in _names(files, f"{root}/batch") if _exported_before(name, first_kept)]
        return deleted + _delete(files, exported, between)
    except (OSError, ValueError) as error:
        raise OrchestratorError("archive-unavailable", "The archive cannot be swept.") from error


def _day_folders(files: fsspec.AbstractFileSystem, root: str) -> Iterator[tuple[date, str]]:
    for year in _numbered(files, root, 4):
        for month in _numbered(files, year, 2):
            for day in _numbered(files, month, 2):
                with suppress(ValueError):  # 2026/13/40 is nobody's day
                    yield date.fromisoformat("-".join(_last(each) for each in (year, month, day))), day


def _numbered(files: fsspec.AbstractFileSystem, path: str, digits: int) -> list[str]:
    return [name for name in _names(files, path) if re.fullmatch(rf"\d{{{digits}}}", _last(name))]


def _names(files: fsspec.AbstractFileSystem, path: str) -> list[str]:
    try:
        return sorted(str(name).rstrip("/") for name in files.ls(path, detail=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _exported_before(name: str, first_kept: date) -> bool:
    found = _EXPORTED.match(_last(name))
    return found is not None and found[1] < first_kept.isoformat()


def _delete(files: fsspec.AbstractFileSystem, names: list[str], between: Callable[[], None]) -> int:
    for start in range(0, len(names), _AT_ONCE):
        between()
        files.rm(names[start : start + _AT_ONCE])
    return len(names)
