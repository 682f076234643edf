"""A worker's link to Redis that closes for good at a chosen moment of its work on a call, so that it can die there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from orchestrator.store.scripts import Script
from tests.link import Link

_COMMIT, _RELEASE = (Script(name).digest.encode() for name in ("commit", "queue_release"))


class Moment(Enum):
    """Between the commands of one action: claim, load, intent, outcome, release. The request is after the intent."""

    CLAIMED = "claimed"
    INTENT_UNSENT = "intent-unsent"
    INTENT_STORED = "intent-stored"
    OUTCOME_UNSENT = "outcome-unsent"
    OUTCOME_STORED = "outcome-stored"
    RELEASE_UNSENT = "release-unsent"
    RELEASED = "released"


@dataclass
class _Wanted:
    """The `number`th command that has all `words`; closed before it is passed on, or (`is_after`) before its reply."""

    words: tuple[bytes, ...]
    number: int = 1
    is_after: bool = False


def _wanted(moment: Moment, call_sid: str) -> _Wanted:
    sid = call_sid.encode()
    match moment:
        case Moment.CLAIMED:
            return _Wanted((b":call:" + sid,))
        case Moment.INTENT_UNSENT | Moment.INTENT_STORED:
            return _Wanted((_COMMIT, sid), is_after=moment is Moment.INTENT_STORED)
        case Moment.OUTCOME_UNSENT | Moment.OUTCOME_STORED:
            return _Wanted((_COMMIT, sid), number=2, is_after=moment is Moment.OUTCOME_STORED)
        case Moment.RELEASE_UNSENT | Moment.RELEASED:
            return _Wanted((_RELEASE, sid), is_after=moment is Moment.RELEASED)


class Gate(Link):
    """`closed` is set once that moment has come; from then on nothing passes, in either direction."""

    def __init__(self, to_port: int) -> None:
        self.closed = threading.Event()
        self._wanted: _Wanted | None = None
        self._nears: set[socket.socket] = set()
        self._answering: socket.socket | None = None
        self._looking = threading.Lock()
        super().__init__(to_port)

    def closes_at(self, moment: Moment, call_sid: str) -> None:
        self._wanted = _wanted(moment, call_sid)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        self._nears.add(near)
        super()._carry(near, far)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self._is_closed_to(source, sink, data):
                    self._passing.wait()
                    break
                sink.sendall(data)
        _shut((source, sink))

    def _is_closed_to(self, source: socket.socket, sink: socket.socket, data: bytes) -> bool:
        with self._looking:
            if self.closed.is_set():
                return True
            is_now = source is self._answering or (source in self._nears and self._is_wanted(sink, data))
            if is_now:
                self.block()
                self.closed.set()
            return is_now

    def _is_wanted(self, sink: socket.socket, data: bytes) -> bool:
        wanted = self._wanted
        if wanted is None or not all(word in data for word in wanted.words):
            return False
        wanted.number -= 1
        if wanted.number == 0 and wanted.is_after:
            self._answering = sink
            return False
        return wanted.number == 0


def _shut(ends: Iterable[socket.socket]) -> None:
    for each in ends:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
