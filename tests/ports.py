"""Ports for servers that must know theirs beforehand."""

from __future__ import annotations

import random
import socket

_BELOW_THE_SYSTEM_S = range(20_000, 32_000)
"""Out of the range from which the system takes ports for connections: one of those may come before the server does."""


def free_port() -> int:
    """A port of loopback on which nobody listens just now."""
    while True:
        port = random.choice(_BELOW_THE_SYSTEM_S)  # noqa: S311  no secret
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
