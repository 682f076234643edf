"""All calls that the console lists, in the memory of this web process, brought up to date before each look.

The feed (`store/feed.py`) names the calls that changed since the last look; only those are read. Where a feed was cut
short, and at the first look, all of them are. Nothing is kept that Redis does not have, so nothing can drift for long,
and nothing costs anything while nobody looks. Every live call is here, and the newest of those that ended.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from orchestrator.core.call import Call, Progress
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store.keys import digest_of
from orchestrator.threads import has_begun
from orchestrator.web.console.rows import Row, row_of

if TYPE_CHECKING:
    from orchestrator.services import Services
    from orchestrator.store.feed import Place

MOST = 10_000
"""Ended calls in the lists; older ones are found by their Call SID."""
_REBUILD_S = 600.0
"""What expired without anybody's doing goes at the next rebuild."""
_PAGE = 500
_CHANGES_AT_ONCE = 10_000
_log = get_logger("orchestrator.web.console")


class Floor:
    """Thread-safe; `rows` raises StoreUnavailable when Redis is away."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._places: list[Place] = []
        self._built_at = float("-inf")

    def rows(self) -> list[Row]:
        """All of them as they are now, in no order."""
        with self._lock:
            if time.monotonic() - self._built_at > _REBUILD_S or not self._catch_up():
                self._build()
            return list(self._rows.values())

    def warm_up(self) -> None:
        """Read everything beside the request: somebody signs in and will look soon."""
        if not self._places:
            has_begun(threading.Thread(target=self._warm_up, name="console-floor", daemon=True))

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
        """The feed's end first: what changes while all are read is read again at the next look."""
        feed = self._services.feed
        places = [feed.end(shard) for shard in range(feed.shards)]
        self._rows = {}
        for call in self._all(live_only=True):
            self._keep(call)
        for call in itertools.islice(self._all(live_only=False), MOST):
            if call.call_sid not in self._rows:
                self._keep(call)
        self._places, self._built_at = places, time.monotonic()

    def _all(self, *, live_only: bool) -> Iterator[Call]:
        cursor = None
        while True:
            page = self._services.store.list(limit=_PAGE, cursor=cursor, live_only=live_only)
            yield from page.calls
            cursor = page.cursor
            if cursor is None:
                return

    def _catch_up(self) -> bool:
        """Whether what was missed could be read from the feed."""
        feed = self._services.feed
        for shard, place in enumerate(self._places):
            end = feed.end(shard)
            if end == place:
                continue
            entries = feed.between(shard, place, end, count=_CHANGES_AT_ONCE + 1)
            if len(entries) > _CHANGES_AT_ONCE or not feed.has(shard, place):
                return False
            self._read({entry.call_sid for entry in entries if entry.version})
            self._forget({entry.forgotten for entry in entries if entry.forgotten})
            self._places[shard] = end
        return bool(self._places)

    def _read(self, sids: set[str]) -> None:
        calls = {call.call_sid: call for call in self._services.store.load_many(sids)}
        for sid in sids:
            if sid in calls:
                self._keep(calls[sid])
            else:
                self._rows.pop(sid, None)

    def _keep(self, call: Call) -> None:
        if call.progress is Progress.DROPPED:
            self._rows.pop(call.call_sid, None)
        else:
            self._rows[call.call_sid] = row_of(call)

    def _forget(self, digests: set[str]) -> None:
        for sid in [sid for sid in self._rows if digests and digest_of(sid) in digests]:
            del self._rows[sid]
