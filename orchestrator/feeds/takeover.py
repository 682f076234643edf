"""Takes a connection's socket out of gunicorn's hands, so that its thread is free and the stream goes on.

Checked with gunicorn 27's gthread. Its connection object keeps the file descriptor and will half-close, drain and
close it, all of which would end the client's connection, too. So the client's socket moves to a descriptor of our own,
and one end of a fresh socket pair is put in its place: whatever gunicorn still writes (it believes that it sends the
head of an answer) or closes goes there. gunicorn does not count the connection from then on: its drain does not wait
for it, and the hub ends it by itself.
"""

from __future__ import annotations

import os
import socket


def take_over(gunicorns: socket.socket) -> tuple[socket.socket, socket.socket]:
    """The client's socket, and the far end of its placeholder, to be closed when gunicorn has done with the answer."""
    own = gunicorns.dup()
    placeholder, far = socket.socketpair()
    os.dup2(placeholder.fileno(), gunicorns.fileno(), inheritable=False)
    placeholder.close()
    own.setblocking(False)
    return own, far
