"""The JSON of the desktop API's answers, as types: what is rendered, what is documented and what tests compare with.

Times are RFC 3339 in UTC with milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
CallSid = Annotated[str, Meta(pattern=r"^CA[0-9a-f]{32}$")]
State = Literal[
    "waiting",
    "starting",
    "transcribing",
    "pausing",
    "paused",
    "interrupted",
    "survey",
    "not-transcribed",
    "ended",
]


class _Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all shapes."""


class TranscriptionShown(_Shape, frozen=True, kw_only=True):
    """Transcription at ASAPP: what is known of it, for which agent, since when."""

    state: Literal["off", "starting", "on", "stopping", "unknown"]
    agent_id: str | None
    since: Moment


class StreamShown(_Shape, frozen=True, kw_only=True):
    """The newest media stream at Twilio."""

    name: str | None
    state: Literal["none", "requested", "live", "failed", "stopped", "unknown"]


class PauseShown(_Shape, frozen=True, kw_only=True):
    """A reason not to transcribe that stands. `source`: the key (and agent) that reported it, or `conference`."""

    reason: str
    since: Moment
    source: str


class AgentShown(_Shape, frozen=True, kw_only=True):
    """The current agent: the longest connected one who is not held."""

    id: str
    leg: str | None
    since: Moment | None
    is_held: bool


class CustomerShown(_Shape, frozen=True, kw_only=True):
    """The customer; of a phone number the last four digits."""

    id: str
    is_connected: bool
    is_held: bool


class SegmentShown(_Shape, frozen=True, kw_only=True):
    """One stretch of transcription with one agent."""

    agent_id: str
    start: Moment
    end: Moment | None


class ProblemShown(_Shape, frozen=True, kw_only=True):
    """What is wrong with a call. `gave_up`: nothing more is tried until `retry`."""

    id: str
    since: Moment
    detail: str
    gave_up: bool


class CallShown(_Shape, frozen=True, kw_only=True):
    """A call. `version` grows with every change of it."""

    call_sid: CallSid
    state: State
    direction: str
    created_at: Moment
    updated_at: Moment
    ended_at: Moment | None
    transcription: TranscriptionShown
    media_stream: StreamShown
    pauses: list[PauseShown]
    agent: AgentShown | None
    customer: CustomerShown
    segments: list[SegmentShown]
    problem: ProblemShown | None
    version: int


class CallsShown(_Shape, frozen=True, kw_only=True):
    """A page of calls, newest first. `cursor`: where the next page starts; null: there is none."""

    calls: list[CallShown]
    cursor: str | None


class EntryShown(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One event and the state after it; what is empty is left out. `recorded_at`: when it was stored."""

    name: str
    at: Moment
    recorded_at: Moment
    state: dict[str, Any]
    version: int
    event: dict[str, Any] = {}
    note: str = ""


class TimelineShown(_Shape, frozen=True, kw_only=True):
    """Every event, decision and outcome of a call, oldest first."""

    call_sid: CallSid
    entries: list[EntryShown]


class UtteranceShown(_Shape, frozen=True, kw_only=True, omit_defaults=True):
    """One spoken segment. `segment`: index into the call's segments. `alternative`: a later source's other words."""

    text: str
    role: Literal["customer", "agent"]
    agent_id: str | None
    start: Moment
    end: Moment
    source: Literal["live", "after-call", "batch", "both"]
    segment: int | None
    alternative: str | None = None


class QuarantinedShown(_Shape, frozen=True, kw_only=True):
    """An utterance that was spoken in a pause: never its words, only their length in characters."""

    role: Literal["customer", "agent"]
    start: Moment
    end: Moment
    length: int
    reason: str
    source: Literal["live", "after-call", "batch", "both"]
    segment: int | None


class StretchShown(_Shape, frozen=True, kw_only=True):
    """A stretch of the call; `end` is null while it lasts."""

    start: Moment
    end: Moment | None
    reason: str


class TranscriptShown(_Shape, frozen=True, kw_only=True):
    """Utterances in spoken order; `complete` is null while that cannot be known."""

    call_sid: CallSid
    complete: bool | None
    utterances: list[UtteranceShown]
    gaps: list[StretchShown]
    pauses: list[StretchShown]
    quarantined: list[QuarantinedShown]
    completeness: dict[str, Any]


class ProblemDetails(_Shape, frozen=True, kw_only=True):
    """RFC 9457. `type` is a stable slug."""

    type: str
    title: str
    status: int
