"""A system that gives no more threads, as with RLIMIT_NPROC or a container's `pids.max`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """Python says of it what it says of the real thing."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        yield
