"""The service beside an emulated ASAPP with feeds, for tests of a day's export."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import requests

from orchestrator.core.call import Call
from orchestrator.services import Services
from orchestrator.transcripts.batch import export_day
from orchestrator.transcripts.batch_feed import Pace
from orchestrator.transcripts.batch_nightly import Nightly
from orchestrator.transcripts.batch_output import Format, Target
from tests.unit.transcripts.conversations import T0, given_call

if TYPE_CHECKING:
    from tests.integration.transcripts.conftest import Office

TODAY = (datetime.now(UTC) - timedelta(hours=3)).date()
DAY = (TODAY - timedelta(days=1)).isoformat()
NINE_S = datetime.fromisoformat(DAY).replace(tzinfo=UTC).timestamp() + 9 * 3600
SIDS = ["CA" + str(number) * 32 for number in range(1, 6)]


@dataclass
class Site:
    """The service beside an emulated ASAPP with feeds."""

    services: Services
    office: Office
    asapp: str
    folder: Path
    waited: list[float] = field(default_factory=list)

    def control(self, path: str, body: Any) -> None:
        answer = requests.post(f"{self.asapp}/_emulator/{path}", json=body, timeout=20)
        assert answer.status_code < 300, answer.text

    def asked(self, path: str) -> int:
        told = requests.get(f"{self.asapp}/_emulator/requests", timeout=20).json()
        return sum(path in each["path"] for each in told)

    def switch(self, **values: str | int) -> None:
        self.control("switches", {name.replace("_", "-"): str(value) for name, value in values.items()})

    def plant(self, *rows: dict[str, Any], day: str = DAY, generate: int = 0, lacks: tuple[str, ...] = ()) -> None:
        self.control("feeds", {"date": day, "rows": rows, "generate": generate, "lacks": lacks})

    def export(self, form: Format = "jsonl", pace: Pace | None = None, day: str = DAY) -> dict[str, Any]:
        target = Target(str(self.folder / "out"), day, form)
        return export_day(self.services, target, self.folder / "work", pace or Pace(wait=self.waited.append))

    def written(self, day: str = DAY) -> list[dict[str, Any]]:
        text = (self.folder / "out" / f"utterances-{day}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def call(self, sid: str, *pauses: tuple[int, int | None, str], promised: int = 1) -> Call:
        """A call of the day, from nine o'clock on, that Redis knows."""
        shift = int(NINE_S * 1000) - T0
        made = given_call(*pauses, promised=promised)
        moved: Call = msgspec.convert(_moved(msgspec.to_builtins(made), shift), Call)
        call = msgspec.structs.replace(moved, call_sid=sid)
        self.office.put(call)
        return call


def _moved(value: Any, shift: int) -> Any:
    """Every moment in it moved by so many milliseconds."""
    if isinstance(value, dict):
        return {name: _moved(each, shift) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_moved(each, shift) for each in value]
    return value + shift if isinstance(value, int) and not isinstance(value, bool) and value > T0 // 2 else value


def said(
    sid: str, number: int, text: str, role: str = "customer", after_s: float = 10.0, **more: Any
) -> dict[str, Any]:
    at = NINE_S + after_s + number
    return {"call_sid": sid, "message_id": f"01M{number:05d}", "text": text, "role": role, "at": at, **more}


def nightly(site: Site, stopping: threading.Event | None = None, hour: int = 2, days_ago: int = 0) -> Nightly:
    """A worker's, at that hour of today, or of a day before."""
    night = Nightly(site.services, stopping or threading.Event(), site.folder / "work")
    at = datetime.combine(TODAY, datetime.min.time(), UTC) + timedelta(hours=hour - 24 * days_ago, minutes=5)
    night._now_ms = lambda: int(at.timestamp() * 1000)  # type: ignore[method-assign]  # the one thing that a test sets
    return night
