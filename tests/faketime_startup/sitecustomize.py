"""What an interpreter under libfaketime begins with: a `time.sleep` that works there.

Since Python 3.11 it is `clock_nanosleep` until a moment of the monotonic clock, and libfaketime 0.9.10 turns that
moment into an invalid one (EINVAL) although it is told to leave this clock alone. Waiting for a lock it lets be.
"""

import threading
import time
from typing import SupportsFloat


def _sleep(seconds: SupportsFloat) -> None:
    threading.Event().wait(float(seconds))


time.sleep = _sleep  # type: ignore[assignment]  # the stub's parameter is narrower than what it takes
