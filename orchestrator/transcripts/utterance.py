"""One utterance as it is kept and shown, and the key by which a repeated message is known.

No message id exists in the real-time messages, so the key is made of stream id, start, end and text (and lives with
its call). Times are milliseconds since the epoch.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from orchestrator.asapp.wire import TranscriptMessage


class Received(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"at": "received_at"}):
    """A real-time message as stored: offsets in its stream, role, words, and when it was received (`at`)."""

    stream_id: str
    role: str
    start_ms: int
    end_ms: int
    text: str
    at: int
    sender_id: str = ""


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """One spoken segment with wall-clock times. `source`: `live` or `after-call`; `segment`: index, or None."""

    text: str
    role: str
    agent_id: str | None
    start: int
    end: int
    source: str
    segment: int | None


def record_of(message: TranscriptMessage, received_at: int) -> tuple[str, dict[str, Any]]:
    """The key and the record to store for a real-time message."""
    parts = (message.stream_id, str(message.start_ms), str(message.end_ms), message.text)
    key = blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()
    record = Received(
        stream_id=message.stream_id,
        role=message.role,
        start_ms=message.start_ms,
        end_ms=message.end_ms,
        text=message.text,
        at=received_at,
        sender_id=message.sender_id,
    )
    return key, msgspec.to_builtins(record)
