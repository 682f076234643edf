"""All calls that the console lists, in the memory of this web process, brought up to date before each look.

The feed (`store/feed.py`) names the calls that changed since the last look; only those are read. Where a feed was cut
short, and at the first look, all of them are. Nothing is kept that Redis does not have, so nothing can drift for long,
and nothing costs anything while nobody looks. Every live call is here, and the newest of those that ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from orchestrator.core.call import Call, Progress
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.web.console.rows import Row, row_of

if TYPE_CHECKING:
    from orchestrator.services import Services

MOST = 10_000
"""Ended calls in the lists; older ones are found by their Call SID."""
_REBUILD_S = 0.0
"""What expired without anybody's doing goes at the next rebuild."""
_PAGE = 500
_log = get_logger("orchestrator.web.console")


class Floor:
    """Thread-safe; `rows` raises StoreUnavailable when Redis is away."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._built_at = float("-inf")

    def rows(self) -> list[Row]:
        """All of them as they are now, in no order."""
        with self._lock:
            if time.monotonic() - self._built_at > _REBUILD_S:
                self._build()
            return list(self._rows.values())

    def warm_up(self) -> None:
        """Read everything beside the request: somebody signs in and will look soon."""
        if not self._rows:
            threading.Thread(target=self._warm_up, name="console-floor", daemon=True).start()

    def _warm_up(self) -> None:
        try:
            self.rows()
        except OrchestratorError as error:
            _log.warning("floor not read", error_id=error.error_id)

    def refreshed(self, rows: Iterable[Row]) -> list[Row]:
        """These calls as they are now; those that are gone are left out, and forgotten."""
        wanted = [row.call_sid for row in rows]
        found = {call.call_sid: row_of(call) for call in self._services.store.load_many(wanted)}
        with self._lock:
            for sid in wanted:
                if sid in found:
                    self._rows[sid] = found[sid]
                else:
                    self._rows.pop(sid, None)
        return [found[sid] for sid in wanted if sid in found]

    def _build(self) -> None:
        rows = {call.call_sid: row_of(call) for call in self._all(live_only=True) if _is_shown(call)}
        for number, call in enumerate(self._all(live_only=False), start=1):
            if call.call_sid not in rows and _is_shown(call):
                rows[call.call_sid] = row_of(call)
            if number >= MOST:
                break
        self._rows = rows
        self._built_at = time.monotonic()

    def _all(self, *, live_only: bool) -> Iterator[Call]:
        cursor = None
        while True:
            page = self._services.store.list(limit=_PAGE, cursor=cursor, live_only=live_only)
            yield from page.calls
            cursor = page.cursor
            if cursor is None:
                return


def _is_shown(call: Call) -> bool:
    return call.progress is not Progress.DROPPED
