"""The emulated account: credentials, what exists in it, and the means its parts share."""

import itertools
import ssl
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.emulators.faults import Faults
from orchestrator.emulators.twilio.clock import Clock
from orchestrator.emulators.twilio.model import TERMINAL, Conference, Leg, Number
from orchestrator.emulators.twilio.operations import OPERATIONS
from orchestrator.emulators.twilio.queues import Queues
from orchestrator.emulators.twilio.speech import Conversation
from orchestrator.emulators.twilio.switches import Switches
from orchestrator.emulators.twilio.tasks import Router
from orchestrator.emulators.twilio.webhooks import Webhooks

_KEPT = 100_000


@dataclass(frozen=True)
class Settings:
    """How an emulator is started; see the options of `main.command`."""

    account_sid: str
    auth_token: str
    api_keys: dict[str, str] = field(default_factory=dict)
    speed: float = 1.0
    seed: int = 0
    ca_file: Path | None = None
    switches: dict[str, str] = field(default_factory=dict)


class Account:
    """Everything of one emulated account. One event loop owns it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sid = settings.account_sid
        self.clock = Clock(settings.speed)
        self.switches = Switches(settings.switches)
        self.faults = Faults(OPERATIONS, settings.seed)
        self.hooks = Webhooks(settings.auth_token, self.faults, self.switches)
        self.legs: dict[str, Leg] = {}
        self.conferences: dict[str, Conference] = {}
        self.numbers: dict[str, Number] = {}
        self.applications: dict[str, dict[str, str]] = {}
        self.queues = Queues()
        self.router = Router(settings.seed)
        self.alerts: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self.requests: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._conversations = itertools.count(settings.seed)

    @property
    def path(self) -> str:
        return f"/2010-04-01/Accounts/{self.sid}"

    def alert(self, code: int, call_sid: str, detail: str) -> None:
        """Note what the vendor's debugger would show."""
        self.alerts.append({"at": time.time(), "code": code, "call_sid": call_sid, "detail": detail})

    def add(self, leg: Leg) -> Leg:
        self.legs[leg.sid] = leg
        if leg.parent is not None:
            leg.parent.children.append(leg)
        return leg

    def conversation(self) -> Conversation:
        return Conversation(next(self._conversations), is_silent=self.switches["conversation"] == "silent")

    def open_conference(self, name: str) -> Conference | None:
        """Return the room of that name that has not ended; there is at most one."""
        rooms = self.conferences.values()
        return next((room for room in rooms if room.name == name and room.status != "completed"), None)

    def tls(self) -> ssl.SSLContext:
        """Trust the world's certificates and the one of ``--ca-file``, read now."""
        context = ssl.create_default_context()
        if self.settings.ca_file is not None and self.settings.ca_file.exists():
            context.load_verify_locations(self.settings.ca_file)
        return context

    def live_legs(self) -> list[Leg]:
        return [leg for leg in self.legs.values() if leg.status not in TERMINAL]
