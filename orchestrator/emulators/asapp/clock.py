"""Time as the emulator sees it.

Instants are epoch seconds of real time, moved forward only by order (``POST /_emulator/clock``).
Durations that the vendor or the audio takes are emulated and pass ``speed`` times as fast; the life of
a stream URL is not, because its user keeps its own, real time. Offsets that the vendor tells are real
too: who receives them lays them beside instants of its own clock.
"""

import time


class Clock:
    """Real time plus what was advanced."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._advanced_s = 0.0

    def now(self) -> float:
        return time.time() + self._advanced_s

    def advance(self, seconds: float) -> None:
        self._advanced_s += seconds

    def real_s(self, emulated_s: float) -> float:
        """Return how long an emulated duration really takes."""
        return emulated_s / self.speed

    def told_ms(self, audio_ms: int) -> int:
        """Return an offset into the audio as the vendor tells it."""
        return round(self.real_s(audio_ms))
