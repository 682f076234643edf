"""The processes of the Procfile and a real Redis, beside vendors that agree to everything (`stub_vendors.py`).

Calls are put straight into the store, talking: their media streams exist in what we know only.
"""

from __future__ import annotations

import secrets
import sys
from typing import Any

from orchestrator.core import events as e
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from tests.e2e.harness import Site
from tests.e2e.processes import free_port, poll, start


class StubSite(Site):
    """A `Site` without emulators. `start_ms`: how long start-streaming takes at ASAPP."""

    def __init__(self, *, start_ms: float = 0, environment: dict[str, str] | None = None) -> None:
        super().__init__(environment={"LOG_LEVEL": "warning", **(environment or {})})
        self._start_ms = start_ms

    def _start_emulators(self) -> None:
        port = free_port()
        command = [sys.executable, "benchmarks/stub_vendors.py", "--port", str(port), "--start-ms", str(self._start_ms)]
        self.processes.append(start("vendors", command, self.folder))
        self.asapp_url = self.twilio_url = f"http://127.0.0.1:{port}"
        poll(self._has_vendors, 20, "the vendors serve")

    def _has_vendors(self) -> bool:
        try:
            return self.http.get(f"{self.asapp_url}/_asked", params={"part": "none"}, timeout=5).ok
        except OSError:
            return False

    def _configure(self, number: str) -> None:
        """These vendors know no numbers."""

    def services(self) -> Services:
        """As a process of the service has them; the caller closes them."""
        return build(Settings.from_environment(self.environment()))

    def arrivals(self, part: str) -> dict[str, list[float]]:
        """When each call was asked about, by `time.time()`; `part` is the last of the path."""
        found: dict[str, list[float]] = {}
        rows: list[tuple[str, float]] = self.http.get(
            f"{self.asapp_url}/_asked", params={"part": part}, timeout=20
        ).json()
        for guid, at in rows:
            found.setdefault(guid, []).append(at)
        return found


def waiting_call(services: Services, **changes: Any) -> str:
    """A caller with a live media stream whom no agent has taken yet."""
    sid, now = f"CA{secrets.token_hex(16)}", services.clock.now_ms()
    profile = services.profiles.default
    fields = {"customer_number": "+15555550101", "called_number": "+15555550100", "customer_id": sid, **changes}
    services.store.begin(e.CallArrived(at=now, call_sid=sid, profile=profile, has_stream_url=True, **fields))
    services.store.apply(sid, e.StreamStarted(at=now, name="asapp-1", sid=f"MZ{secrets.token_hex(16)}"))
    return sid


def agent_comes(services: Services, sid: str) -> None:
    """From here on transcription is wanted."""
    services.store.apply(sid, e.AgentConnected(at=services.clock.now_ms(), agent_id="amy"))
