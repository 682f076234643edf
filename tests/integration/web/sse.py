"""A client of server-sent events, as the standard describes one, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import requests


class Event(NamedTuple):
    name: str
    data: dict[str, Any]


class Client:
    """One stream. `last_id` is what a client would send as `Last-Event-ID` if the connection broke now."""

    def __init__(self, url: str, *, key: str = "fake-key", last_id: str = "", timeout: float = 20) -> None:
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last_id} if last_id else {})
        self.response = requests.get(url, headers=headers, stream=True, timeout=timeout)
        self.last_id = last_id
        self.retry_ms: int | None = None
        self.comments: list[str] = []
        self._lines = self.response.iter_lines(chunk_size=1)
        self._events = self._parsed()

    def next(self) -> Event:
        return next(self._events)

    def until(self, name: str) -> list[Event]:
        """All events up to the next one of this name, without it."""
        found: list[Event] = []
        while (event := self.next()).name != name:
            found.append(event)
        return found

    def rest(self) -> list[Event]:
        """To the clean end of the stream; raises when it is cut."""
        return list(self._events)

    def close(self) -> None:
        self.response.close()

    def _parsed(self) -> Iterator[Event]:
        name, data = "message", list[str]()
        for line in map(bytes.decode, self._lines):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "" if line:
                    self.comments.append(value)
                case "":
                    if data:
                        yield Event(name, json.loads("\n".join(data)))
                    name, data = "message", list[str]()
                case "event":
                    name = value
                case "data":
                    data.append(value)
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry_ms = int(value)
