"""One follower: its view, its socket, and what waits to be told until it has been brought up to date.

Everything here runs in the hub's thread. A client that reads too slowly is cut; it comes back with its last id.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from orchestrator.feeds.view import View

if TYPE_CHECKING:
    from orchestrator.feeds.followers import First
    from orchestrator.feeds.telling import Told

ROOM = 2 * 1024 * 1024
"""Bytes of news that may wait for a slow client."""
RETRY_MS = 2_000
_LAST_CHUNK = b"0\r\n\r\n"


def message(name: str, body: bytes, position: str = "") -> bytes:
    """One event; the body must be JSON in one line."""
    place = f"id: {position}\n" if position else ""
    return f"event: {name}\n{place}data: ".encode() + body + b"\n\n"


class Connection(asyncio.Protocol):
    """`owner`: who may have only so many of them. `is_allowed`: asked again and again; must not block.

    `leave`: called when it is over.
    """

    def __init__(
        self, view: View, owner: str | None, is_allowed: Callable[[], bool], leave: Callable[[Connection], None]
    ) -> None:
        self.view = view
        self.owner = owner
        self.is_allowed = is_allowed
        self.is_over = False
        self.told_at = time.monotonic()
        self.checked_at = self.told_at
        self.queue: list[tuple[int, Told, bytes]] | None = []
        """News that waits until the follower is up to date; None from then on."""
        self.first: First | None = None
        self.has_changed = False
        """Something of its view has, and it has not been told of that yet."""
        self._leave = leave
        self._is_chunked = True
        self._born_at = self.told_at
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._is_paused = False
        self._room = ROOM

    def prepare(self, *, is_chunked: bool, head: bytes, room: int) -> None:
        """Before it is begun: the head of the answer, and how many bytes the first messages have.

        `is_chunked`: the client speaks HTTP/1.1.
        """
        self._is_chunked = is_chunked
        self._room += room + len(head)
        self._waiting.append(head)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.is_over:
            self._finish()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_over = True
        self._leave(self)

    def has_come_to_nothing(self, now: float, patience_s: float) -> bool:
        """It joined, and its socket never came: its request failed in between."""
        return self._transport is None and now - self._born_at > patience_s

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._flush()

    def send(self, text: bytes) -> None:
        """Events or comments, whole ones."""
        if self.is_over:
            return
        self.told_at = time.monotonic()
        framed = b"%x\r\n%b\r\n" % (len(text), text) if self._is_chunked else text
        if self._transport is not None and not self._is_paused and not self._waiting:
            self._transport.write(framed)
            return
        self._room -= len(framed)
        self._waiting.append(framed)
        if self._room < 0:
            self._cut()

    def end(self, retry_ms: int = RETRY_MS) -> None:
        """A clean end: the client is told when to come back."""
        if self.is_over:
            return
        self.send(f"retry: {retry_ms}\n\n".encode())
        self.is_over = True
        self._finish()

    def _finish(self) -> None:
        if self._transport is None:
            self._leave(self)
            return
        self._transport.writelines([*self._waiting, _LAST_CHUNK if self._is_chunked else b""])
        self._waiting.clear()
        self._transport.close()

    def _cut(self) -> None:
        self.is_over = True
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        while self._waiting and not self._is_paused and self._transport is not None and not self.is_over:
            framed = self._waiting.popleft()
            self._room += len(framed)
            self._transport.write(framed)
