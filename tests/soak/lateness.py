"""How late the emulated audio runs: on a busy machine frames leave later than they should, and then in a burst.

Once a second one live stream is looked at from both ends: ASAPP's emulator knows when it opened, Twilio's how many
frames of 20 ms it has sent since. All streams leave by one event loop, so one of them tells of all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import requests

from tests.soak.callers import Caller
from tests.soak.site import SoakSite, now

FRAME_S = 0.02
_EVERY_S = 1.0
_AROUND_S = 2.0


@dataclass
class Lateness:
    """Measures from `start` to `stop`, of whichever caller in `callers` has a stream."""

    site: SoakSite
    callers: Sequence[Caller]
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Epoch seconds, and seconds late."""
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def most_s(self) -> float:
        return max((late for _, late in self.samples), default=0.0)

    def around(self, began: float, ended: float) -> float:
        """The most that audio was late while this stretch's was on its way."""
        near = [late for at, late in self.samples if began - _AROUND_S <= at <= ended + late + _AROUND_S]
        return max(near, default=0.0)

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            for caller in reversed(self.callers[-10:]):
                late = self._of(caller) if caller.sid else None
                if late is not None:
                    self.samples.append((now(), max(0.0, late)))
                    break

    def _of(self, caller: Caller) -> float | None:
        try:
            at = now()
            sent = {each["sid"]: each for each in self.site.twilio(f"calls/{caller.sid}")["streams"]}
            seen = self.site.asapp(f"calls/{caller.sid}")
        except (AssertionError, requests.RequestException):
            return None
        for stream in seen["streams"]:
            if stream["open"] and stream["opened_at"] < at - _EVERY_S:
                frames = sent.get(stream["stream_sid"], {}).get("frames_sent", 0)
                return float(at - stream["opened_at"] - frames * FRAME_S)
        return None
