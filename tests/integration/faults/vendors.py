"""Both vendors on loopback in one server, agreeing to everything until a test gives an operation a mood."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
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
    """How one operation is answered: this status and body, after so many seconds.

    `every`: only one request of so many gets status and body; all take as long.
    """

    status: int = 200
    body: bytes | None = None
    after_s: float = 0
    every: int = 1


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
        self._answered: list[tuple[str, float, float]] = []
        self._counts: Counter[str] = Counter()
        owner = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                body = self.body()
                began = time.monotonic()
                owner.asked.append(Asked(began, self.command, self.path, body))
                mood = owner.mood_for(self.path)
                owner.stopped.wait(mood.after_s)
                owner.note(self.path, began)
                text = json.dumps(owner.answer(self.path)).encode() if mood.body is None else mood.body
                self.send(mood.status, text)

        self.stopped = threading.Event()
        super().__init__(Handler)

    def __exit__(self, *error: object) -> None:
        self.stopped.set()
        super().__exit__(*error)

    def mood_for(self, path: str) -> Mood:
        part, mood = next(((part, mood) for part, mood in list(self.moods.items()) if part in path), ("", Mood()))
        self._counts[part] += 1
        return mood if self._counts[part] % mood.every == 0 else Mood(after_s=mood.after_s)

    def note(self, path: str, began: float) -> None:
        self._answered.append((path, began, time.monotonic()))

    def most_at_once(self, part: str) -> int:
        """How many requests of this part were under way at the same time, at the most."""
        spans = [(began, ended) for path, began, ended in self._answered if part in path]
        return max(sum(one <= at < other for one, other in spans) for at, _ in spans)

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
