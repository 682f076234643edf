"""A real HTTP server on loopback whose answers a test writes down, in order; it remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests import loopback


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Script:
    """`status` 0: the connection is closed without a byte. `wait`: held back until the event is set."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None


def answer(status: int, body: Any, **more: Any) -> Script:
    return Script(status, json.dumps(body).encode(), **more)


class ScriptedServer(loopback.Loopback):
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Script] = deque()
        self.otherwise: Script | None = None
        owner = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.body()
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append(Asked(self.command, parts.path, query, headers, body))
                script = owner.script.popleft() if owner.script else owner.otherwise or Script(500, b"unscripted")
                if script.wait is not None:
                    script.wait.wait(10)
                if script.status == 0:
                    self.close_connection = True
                    return
                self.send(script.status, script.body, script.content_type, script.headers)

        super().__init__(Handler)
