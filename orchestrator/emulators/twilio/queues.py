"""Callers who wait in a queue, and those who take them out."""

import asyncio
from dataclasses import dataclass, field

from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.model import Leg, Member


@dataclass(eq=False)
class Waiting:
    """One caller in a queue. ``taken`` is resolved with the membership of whatever the caller is taken into.

    None: the caller leaves the queue by itself (`<Leave>`). ``reservation`` holds the caller for one taker,
    ``is_ordered``: somebody is being called to take the caller.
    """

    leg: Leg
    since: float
    reservation: str = ""
    is_ordered: bool = False
    taken: "asyncio.Future[Member | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass
class Queues:
    """Queues by name; one of a workflow goes by the workflow's SID."""

    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    sids: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def sid_of(self, name: str) -> str:
        return self.sids.setdefault(name, sid("QU"))

    async def enter(self, name: str, waiting: Waiting) -> None:
        async with self.changed:
            self.waiting.setdefault(name, []).append(waiting)
            self.changed.notify_all()

    async def take(self, name: str, reservation: str = "") -> Waiting:
        """Wait for a caller in a queue and take the one who has waited longest, or the reserved one."""
        async with self.changed:
            while (found := self._takeable(name, reservation)) is None:
                await self.changed.wait()
            self.remove(found)
            return found

    def remove(self, waiting: Waiting) -> bool:
        """Take a caller out of whatever queue; tell whether there was one to take."""
        for row in self.waiting.values():
            if waiting in row:
                row.remove(waiting)
                return True
        return False

    def of(self, leg: Leg) -> Waiting | None:
        """Return the leg's place in a queue."""
        return next((waiting for row in self.waiting.values() for waiting in row if waiting.leg is leg), None)

    def _takeable(self, name: str, reservation: str) -> Waiting | None:
        rows = self.waiting.values() if reservation else [self.waiting.get(name, [])]
        return next((w for row in rows for w in row if w.reservation == reservation), None)
