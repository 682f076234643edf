"""A console and the floor that it shows."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import requests

from orchestrator.core import events as e
from orchestrator.core.call import Call
from orchestrator.services import Services
from tests.unit.web.console.floors import talking

DEADLINE_S = 20.0
_serial = itertools.count(1)


@dataclass
class Watched:
    url: str
    services: Services

    def now(self) -> int:
        return self.services.clock.now_ms()

    def happens(self, call_sid: str, told: Iterable[e.Event]) -> None:
        for event in told:
            if isinstance(event, e.CallArrived):
                self.services.store.begin(event)
            else:
                self.services.store.apply(call_sid, event)

    def talks(self, number: int, *, agent: str = "amy", ago_ms: int = 60_000) -> str:
        """A call that is being transcribed; its SID, never the same twice."""
        sid = f"CA{next(_serial):016x}{number:016x}"
        self.happens(sid, talking(sid, self.now() - ago_ms, f"+1555555{number:04d}", agent))
        return sid

    def hears(self, call_sid: str, text: str, role: str = "customer") -> None:
        """An utterance, as ASAPP delivers it."""
        message = {
            "type": "transcript",
            "externalConversationId": call_sid,
            "streamId": f"fake-{role}",
            "sender": {"externalId": "someone", "role": role},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": 0,
                "end": 900,
                "utterance": [{"text": text}],
            },
        }
        answer = requests.post(
            f"{self.url}/asapp/transcripts", json=message, headers={"asapp-webhook-secret": "fake-webhook"}, timeout=5
        )
        assert answer.status_code == 200, answer.text

    def call(self, call_sid: str) -> Call:
        found = self.services.store.load(call_sid)
        assert found is not None
        return found

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came to that"
            time.sleep(0.02)
