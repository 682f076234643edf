"""Callers who wait in a queue, and those who take them out."""

import asyncio
from dataclasses import dataclass, field

from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.model import Leg, Member


@dataclass(eq=False)
class Waiting:
    """One caller in a queue. ``taken`` is resolved with the caller's membership of the bridge."""

    leg: Leg
    since: float
    attributes: str = ""
    taken: "asyncio.Future[Member]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


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

    def leave(self, name: str, waiting: Waiting) -> None:
        if waiting in self.waiting.get(name, []):
            self.waiting[name].remove(waiting)

    async def take(self, name: str) -> Waiting:
        """Wait for a caller in a queue and take the one who has waited longest."""
        async with self.changed:
            await self.changed.wait_for(lambda: bool(self.waiting.get(name)))
            return self.waiting[name].pop(0)
