"""Lines to vendors: connections that keep a total deadline and know whether anything was sent over them.

A `Guard` stands for one attempt. While it is entered, the connections that the attempt uses in this thread report to
it: the line they hold, that a byte is about to be sent, that an answer began. One watchdog thread per process shuts
the line of every guard whose deadline passed.

`install(pool_manager)` makes a urllib3 pool manager use such connections.
"""

from __future__ import annotations

import heapq
import itertools
import os
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.poolmanager import PoolManager

from orchestrator.names import Names
from orchestrator.threads import has_begun

_IDLE_S = 15.0
"""A connection idle for longer is not used again: most servers keep one for more than that."""
_IDLE_UNREPEATABLE_S = 3.0
"""The same where a broken line would leave us not knowing what was carried out."""


class _Here(threading.local):
    guard: Guard | None = None


_here = _Here()


class Guard:
    """One attempt's deadline, in seconds of the monotonic clock."""

    def __init__(self, deadline: float, *, is_repeatable: bool) -> None:
        self.deadline = deadline
        self.idle_s = _IDLE_S if is_repeatable else _IDLE_UNREPEATABLE_S
        self.is_sent = False
        self.is_answered = False
        self.is_expired = False
        self._is_new_line = False
        self._line: socket.socket | None = None
        self._is_over = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        _here.guard = self
        _watchdog.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _here.guard = None
        with self._lock:
            self._is_over = True
            self._let_go()

    def is_stale_line(self) -> bool:
        """A used connection took our request and broke without a byte of an answer, in time."""
        return self.is_sent and not self.is_answered and not self._is_new_line and not self.is_expired

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def hold(self, sock: socket.socket, *, is_new: bool = False) -> None:
        """Keep a second handle of the line: TLS takes the first one away, and closing it would not end a read."""
        with self._lock:
            self._let_go()
            self._is_new_line = self._is_new_line or is_new
            self._line = socket.socket(fileno=os.dup(sock.fileno()))
            if self.is_expired:
                self._shut()

    def holds(self) -> bool:
        return self._line is not None

    def expire(self) -> None:
        with self._lock:
            if not self._is_over:
                self.is_expired = True
                self._shut()

    def _shut(self) -> None:
        if self._line is not None:
            with suppress(OSError):  # the other side was quicker
                self._line.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Watchdog:
    """One thread that expires guards. Started when first needed, and again in a forked process.

    Where no thread is to be had, the next guard tries again; until then each read has its own limit.
    """

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._thread: threading.Thread | None = None
        self._waiting: list[tuple[float, int, Guard]] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count()

    def watch(self, guard: Guard) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (guard.deadline, next(self._numbers), guard))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread = thread if has_begun(thread) else None
            if self._waiting[0][2] is guard:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next().expire()

    def _next(self) -> Guard:
        with self._changed:
            while True:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)


_watchdog = _Watchdog()


_names = Names()


def _connect(host: str, port: int, guard: Guard, options: Any) -> socket.socket:
    """The first address that answers. Each but the last may take half of what is left, so that one dead does not."""
    addresses = _names.addresses(host, port, guard.left())
    failure: OSError = OSError("no address")
    for number, (family, kind, protocol, _name, address) in enumerate(addresses, start=1):
        left = guard.left() if number == len(addresses) else guard.left() / 2
        if left <= 0:
            raise TimeoutError("connect")
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(left)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _Line(HTTPConnection):
    """What both kinds of connection do for the guard of the running attempt."""

    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        guard = _here.guard
        is_fresh = guard is None or not self._used_at or time.monotonic() - self._used_at < guard.idle_s
        return is_fresh and super().is_connected

    def _new_conn(self) -> socket.socket:
        guard = _here.guard
        if guard is None:
            raise NewConnectionError(self, "no attempt is under way")
        try:
            sock = _connect(self._dns_host, self.port or self.default_port, guard, self.socket_options)
        except OSError as error:
            raise NewConnectionError(self, type(error).__name__) from error
        guard.hold(sock, is_new=True)
        return sock

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        guard = _here.guard
        if guard is not None and self.sock is not None:
            if not guard.holds():
                guard.hold(self.sock)
            guard.is_sent = True
        super().send(data)

    def getresponse(self) -> Any:
        response = super().getresponse()
        if _here.guard is not None:
            _here.guard.is_answered = True
        self._used_at = time.monotonic()
        return response


class _PlainLine(_Line):
    pass


class _TlsLine(_Line, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainLine


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsLine


def install(manager: PoolManager) -> None:
    """Make this pool manager's connections report to the guards."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
