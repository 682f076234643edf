"""Both vendors on loopback in one server, agreeing to everything until a test gives an operation a mood."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from tests import loopback

ACCOUNT = "AC" + "0" * 32
START, STOP, URL = "/start-streaming", "/stop-streaming", "/twilio-media-stream-url"
CREATE = "/Streams.json"
_ONE = {"streamId": "fake-stream", "status": {"code": 1000, "description": "OK"}}
_ASAPP = {
    "isOk": True,
    "autotranscribeResponse": {"customer": _ONE, "agent": _ONE},
    "streamingUrl": "wss://media.asapp.example/fake-path",
}


@dataclass(frozen=True)
class Mood:
    """How one operation is answered: this status and body, after so many seconds."""

    status: int = 200
    body: bytes | None = None
    after_s: float = 0


@dataclass(frozen=True)
class Asked:
    """One request; `at` by `time.monotonic()`."""

    at: float
    method: str
    path: str
    body: bytes


class Vendors(loopback.Loopback):
    """`moods`: by the part of a path; the first that is in it counts."""

    def __init__(self) -> None:
        self.moods: dict[str, Mood] = {}
        self.asked: list[Asked] = []
        self.leg_status = "in-progress"
        owner = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                body = self.body()
                owner.asked.append(Asked(time.monotonic(), self.command, self.path, body))
                mood = next((mood for part, mood in list(owner.moods.items()) if part in self.path), Mood())
                owner.stopped.wait(mood.after_s)
                text = json.dumps(owner.answer(self.path)).encode() if mood.body is None else mood.body
                self.send(mood.status, text)

        self.stopped = threading.Event()
        super().__init__(Handler)

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        super().__exit__(*error)

    def answer(self, path: str) -> dict[str, Any]:
        if "/2010-04-01/" not in path:
            return _ASAPP
        if "/Streams" in path:
            return {"sid": f"MZ{len(self.asked) + 1_000_000:032x}", "status": "in-progress"}
        if path.partition("?")[0].endswith("/Calls.json"):
            return {"calls": [], "next_page_uri": None}
        sid = path.rpartition("/")[2].removesuffix(".json")
        return {
            "sid": sid,
            "status": self.leg_status,
            "direction": "inbound",
            "from": "+15555550101",
            "to": "+15555550100",
            "parent_call_sid": None,
        }

    def requests(self, part: str, call_sid: str = "") -> list[Asked]:
        return [each for each in self.asked if part in each.path and call_sid in f"{each.path} {each.body!r}"]
