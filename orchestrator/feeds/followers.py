"""All followers of this process and what they are told; everything here runs in the hub's thread.

The calls that have not ended are kept as they are seen (`floor`), so a new follower is shown the present without
asking Redis, and who follows a view that a call leaves is told so. Each event carries the position in the feed up to
which everything has been told. When that is not certain any more (Redis lost something, a reader fell behind) the
streams end: the followers come back, and `opening` finds out what they have to be told.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from orchestrator.errors import OrchestratorError
from orchestrator.feeds.connection import RETRY_MS, Connection, message
from orchestrator.feeds.telling import Told
from orchestrator.feeds.view import CALL, CHANGE, UTTERANCE, Seen, View
from orchestrator.store.feed import START, Place, Position, text_of
from orchestrator.store.keys import digest_of

HEARTBEAT_S = 15.0
MOST_OF_ONE = 20
_CHANGED = message(CHANGE, b"{}")


class Joined(NamedTuple):
    """A follower that has joined: what comes after `position` waits in its queue. `floor`: its view's calls."""

    connection: Connection
    position: Position
    floor: list[Seen]


class First(NamedTuple):
    """What a follower is told before the news. `until`: up to date once everybody has been told so far.

    `is_known`: which of the news that queued meanwhile are among the messages.
    """

    messages: list[bytes]
    until: Position
    is_known: Callable[[int, Told], bool]


class Followers:
    """`max_streams`: more of them are refused; so are more than `MOST_OF_ONE` of one owner."""

    def __init__(self, shards: int, max_streams: int) -> None:
        self.connections: set[Connection] = set()
        self.max_streams = max_streams
        self._floors: list[dict[str, Seen]] = [{} for _ in range(shards)]
        self._places: list[Place] = [START] * shards
        self._wide: set[Connection] = set()
        self._by_call: dict[str, set[Connection]] = {}

    @property
    def position(self) -> Position:
        return tuple(self._places)

    def join(self, view: View, owner: str | None, is_allowed: Callable[[], bool]) -> Joined:
        if len(self.connections) >= self.max_streams:
            raise OrchestratorError("too-many-streams", "This process serves as many streams as it can")
        if owner is not None and sum(each.owner == owner for each in self.connections) >= MOST_OF_ONE:
            raise OrchestratorError("too-many-streams", "One token's streams are limited")
        connection = Connection(view, owner, is_allowed, self.leave)
        self.connections.add(connection)
        if view.call_sid is None:
            self._wide.add(connection)
        else:
            self._by_call.setdefault(view.call_sid, set()).add(connection)
        calls = (each for floor in self._floors for each in floor.values())
        return Joined(connection, self.position, [each for each in calls if view.has(each)])

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._wide.discard(connection)
        sid = connection.view.call_sid
        if sid is not None and connection in self._by_call.get(sid, ()):
            self._by_call[sid].discard(connection)
            if not self._by_call[sid]:
                del self._by_call[sid]

    def bring_up_to_date(self, connection: Connection, first: First) -> None:
        connection.first = first
        self._go_live(connection)

    def load(self, shard: int, floor: dict[str, Seen], place: Place) -> None:
        """The floor of one shard as of this place."""
        self._floors[shard], self._places[shard] = floor, place

    def deliver(self, shard: int, news: Iterable[Told], place: Place) -> None:
        """Everything up to `place`, in order."""
        for told in news:
            self._places[shard] = told.place
            if told.forgotten:
                self._forget(shard, told)
            elif told.key:
                self._tell_utterance(shard, told)
            else:
                self._tell_call(shard, told)
        self._places[shard] = place
        for connection in [each for each in self.connections if each.first is not None]:
            self._go_live(connection)

    def end_all(self) -> None:
        """Everybody is told to come back, not all at the same moment."""
        for connection in list(self.connections):
            connection.end(RETRY_MS // 2 + random.randrange(RETRY_MS))  # noqa: S311  no secret

    def look_after(self) -> None:
        """Changes, heartbeats with the position for those whose view is quiet; who may follow no more is sent away."""
        now = time.monotonic()
        heartbeat = f": heartbeat\nid: {text_of(self.position)}\n\n".encode()
        for connection in list(self.connections):
            if connection.has_come_to_nothing(now, HEARTBEAT_S):
                self.leave(connection)
            if connection.has_changed and connection.queue is None:
                connection.has_changed = False
                connection.send(_CHANGED)
            if now - connection.checked_at >= HEARTBEAT_S:
                connection.checked_at = now
                if not connection.is_allowed():
                    connection.end(0)
            if now - connection.told_at >= HEARTBEAT_S:
                connection.send(heartbeat if connection.queue is None else b": heartbeat\n\n")

    def _go_live(self, connection: Connection) -> None:
        first, queue = connection.first, connection.queue
        if first is None or queue is None or not self._has_reached(first.until):
            return
        for text in first.messages:
            connection.send(text)
        for shard, told, text in queue:
            if not first.is_known(shard, told):
                connection.send(text)
        connection.send(message("ready", b"{}", text_of(self.position)))
        connection.first = connection.queue = None

    def _has_reached(self, position: Position) -> bool:
        return all(at >= place for at, place in zip(self._places, position, strict=True))

    def _tell_call(self, shard: int, told: Told) -> None:
        floor, seen = self._floors[shard], told.seen
        before = floor.get(told.call_sid)
        if before is not None and seen is not None and before.version >= told.version:
            return  # it was in the floor when that was loaded, and so before anybody who follows now had joined
        if seen is None or seen.is_over:
            floor.pop(told.call_sid, None)
        else:
            floor[told.call_sid] = seen
        position = text_of(self.position)
        here = None if seen is None else message("call", seen.body, position)
        gone = gone_message(told.call_sid, position)
        for connection in self._concerned(told.call_sid):
            view = connection.view
            connection.has_changed = connection.has_changed or CHANGE in view.kinds
            if CALL not in view.kinds:
                continue
            if here is not None and seen is not None and view.has(seen):
                self._give(connection, shard, told, here)
            elif view.has(before) if before is not None else seen is None and view.agent_id is None:
                self._give(connection, shard, told, gone)

    def _tell_utterance(self, shard: int, told: Told) -> None:
        text = message("utterance", told.utterance, text_of(self.position))
        for connection in self._concerned(told.call_sid):
            view = connection.view
            connection.has_changed = connection.has_changed or (CHANGE in view.kinds and view.call_sid is not None)
            if UTTERANCE in view.kinds and told.seen is not None and view.has(told.seen):
                self._give(connection, shard, told, text)

    def _forget(self, shard: int, told: Told) -> None:
        """Only who shows the call knows whose digest it is."""
        shown = {*self._floors[shard], *self._by_call}
        for sid in [each for each in shown if digest_of(each) == told.forgotten]:
            self._tell_call(shard, told._replace(call_sid=sid))

    def _concerned(self, call_sid: str) -> list[Connection]:
        return [*self._by_call.get(call_sid, ()), *self._wide]

    def _give(self, connection: Connection, shard: int, told: Told, text: bytes) -> None:
        if connection.queue is None:
            connection.send(text)
        else:
            connection.queue.append((shard, told, text))


def gone_message(call_sid: str, position: str) -> bytes:
    """The call has left the view."""
    return message("gone", f'{{"call_sid":"{call_sid}"}}'.encode(), position)
