"""The body of `POST /api/v1/calls/{call_sid}/events` and the event that it means.

Unknown fields are ignored; everything known is checked. `occurred_at` is the desktop's own clock: it is shown and
orders, but counts for at most 5 s around receipt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated

import msgspec

from orchestrator.core import events
from orchestrator.core.applied.desktop import CONSENT
from orchestrator.errors import OrchestratorError
from orchestrator.web.bodies import json_object
from orchestrator.web.context import CALL_SID

CLAMP_MS = 5000
_REASON_PATTERN = r"[a-z-]{1,32}"
_NAME_PATTERN = r"[^\x00-\x1f\x7f]{1,128}"
_REASON = re.compile(_REASON_PATTERN + r"\Z")
_NAME = re.compile(_NAME_PATTERN + r"\Z")
_MAX_SEQUENCE = 2**53


def _text(**schema: object) -> msgspec.Meta:
    """What OpenAPI says of a text; `_fault` is what checks it."""
    return msgspec.Meta(extra_json_schema=dict(schema))


Name = Annotated[str, _text(pattern=f"^{_NAME_PATTERN}$")]


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """A fact or a command. `agent-connected` needs `agent_id`; `reason` is for `pause` and `resume` (`manual`)."""

    type: Annotated[str, _text(enum=list(TYPES))]
    agent_id: Name | None = None
    agent_leg: Annotated[str, _text(pattern="^CA[0-9a-f]{32}$")] | None = None
    reason: Annotated[str, _text(pattern=f"^{_REASON_PATTERN}$")] | None = None
    occurred_at: Annotated[str, _text(format="date-time")] | None = None
    event_id: Name | None = None
    sequence: Annotated[int, _text(minimum=0, maximum=_MAX_SEQUENCE - 1)] | None = None


class Reported(EventBody, frozen=True, kw_only=True):
    """A body that passed all checks. `source`: whose report it is."""

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
    document = json_object(body, "invalid-event")
    try:
        reported = msgspec.convert({**document, "source": source}, Reported)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
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


def _told_of(types: Iterable[str], **more: object) -> dict[str, object]:
    return {"properties": {"type": {"enum": list(types)}, **more}}


_REPORTS_AGENT, _HAVE_REASON = frozenset({"agent-connected"}), frozenset({"pause", "resume"})
DescribedBody = Annotated[
    EventBody,
    _text(
        anyOf=[
            {**_told_of(_REPORTS_AGENT, agent_id={"type": "string"}), "required": ["agent_id"]},
            _told_of(sorted(_HAVE_REASON), reason={"not": {"const": CONSENT}}),
            _told_of(each for each in TYPES if each not in _REPORTS_AGENT | _HAVE_REASON),
        ]
    ),
]
"""With what the fields' types cannot say: which of them a type needs."""
