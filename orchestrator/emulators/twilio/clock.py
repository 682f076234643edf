"""Emulated time: seconds since the start, ``speed`` of them to a real second.

Audio, ringing, pauses and timeouts follow it. Timestamps and network time limits stay real.
"""

import asyncio


class Clock:
    """A clock of the running event loop."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()

    def now(self) -> float:
        """Return the emulated seconds since the start."""
        return (self._loop.time() - self._zero) * self.speed

    async def sleep(self, emulated_s: float) -> None:
        await asyncio.sleep(emulated_s / self.speed)

    async def until(self, moment: float) -> None:
        """Sleep until an emulated moment; one that has passed only lets others run."""
        await asyncio.sleep(max(0.0, (moment - self.now()) / self.speed))
