"""Runs the embedded server for as long as anyone uses it. A program of its own; standard library only.

    python keeper.py LOCK_FD USERS_FILE BINARY CONFIGURATION

It leaves its starter's session at once, keeps the server running (again after a crash), and ends it when nobody
holds the shared lock on USERS_FILE any more: the kernel drops a lock with its process, however that ended. LOCK_FD is
the exclusive lock of the data folder; the server inherits it, so that no second server starts on the same data before
this one is gone.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

LOOK_EVERY_S = 0.1
GRACE_S = 10.0
SHORTEST_LIFE_S = 1.0
CRASHES_AT_MOST = 5


def main(lock: int, users: Path, command: list[str]) -> int:
    """The exit status of the keeper: 1 when the server cannot be kept running."""
    crashes = 0
    with users.open("rb") as guard:
        while crashes < CRASHES_AT_MOST:
            started = time.monotonic()
            with subprocess.Popen(command, pass_fds=[lock], stdin=subprocess.DEVNULL) as server:  # noqa: S603  as told
                if _is_deserted_before_end(guard.fileno(), server):
                    return 0
            crashes = crashes + 1 if time.monotonic() - started < SHORTEST_LIFE_S else 0
    return 1


def _is_deserted_before_end(guard: int, server: subprocess.Popen[bytes]) -> bool:
    """Waits until nobody is left (the server is then ended: True), or until the server ended by itself (False)."""
    while server.poll() is None:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_EVERY_S)
            continue
        server.terminate()
        try:
            server.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            server.kill()
        return True
    return False


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # the starter reaps this one; its child belongs to nobody
    os.setsid()
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
