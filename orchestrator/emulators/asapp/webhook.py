"""Delivery of transcripts: one POST each, in order of transcription, never retried.

Each call has its own line. A message leaves 200 to 600 emulated ms after its utterance; while too many
of a call's deliveries are under way the others wait, and when too many wait the oldest is dropped
(ASAPP: Twilio guide). Any answer ends a delivery; the status is only recorded.

Operation for scripted faults: ``webhook`` (delay_ms, drop, duplicate, reorder), which may be matched on the guid.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

import aiohttp
import msgspec

from orchestrator.emulators.asapp.clock import Clock
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.faults import Faults, Rule

DROPPED: Final = "dropped"
_OVERTAKEN_WITHIN_S: Final = 2.0


class Target(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where transcripts go and the secret they bring under ``name``; without a URL none are sent."""

    url: str | None = None
    secret: str | None = None
    name: str = "asapp-webhook-secret"
    place: Literal["header", "query"] = "header"


@dataclass(slots=True)
class Delivery:
    """What became of one message; ``status`` is None while under way, a word if there was no answer."""

    guid: str
    body: dict[str, object]
    recognised_at: float
    sent_at: float | None = None
    status: int | str | None = None
    latency_ms: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "guid": self.guid,
            "body": self.body,
            "recognised_at": self.recognised_at,
            "sent_at": self.sent_at,
            "status": self.status,
            "latency_ms": self.latency_ms,
        }


@dataclass(slots=True)
class _Line:
    """The messages of one call that wait, with the instant (loop time) at which each is due."""

    waiting: deque[tuple[float, Delivery]] = field(default_factory=deque)
    under_way: int = 0
    timer: asyncio.TimerHandle | None = None
    passed: asyncio.Event = field(default_factory=asyncio.Event)


class Pusher:
    """Sends transcripts to `target`; must be closed. ``source`` draws the latencies."""

    def __init__(self, target: Target, switches: Switches, faults: Faults, clock: Clock, source: random.Random) -> None:
        self.target = target
        self.deliveries: list[Delivery] = []
        self._switches = switches
        self._faults = faults
        self._clock = clock
        self._random = source
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def push(self, guid: str, body: dict[str, object]) -> None:
        """Put one message into its call's line."""
        if self.target.url is None:
            return
        line = self._lines.setdefault(guid, _Line())
        delivery = Delivery(guid, body, time.time())
        self.deliveries.append(delivery)
        overtakes = bool(line.waiting) and self._random.random() < self._switches.number("webhook-reorder")
        line.waiting.append((self._due(), delivery))
        if overtakes:
            line.waiting[-1], line.waiting[-2] = line.waiting[-2], line.waiting[-1]
        while len(line.waiting) > max(1, self._switches.number("webhook-queue")):
            line.waiting.popleft()[1].status = DROPPED
        self._run(line)

    def forget(self) -> None:
        """Drop all that waits and all that is recorded; what is under way goes on unrecorded."""
        for line in self._lines.values():
            if line.timer:
                line.timer.cancel()
        self._lines.clear()
        self.deliveries = []

    async def close(self) -> None:
        self.forget()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.close()

    def _due(self) -> float:
        least = self._switches.number("transcript-latency-min-ms")
        most = max(least, self._switches.number("transcript-latency-max-ms"))
        latency_s = self._random.uniform(least, most) / 1000
        return asyncio.get_running_loop().time() + self._clock.real_s(latency_s)

    def _run(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        if line.timer:
            line.timer.cancel()
            line.timer = None
        while line.waiting and line.under_way < max(1, self._switches.number("webhook-in-flight")):
            due, delivery = line.waiting[0]
            if due > loop.time():
                line.timer = loop.call_at(due, self._run, line)
                return
            line.waiting.popleft()
            line.under_way += 1
            task = loop.create_task(self._deliver(line, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._finished(line))

    def _finished(self, line: _Line) -> Callable[[asyncio.Task[None]], None]:
        def finish(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            line.under_way -= 1
            if not task.cancelled():
                self._run(line)

        return finish

    async def _deliver(self, line: _Line, delivery: Delivery) -> None:
        rule = self._faults.take("webhook", {"guid": delivery.guid}) or Rule(operation="webhook")
        await asyncio.sleep(rule.delay_ms / 1000)
        if rule.reorder:
            await self._let_another_pass(line)
        if rule.drop:
            delivery.status = DROPPED
            return
        for _ in range(1 + rule.duplicate):
            await self._post(delivery)
        line.passed.set()

    async def _let_another_pass(self, line: _Line) -> None:
        """The call's next message goes first, if one comes soon; meanwhile this one is not under way."""
        line.passed.clear()
        line.under_way -= 1
        self._run(line)
        with suppress(TimeoutError):
            await asyncio.wait_for(line.passed.wait(), _OVERTAKEN_WITHIN_S)
        line.under_way += 1

    async def _post(self, delivery: Delivery) -> None:
        target = self.target
        if target.url is None:
            delivery.status = DROPPED
            return
        headers = {"Content-Type": self._switches.word("webhook-content-type")}
        query: dict[str, str] = {}
        if target.secret is not None:
            (query if target.place == "query" else headers)[target.name] = target.secret
        timeout = aiohttp.ClientTimeout(total=self._switches.number("webhook-timeout-ms") / 1000)
        delivery.sent_at = time.time()
        try:
            async with self._session().post(
                target.url,
                data=msgspec.json.encode(delivery.body),
                headers=headers,
                params=query,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                await answer.read()
                delivery.status = answer.status
        except TimeoutError:
            delivery.status = "timeout"
        except aiohttp.ClientError as error:
            delivery.status = type(error).__name__
        delivery.latency_ms = round((time.time() - delivery.sent_at) * 1000, 3)

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            closes = self._switches.word("webhook-connections") == "close"
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=closes))
        return self._client
