"""What the demo shows, gathered from where a stranger could look too: the desktop API and ASAPP's ears."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from orchestrator.demo.traffic import Playing

UNKNOWN = "ringing"
SPEECH = ("customer-speech", "agent-speech")
PRIVATE = ("hold-music", "held-customer", "queue-music", "ivr", "payment", "survey", "consult")
_TRANSCRIPTS_PER_LOOK = 6


@dataclass
class Row:
    """One call as the service and the vendors see it now. Milliseconds of audio by kind."""

    playing: Playing
    state: str = UNKNOWN
    agent: str = ""
    stream: str = ""
    problem: str = ""
    words: str = ""
    heard: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    pause_to_off_ms: list[float] = field(default_factory=list)
    is_archived: bool = False

    @property
    def is_call(self) -> bool:
        """The service knows it as a customer's call: agents among themselves and customers never reached are none."""
        return self.state != UNKNOWN


class Watcher:
    """`look` brings the rows up to date; `changes` tells the state changes since the last look."""

    def __init__(self, service_url: str, key: str, asapp_url: str, archive: Path) -> None:
        self._api = f"{service_url}/api/v1/calls"
        self._asapp = f"{asapp_url}/_emulator/calls"
        self._archive = archive
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"
        self._turn = 0
        self.rows: dict[str, Row] = {}

    def look(self, calls: list[Playing]) -> list[tuple[Row, str, str]]:
        """(row, state before, state now) of every call whose state changed."""
        changes: list[tuple[Row, str, str]] = []
        listed = {each["call_sid"]: each for each in self._get(self._api, {"limit": "100"}).get("calls", [])}
        for playing in calls:
            if not playing.call_sid:
                continue
            row = self.rows.setdefault(playing.call_sid, Row(playing))
            call = listed.get(playing.call_sid)
            if call is None:
                continue
            before, row.state = row.state, call["state"]
            row.agent = (call.get("agent") or {}).get("agent_id", "") if isinstance(call.get("agent"), dict) else ""
            row.stream = " ".join(str(part) for part in (call.get("media_stream") or {}).values() if part)
            row.problem = (call.get("problem") or {}).get("id", "")
            if before != row.state:
                changes.append((row, before, row.state))
        self._listen()
        return changes

    def _listen(self) -> None:
        """The last words of a few calls in turn, and of all calls what was heard."""
        talking = [sid for sid, row in self.rows.items() if row.state not in {"ended", "ringing", "waiting"}]
        for sid in talking[self._turn : self._turn + _TRANSCRIPTS_PER_LOOK]:
            utterances = self._get(f"{self._api}/{sid}/transcript", {}).get("utterances", [])
            if utterances:
                self.rows[sid].words = f"{utterances[-1]['role']}: {utterances[-1]['text']}"
        self._turn = 0 if self._turn + _TRANSCRIPTS_PER_LOOK >= len(talking) else self._turn + _TRANSCRIPTS_PER_LOOK
        for sid, row in self.rows.items():
            if row.state != "ended" or not row.is_archived:
                self._hear(sid, row)

    def _hear(self, sid: str, row: Row) -> None:
        seen = self._get(f"{self._asapp}/{sid}", {})
        row.heard = Counter(seen.get("heard_ms", {}))
        row.received = Counter(seen.get("received_ms", {}))
        row.is_archived = any(self._archive.glob(f"*/*/*/{sid}.json"))

    def _get(self, url: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self._session.get(url, params=query, timeout=3)
            return dict(answer.json()) if answer.ok else {}
        except (requests.RequestException, ValueError):
            return {}
