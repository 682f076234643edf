"""Both vendors on loopback: Twilio's resources as a test puts them there, ASAPP agreeing to everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests import loopback

ACCOUNT = "AC" + "0" * 32
API = f"/2010-04-01/Accounts/{ACCOUNT}"
STREAM = "MZ" + "3" * 32
_ONE = {"streamId": "fake-stream", "status": {"code": 1000, "description": "OK"}}
_AGREED = {
    "isOk": True,
    "autotranscribeResponse": {"customer": _ONE, "agent": _ONE},
    "streamingUrl": "wss://media.asapp.example/fake-path",
}


class Vendors(loopback.Loopback):
    """`resources`: what a GET of that path (below the account) answers; what is not there is Twilio's 20404.

    `down`: paths that answer 503; `meanwhile`: what happens while a path is being read.
    """

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.down: set[str] = set()
        self.meanwhile: dict[str, Callable[[], None]] = {}
        owner = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                self._read() if self.command == "GET" else self._done()

            def _read(self) -> None:
                path = urlsplit(self.path).path
                owner.asked.append(("GET", path, dict(parse_qsl(urlsplit(self.path).query))))
                if not path.startswith(API):
                    self._send(200, _AGREED)
                    return
                name = path.removeprefix(API)
                owner.meanwhile.get(name, lambda: None)()
                found = owner.resources.get(name)
                if name in owner.down:
                    self._send(503, {})
                    return
                self._send(*((200, found) if found is not None else (404, {"code": 20404, "message": "not found"})))

            def _done(self) -> None:
                body = self.body()
                path = urlsplit(self.path).path
                form = dict(parse_qsl(body.decode())) if path.startswith(API) else {}
                owner.asked.append(("POST", path, form))
                self._send(*((200, {"sid": STREAM, "status": "in-progress"}) if form else (200, _AGREED)))

            def _send(self, status: int, told: dict[str, Any]) -> None:
                self.send(status, json.dumps(told).encode())

        super().__init__(Handler)

    def leg(self, sid: str, **fields: Any) -> dict[str, Any]:
        """Put a call resource there, in progress and inbound unless told otherwise."""
        made = {
            "sid": sid,
            "status": "in-progress",
            "direction": "inbound",
            "from": "+15555550101",
            "to": "+15555550100",
            "parent_call_sid": None,
            **fields,
        }
        self.resources[f"/Calls/{sid}.json"] = made
        return made

    def room(self, sid: str, **is_held_by_leg: bool) -> None:
        """Put a conference's participants there; legs as keywords, whether each is held."""
        rows = [
            {
                "call_sid": leg,
                "conference_sid": sid,
                "hold": held,
                "coaching": False,
                "label": None,
                "status": "connected",
            }
            for leg, held in is_held_by_leg.items()
        ]
        path = f"/Conferences/{sid}/Participants.json"
        self.resources[path] = {"participants": rows, "page": 0, "page_size": 100, "next_page_uri": None}

    def requests(self, part: str) -> list[tuple[str, str, dict[str, str]]]:
        return [each for each in self.asked if part in each[1]]
