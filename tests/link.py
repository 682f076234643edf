"""A TCP link, to Redis or to a web process, that a test can cut, block, slow down, mend, and lead elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self


class Link:
    """`cut`: nobody can connect and all connections end; `block`: bytes no longer pass; `mend`: as new."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self.delay_s = 0.0
        self._passing = threading.Event()
        self._passing.set()
        self._is_over = False
        self._ends: set[socket.socket] = set()
        self._leading = threading.Lock()
        self._accept_in_background()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._passing.set()
        self.cut()

    def cut(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()

    def lead_to(self, port: int) -> int:
        """Connections made from now on lead there; returns the port that all before have reached."""
        with self._leading:
            before, self._to_port = self._to_port, port
            return before

    def block(self) -> None:
        self._passing.clear()

    def mend(self) -> None:
        if not self._passing.is_set():
            self._passing.set()
            return
        self._listener = self._listen(self.port)
        self._accept_in_background()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        return listener

    def _accept_in_background(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                with self._leading:
                    far = socket.create_connection(("127.0.0.1", self._to_port), timeout=5)
            except OSError:
                near.close()  # nobody is there just now
                continue
            far.settimeout(None)
            self._ends |= {near, far}
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """Both ways, until either end is closed; then nothing is left of it."""
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        for each in (near, far):
            each.close()
            self._ends.discard(each)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(self.delay_s)
                self._passing.wait()
                if self._is_over:
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _end_all(self) -> None:
        for each in tuple(self._ends):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
