"""What TaskRouter knows: the workspace, its workers, tasks and reservations (Twilio: TaskRouter)."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.model import Conference, Leg
from orchestrator.emulators.twilio.queues import Waiting

if TYPE_CHECKING:
    from collections.abc import Coroutine


@dataclass(frozen=True)
class Workspace:
    """Where events go (nowhere without a URL), and which; no filter: all. ``workflows`` are SIDs."""

    sid: str
    event_callback_url: str
    events: frozenset[str] = frozenset()
    workflows: tuple[str, ...] = ()


def events_of(events_filter: str) -> frozenset[str]:
    """Read a filter as the vendor writes it: names, comma-separated."""
    return frozenset(filter(None, (name.strip() for name in events_filter.split(","))))


@dataclass(eq=False)
class Worker:
    """An agent as TaskRouter knows one; ``identity`` is the address that is called (`contact_uri`)."""

    name: str
    identity: str
    sid: str = field(default_factory=lambda: sid("WK"))


@dataclass(eq=False)
class Reservation:
    """A task offered to a worker: pending, accepted, rejected, timeout, canceled, rescinded, wrapping, completed."""

    task: "Task"
    worker: Worker
    status: str = "pending"
    leg: Leg | None = None
    is_transfer: bool = False
    sid: str = field(default_factory=lambda: sid("WR"))


@dataclass(eq=False)
class Task:
    """One caller's task. ``room``: the conference that TaskRouter made for it."""

    workflow_sid: str
    queue_sid: str
    waiting: Waiting
    attributes: dict[str, Any]
    sid: str = field(default_factory=lambda: sid("WT"))
    status: str = "pending"
    reason: str = ""
    version: int = 0
    created: float = field(default_factory=time.time)
    room: Conference | None = None
    reservations: list[Reservation] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.status in {"canceled", "completed"}

    def of(self, *statuses: str) -> list[Reservation]:
        return [reservation for reservation in self.reservations if reservation.status in statuses]


class Router:
    """The account's workspace. Tasks are forgotten by a reset; workspace and workers stay."""

    def __init__(self, seed: int) -> None:
        self.workspace: Workspace | None = None
        self.workers: dict[str, Worker] = {}
        self.tasks: dict[str, Task] = {}
        self.random = random.Random(seed)
        self._last_ms = 0
        self._watching: set[asyncio.Task[None]] = set()

    def watch(self, work: "Coroutine[Any, Any, None]") -> "asyncio.Task[None]":
        """Let something go on in the background."""
        task = asyncio.create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return task

    def forget(self) -> None:
        """Forget every task, and whatever waits for its end."""
        self.tasks.clear()
        for watching in self._watching:
            watching.cancel()

    def task_of(self, leg: Leg) -> Task | None:
        """Return the newest task of a customer's or worker's leg."""
        tasks = reversed(self.tasks.values())
        return next((t for t in tasks if t.waiting.leg is leg or any(r.leg is leg for r in t.reservations)), None)

    def free_worker(self, task: Task) -> Worker | None:
        """Return a worker to whom the task was not offered yet and who is not busy with another."""
        asked = {reservation.worker for reservation in task.reservations}
        busy = {r.worker for other in self.tasks.values() for r in other.of("pending", "accepted")}
        return next((worker for worker in self.workers.values() if worker not in asked | busy), None)

    def moment_ms(self) -> int:
        """Return the time of an event in epoch milliseconds; no two are the same."""
        self._last_ms = max(self._last_ms + 1, round(time.time() * 1000))
        return self._last_ms
