"""The hub of this process: one thread that owns all followers' sockets, one reader per shard of the feed.

It starts with the first follower. Its readers rest once nobody has followed for a while, so a floor that nobody looks
at costs nothing. `is_ending` is asked four times a second: true ends all streams, and nobody may join.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from orchestrator.feeds.connection import Connection
from orchestrator.feeds.followers import First, Followers, Joined
from orchestrator.feeds.reader import Reader
from orchestrator.feeds.telling import Teller, Told
from orchestrator.feeds.view import Seen, View
from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.feed import Feed, Place
from orchestrator.threads import has_begun

MAX_STREAMS = 1_000
REST_AFTER_S = 60.0
_TICK_S = 0.25
_PATIENCE_S = 3.0


class Hub:
    """Thread-safe. `rest_after_s`: how long its readers go on without a follower."""

    def __init__(self, feed: Feed, teller: Teller, *, rest_after_s: float = REST_AFTER_S) -> None:
        self.feed = feed
        self.teller = teller
        self.is_ending: Callable[[], bool] = lambda: False
        self._followers = Followers(feed.shards, MAX_STREAMS)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._unread = list(range(feed.shards))
        self._is_loaded = [threading.Event() for _ in range(feed.shards)]
        self._is_wanted = threading.Event()
        self._rest_after_s = rest_after_s
        self._asked_at = 0.0
        self._tasks: set[asyncio.Task[object]] = set()

    def join(self, view: View, owner: str | None, is_allowed: Callable[[], bool]) -> Joined:
        """Then either `begin` or `leave`. Raises `too-many-streams`; StoreUnavailable while the feed cannot be read."""
        loop = self._running()
        self._asked_at = time.monotonic()
        self._is_wanted.set()
        until = self._asked_at + _PATIENCE_S
        if self.is_ending() or not all(each.wait(max(0.0, until - time.monotonic())) for each in self._is_loaded):
            raise StoreUnavailable("The feed cannot be read now")
        joined: Future[Joined] = Future()

        def join() -> None:
            try:
                joined.set_result(self._followers.join(view, owner, is_allowed))
            except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
                joined.set_exception(error)

        loop.call_soon_threadsafe(join)
        return joined.result(_PATIENCE_S)

    def limit(self, max_streams: int) -> None:
        """Before anybody joins."""
        self._followers.max_streams = min(max_streams, MAX_STREAMS)

    def leave(self, connection: Connection) -> None:
        self._soon(self._followers.leave, connection)

    def begin(self, connection: Connection, client: socket.socket, first: First) -> None:
        """The hub owns the socket from here on."""
        self._soon(self._begin, connection, client, first)

    def stop(self, patience_s: float) -> None:
        """Ends all streams, and the thread."""
        self.is_ending = lambda: True
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed():
            return
        until = time.monotonic() + patience_s
        loop.call_soon_threadsafe(self._followers.end_all)
        while self._followers.connections and time.monotonic() < until:
            time.sleep(0.01)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(patience_s)

    # --- what the readers ask and tell ---

    def is_followed(self) -> bool:
        """Or was until a moment ago."""
        return self._is_wanted.is_set()

    def wait_for_followers(self, patience_s: float) -> None:
        self._is_wanted.wait(patience_s)

    def loaded(self, shard: int, floor: dict[str, Seen], place: Place) -> None:
        def load() -> None:
            self._followers.load(shard, floor, place)
            self._is_loaded[shard].set()

        self._soon(load)

    def deliver(self, shard: int, news: list[Told], place: Place) -> None:
        self._soon(self._followers.deliver, shard, news, place)

    def lost(self, shard: int) -> None:
        """The reader does not know what it has missed; it loads anew."""
        self._is_loaded[shard].clear()
        self._soon(self._followers.end_all)

    # --- the thread ---

    def _soon(self, what: Callable[..., object], *arguments: object) -> None:
        """On the hub's thread. When that has ended there is nobody left whom it would matter to."""
        with suppress(RuntimeError):
            self._running().call_soon_threadsafe(what, *arguments)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(loop,), name="feeds", daemon=True)
                if not has_begun(self._thread):
                    loop.close()
                    raise StoreUnavailable("No thread is left to read the feed")
                self._loop = loop
            while self._unread and has_begun(Reader(self, self._unread[-1])):
                self._unread.pop()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(self._tick, loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.is_ending():
            self._followers.end_all()
        self._followers.look_after()
        if not self._followers.connections and time.monotonic() - self._asked_at > self._rest_after_s:
            self._is_wanted.clear()
        loop.call_later(_TICK_S, self._tick, loop)

    def _begin(self, connection: Connection, client: socket.socket, first: First) -> None:
        loop = self._running()
        task = loop.create_task(loop.connect_accepted_socket(lambda: connection, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._followers.bring_up_to_date(connection, first)
