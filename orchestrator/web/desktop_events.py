"""The body of `POST /api/v1/calls/{call_sid}/events` and the event that it means.

Unknown fields are ignored; everything known is checked. `occurred_at` is the desktop's own clock: it is shown and
orders, but counts for at most 5 s around receipt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import msgspec

from orchestrator.core import events
from orchestrator.core.applied.desktop import CONSENT
from orchestrator.errors import OrchestratorError
from orchestrator.web.context import CALL_SID

CLAMP_MS = 5000
_REASON = re.compile(r"[a-z-]{1,32}\Z")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,128}\Z")
_MAX_SEQUENCE = 2**53


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A body that passed all checks."""

    type: str
    agent_id: str | None = None
    agent_leg: str | None = None
    reason: str | None = None
    occurred_at: str | None = None
    event_id: str | None = None
    sequence: int | None = None
    source: str = "api"

    def event(self, at: int) -> events.Event:
        """What it means, received at this time (ms)."""
        return TYPES[self.type](self, self._common(at))

    def _common(self, at: int) -> Common:
        occurred = None if self.occurred_at is None else _milliseconds(self.occurred_at)
        if occurred is not None:
            occurred = min(max(occurred, at - CLAMP_MS), at + CLAMP_MS)
        event_id = None if self.event_id is None else f"{self.source}:{self.event_id}"
        return Common(at, occurred, event_id, self.sequence, self.source)


class Common(msgspec.Struct, frozen=True):
    """What every event of the desktop carries."""

    at: int
    occurred_at: int | None
    event_id: str | None
    sequence: int | None
    source: str


def _invalid(what: str) -> OrchestratorError:
    return OrchestratorError("invalid-event", what)


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return round(moment.timestamp() * 1000)


Builder = Callable[[Reported, Common], events.Event]


def _plain(kind: Callable[..., events.Event]) -> Builder:
    return lambda _, common: kind(**msgspec.structs.asdict(common))


def _connected(reported: Reported, common: Common) -> events.Event:
    return events.AgentConnected(
        agent_id=reported.agent_id or "", agent_leg=reported.agent_leg, **msgspec.structs.asdict(common)
    )


def _disconnected(reported: Reported, common: Common) -> events.Event:
    return events.AgentDisconnected(
        agent_id=reported.agent_id, agent_leg=reported.agent_leg, **msgspec.structs.asdict(common)
    )


def _pause(reported: Reported, common: Common) -> events.Event:
    return events.PauseRequested(reason=reported.reason or "manual", **msgspec.structs.asdict(common))


def _resume(reported: Reported, common: Common) -> events.Event:
    return events.PauseLifted(reason=reported.reason or "manual", **msgspec.structs.asdict(common))


TYPES: dict[str, Builder] = {
    "agent-connected": _connected,
    "agent-disconnected": _disconnected,
    "hold": _plain(events.HoldReported),
    "unhold": _plain(events.UnholdReported),
    "pause": _pause,
    "resume": _resume,
    "consent-given": _plain(events.ConsentGiven),
    "consent-withdrawn": _plain(events.ConsentWithdrawn),
    "call-ended": _plain(events.CallEndReported),
    "survey-transfer": _plain(events.SurveyTransferRequested),
    "retry": _plain(events.RetryRequested),
}


def parse(body: bytes, *, source: str) -> Reported:
    """The event that a body reports; raises `invalid-event` that says what is wrong."""
    try:
        document = msgspec.json.decode(body)
        if not isinstance(document, dict):
            raise _invalid("The body must be a JSON object")
        reported = msgspec.convert({**document, "source": source}, Reported)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid("The body must be JSON") from error
    fault = _fault(reported)
    if fault is not None:
        raise _invalid(fault)
    return reported


def _fault(reported: Reported) -> str | None:
    if reported.type not in TYPES:
        return f"type must be one of: {', '.join(TYPES)}"
    if reported.type == "agent-connected" and not reported.agent_id:
        return "agent-connected needs agent_id"
    for name in ("agent_id", "event_id"):
        value = getattr(reported, name)
        if value is not None and not _NAME.match(value):
            return f"{name} must be 1 to 128 printable characters"
    if reported.agent_leg is not None and not CALL_SID.match(reported.agent_leg):
        return "agent_leg must be a Call SID"
    if reported.reason is not None and not _REASON.match(reported.reason):
        return "reason must be 1 to 32 characters of a-z and -"
    if reported.reason == CONSENT and reported.type in {"pause", "resume"}:
        return "consent is withdrawn and given by consent-withdrawn and consent-given"
    if reported.sequence is not None and not 0 <= reported.sequence < _MAX_SEQUENCE:
        return "sequence must be a whole number from 0"
    return _time_fault(reported.occurred_at)


def _time_fault(text: str | None) -> str | None:
    try:
        if text is not None:
            _milliseconds(text)
    except (ValueError, OverflowError):
        return "occurred_at must be an RFC 3339 time with its offset"
    return None
