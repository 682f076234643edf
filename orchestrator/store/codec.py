"""Calls and events as JSON, and a call's state in a line for its timeline."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.core.call import SCHEMA, Call
from orchestrator.core.desired import state_of as word_of
from orchestrator.core.events import Event
from orchestrator.store.errors import CallTooNew, CallUnreadable

_encoder = msgspec.json.Encoder()
_calls = msgspec.json.Decoder(Call)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(value: Call | Event | dict[str, Any]) -> bytes:
    return _encoder.encode(value)


def decode_call(document: bytes, call_sid: str = "") -> Call:
    """Fields that this release does not know are ignored. Raises CallTooNew, CallUnreadable."""
    try:
        call = _calls.decode(document)
    except msgspec.DecodeError as error:
        schema = _schema_of(document)
        raise CallTooNew(call_sid, schema) if schema > SCHEMA else CallUnreadable(call_sid, str(error)) from error
    if call.schema > SCHEMA:
        raise CallTooNew(call_sid, call.schema)
    return call


def _schema_of(document: bytes) -> int:
    try:
        return msgspec.json.decode(document, type=_Numbered).schema
    except msgspec.DecodeError:
        return 0


def decode_event(text: bytes) -> Event | None:
    """None for an event that this release does not know: a timeline outlives releases."""
    try:
        return _events.decode(text)
    except msgspec.DecodeError:
        return None


def name_in(text: bytes) -> str:
    """The event's name, known to this release or not."""
    try:
        return msgspec.json.decode(text, type=_Named).event
    except msgspec.DecodeError:
        return "unknown"


class _Named(msgspec.Struct):
    event: str = "unknown"


class _Numbered(msgspec.Struct):
    schema: int = 0


def state_of(call: Call) -> dict[str, Any]:
    """What a reader of a timeline wants to see change, small; left out where empty."""
    stream = call.current_stream
    connected = [agent.id for agent in call.agents if agent.connected_since is not None]
    told = {
        "state": word_of(call),
        "progress": str(call.progress),
        "transcription": str(call.transcription.state),
        "transcribed_agent": call.transcription.agent_id,
        "stream": str(stream.state) if stream else None,
        "stream_name": stream.name if stream else None,
        "agents": connected,
        "pauses": [pause.reason for pause in call.pauses],
        "survey": call.survey.redirect if call.survey else None,
        "in_flight": call.in_flight.attempt if call.in_flight else None,
        "problem": call.problem.id if call.problem else None,
    }
    return {name: value for name, value in told.items() if value not in (None, [])}
