"""How much memory the service's own processes hold, once a second."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tests.soak.site import SoakSite

_EVERY_S = 1.0


@dataclass
class Memory:
    """Measures from `start` to `stop`."""

    site: SoakSite
    samples_mb: list[float] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self.samples_mb.append(self.site.memory_mb())
