"""How times and events are shown to people and programs, in the API and in the archive alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from orchestrator.core.events import Event
from orchestrator.log import clean

_WHO = frozenset(
    (
        "customer_id",
        "customer_number",
        "called_number",
        "identity",
        "device_identity",
        "parent_identity",
        "parent_called",
    )
)
"""Fields that may hold a phone number."""


def moment(ms: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 in UTC, `2026-01-02T03:04:05.678Z`; None stays None."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_json(event: Event | None) -> dict[str, Any]:
    """An event of a timeline: phone numbers to their last four digits as in logs, without the call's profile."""
    told: dict[str, Any] = msgspec.to_builtins(event) if event is not None else {}
    return {name: clean(name, value) if name in _WHO else value for name, value in told.items() if name != "profile"}
