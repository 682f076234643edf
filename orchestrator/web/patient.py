"""gunicorn's thread worker, hardened against clients that are slow on purpose or by accident, and against their number.

Two things of gthread let a few such clients keep everybody waiting (gunicorn 27.0.1): a connection in the middle of a
head or body holds its thread for ever, and the end of a connection is waited for on the thread that accepts new ones,
2 s for each client that does not hang up. Here a client has `READ_S` for each part that it sends, and connections end
on threads of their own. `threads` (see `orchestrator.web.server`) says how many may stall at a time.

A body that is too large is refused unread, so its connection ends with the answer. An application may not say so
(`Connection` is the server's header), and gunicorn says `keep-alive` and then hangs up: here it is told beforehand.
What comes in chunks announces no size; of that the first 64 KiB beyond the answer are read, then the line is closed.

gthread ends, and all callers with it, when no file is left for one more connection, or no thread. Here that connection
waits in the kernel's queue until somebody has hung up, or for one of the threads that there are.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]  # gunicorn has no types

from orchestrator.log import get_logger
from orchestrator.threads import Threads
from orchestrator.web.context import MAX_BODY

READ_S = 10.0
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_WITHOUT_FILES_S = 0.05
_TOLD_EVERY_S = 10.0
_ENDING_AT_ONCE = 32
_log = get_logger("orchestrator.web.patient")


class _Line(socket.socket):
    """A socket whose silence counts as a lost connection, which gunicorn expects from any client."""

    def recv(self, *arguments: Any) -> bytes:
        try:
            return super().recv(*arguments)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client was silent for too long") from error

    def sendall(self, *arguments: Any) -> None:
        try:
            super().sendall(*arguments)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "the client did not read for too long") from error


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """Ends on a thread of `ending`; at once where there is none."""

    ending: Threads

    def init(self) -> None:
        """Called on the thread that reads, each time it begins to: from here on the client's time counts."""
        super().init()
        self.sock.settimeout(READ_S)

    def close(self, graceful: bool = False) -> None:
        if not graceful or self.ending.submit(super().close, graceful=True).cancelled():
            super().close()


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's `worker_class`."""

    def init_process(self) -> None:
        self.ending = Threads(_ENDING_AT_ONCE, "ending")
        self._told_at = float("-inf")
        super().init_process()

    def get_thread_pool(self) -> Threads:
        return Threads(self.cfg.threads, "web")

    def accept(self, listener: Any) -> None:
        """As gthread's own, with our connection."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in _OUT_OF_FILES:
                self._wait_for_files(error)
            elif error.errno not in {errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK}:
                raise
            return
        self.nr_conns += 1
        line = _Line(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        connection = _Connection(self.cfg, line, address, listener.getsockname())
        connection.ending = self.ending
        self.enqueue_req(connection)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """As gthread's own. gunicorn has checked that the length is a number."""
        announced = dict(req.headers).get("CONTENT-LENGTH", "0")
        if int(announced) > MAX_BODY:
            req.force_close()
        return super().handle_request(req, conn)

    def _wait_for_files(self, error: OSError) -> None:
        """A moment, in which those who are connected may hang up; the poller would ask again at once."""
        if time.monotonic() - self._told_at > _TOLD_EVERY_S:
            self._told_at = time.monotonic()
            _log.error("out of files", why=error.strerror, connections=self.nr_conns)
        time.sleep(_WITHOUT_FILES_S)
