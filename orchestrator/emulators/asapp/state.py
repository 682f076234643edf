"""All that one emulator keeps, and the few things that are done to it from more than one side."""

import random
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from orchestrator.emulators.asapp import conversations, transcripts
from orchestrator.emulators.asapp.calls import Call, Spoken
from orchestrator.emulators.asapp.clock import Clock
from orchestrator.emulators.asapp.exporter import Feeds
from orchestrator.emulators.asapp.exporter_rows import Said, from_messages
from orchestrator.emulators.asapp.gateway import Gateway
from orchestrator.emulators.asapp.limits import Limits
from orchestrator.emulators.asapp.operations import OPERATIONS
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.tokens import StreamTokens
from orchestrator.emulators.asapp.webhook import Pusher, Target
from orchestrator.emulators.faults import Faults

_RECORDED_REQUESTS: Final = 200_000
_GOING_AWAY: Final = 1001


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says; ``speed`` is emulated seconds in a real one."""

    api_id: str
    api_secret: str
    target: Target
    speed: float = 1.0
    seed: int = 0
    switches: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Recorded:
    """One request of the vendor's side; ``at`` is when it was fully received."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    body: object = None
    status: int | None = None
    answered_at: float | None = None
    guid: str | None = None

    def as_dict(self) -> dict[str, object]:
        return {
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "body": self.body,
            "status": self.status,
            "answered_at": self.answered_at,
            "guid": self.guid,
        }


class Emulator:
    """One emulated ASAPP; belongs to one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.random = random.Random(settings.seed)
        self.clock = Clock(settings.speed)
        self.switches = Switches(settings.switches)
        self.faults = Faults(OPERATIONS, settings.seed)
        self.limits = Limits(self.switches)
        self.tokens = StreamTokens(settings.api_secret)
        self.gateway = Gateway(self.switches, self.new_id, settings.speed)
        self.pusher = Pusher(settings.target, self.switches, self.faults, self.clock, self.random)
        self.calls: dict[str, Call] = {}
        self.feeds = Feeds(self.switches, settings.api_secret, self._said)
        self.requests: deque[Recorded] = deque(maxlen=_RECORDED_REQUESTS)
        self.pending_guids: set[str] = set()
        self.media_port = 0

    def new_id(self) -> str:
        """Return an opaque id, the same sequence for the same seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def call(self, guid: str) -> Call:
        """Return the call, made known if it was not."""
        return self.calls.setdefault(guid, Call(guid))

    def publish(self, call: Call, spoken: Iterable[Spoken]) -> None:
        """Keep utterances as messages and send them to the webhook."""
        for each in spoken:
            now = self.clock.now()
            utterance = each.utterance
            call.heard_text.append({"kind": utterance.kind, "role": each.role, "text": utterance.text, "at": now})
            call.messages.append(conversations.message(each, now, self.random))
            for body in transcripts.bodies(call, each, self.switches, self.clock):
                self.pusher.push(call.guid, body)

    def _said(self) -> Iterator[Said]:
        for call in self.calls.values():
            yield from from_messages(call.guid, call.messages)

    async def reset(self) -> None:
        """Forget calls, feeds, requests, faults, deliveries and limits; set all switches back; close all streams."""
        streams = [stream for call in self.calls.values() for stream in call.open_streams]
        self.faults.clear()
        self.switches.reset()
        self.limits.clear()
        for stream in streams:
            await stream.close(_GOING_AWAY)
        self.pusher.forget()
        self.calls.clear()
        self.feeds.clear()
        self.requests.clear()

    async def close(self) -> None:
        await self.pusher.close()


EMULATOR: Final = web.AppKey("emulator", Emulator)
