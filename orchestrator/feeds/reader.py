"""Follows one shard of the feed in a thread of its own, for all followers of this process.

It starts with the calls that have not ended, and goes on from there. Redis away: it tries again until Redis is back,
and goes on where it was if that place is still there; else it starts anew. While nobody follows it rests, and starts
anew for the next follower.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError
from orchestrator.feeds.view import Seen
from orchestrator.log import get_logger
from orchestrator.store.feed import Place

if TYPE_CHECKING:
    from orchestrator.feeds.hub import Hub

COUNT = 500
_LOADED_AT_ONCE = 500
_RETRY_S = 0.5
_log = get_logger("orchestrator.feeds.reader")


class Reader(threading.Thread):
    """Ends with the hub."""

    def __init__(self, hub: Hub, shard: int) -> None:
        super().__init__(name=f"feed-{shard}", daemon=True)
        self._hub = hub
        self._shard = shard
        self._place: Place | None = None
        self._is_sure = True

    def run(self) -> None:
        while not self._hub.is_ending():
            try:
                self._step()
            except OrchestratorError as error:
                if self._is_sure:
                    _log.warning("the feed cannot be read", shard=self._shard, error_id=error.error_id)
                self._is_sure = False
                time.sleep(_RETRY_S)
            except Exception:  # noqa: BLE001  following must go on whatever is wrong with one round of it
                _log.exception("the feed's reader starts anew", shard=self._shard)
                self._start_anew()
                time.sleep(_RETRY_S)

    def _step(self) -> None:
        if not self._hub.is_followed():
            self._rest()
            return
        if self._place is None:
            self._load()
            return
        entries = self._hub.feed.next(self._shard, self._place, count=COUNT)
        if (not self._is_sure or len(entries) == COUNT) and not self._hub.feed.has(self._shard, self._place):
            self._start_anew()
            return
        self._is_sure = True
        if entries:
            told = self._hub.teller.told(entries)
            self._place = entries[-1].place
            self._hub.deliver(self._shard, told, self._place)

    def _rest(self) -> None:
        """Whoever joins just now is told to come back, as after anything else that this reader has missed."""
        if self._place is not None:
            self._start_anew()
        self._hub.wait_for_followers(_RETRY_S)

    def _start_anew(self) -> None:
        self._place = None
        self._hub.lost(self._shard)

    def _load(self) -> None:
        """The floor as of a place: calls that changed while the others were being read are read again."""
        feed, floor = self._hub.feed, dict[str, Seen]()
        began = feed.end(self._shard)
        self._read(feed.live(self._shard), floor)
        place = feed.end(self._shard)
        changed = feed.between(self._shard, began, place)
        self._read(sorted({entry.call_sid for entry in changed if entry.version}), floor)
        self._place, self._is_sure = place, True
        self._hub.loaded(self._shard, floor, place)

    def _read(self, sids: list[str], floor: dict[str, Seen]) -> None:
        for start in range(0, len(sids), _LOADED_AT_ONCE):
            part = sids[start : start + _LOADED_AT_ONCE]
            for sid in part:
                floor.pop(sid, None)
            floor.update({each.call_sid: each for each in self._hub.teller.seen(part) if not each.is_over})
