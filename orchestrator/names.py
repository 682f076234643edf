"""Addresses of hosts, in threads of their own: getaddrinfo takes no timeout and cannot be interrupted.

One question at a time for a host and port, shared by all who ask meanwhile; its thread ends with its answer, so one
host's trouble is no other's. Where an answer is late or there is none, the last good one of this process serves: TLS
finds out if somebody else lives there by now.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from orchestrator.threads import has_begun

LATE_S = 0.5
"""Where there is an earlier answer; at most half of what whoever asks has left."""


class Names:
    """Thread-safe. An answer is what getaddrinfo gives; one without an address is a failure."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], list[Any]] = {}
        self._under_way: dict[tuple[str, int], Future[list[Any]]] = {}

    def addresses(self, host: str, port: int, wait_s: float) -> list[Any]:
        """Raises OSError; TimeoutError where the answer takes longer than `wait_s` and none is known."""
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        known = self._known.get((host, port), [])
        try:
            found = self._question(host, port).result(max(0.0, min(LATE_S, wait_s / 2) if known else wait_s))
        except TimeoutError:
            if not known:
                raise TimeoutError("name resolution") from None
            return known
        if found or known:
            return found or known
        raise OSError("name resolution")

    def _question(self, host: str, port: int) -> Future[list[Any]]:
        """The one under way, or a new one; it fails at once where there is no thread for it."""
        with self._lock:
            question = self._under_way.get((host, port))
            if question is None:
                question = Future()
                asking = threading.Thread(target=self._ask, args=(host, port, question), name="http-names", daemon=True)
                if has_begun(asking):
                    self._under_way[host, port] = question
                else:
                    question.set_result([])
            return question

    def _ask(self, host: str, port: int, question: Future[list[Any]]) -> None:
        found: list[Any] = []
        try:
            with suppress(OSError, UnicodeError):
                found = self._known[host, port] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        finally:
            with self._lock:
                del self._under_way[host, port]
            question.set_result(found)
