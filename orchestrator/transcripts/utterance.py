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

LIVE, AFTER_CALL, BATCH, BOTH = "live", "after-call", "batch", "both"


class Received(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"at": "received_at"}):
    """A real-time message as stored: offsets in its stream, role, words, and when it was received (`at`).

    Once quarantined, `text` is empty and what is left of the words is their `length` in characters and their
    `fingerprints` (see `fence`). `key` is the one under which it is stored.
    """

    stream_id: str
    role: str
    start_ms: int
    end_ms: int
    text: str
    at: int
    sender_id: str = ""
    key: str = ""
    length: int = 0
    fingerprints: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Received({self.role}, {self.start_ms}-{self.end_ms}, text hidden)"


class Utterance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One spoken segment with wall-clock times.

    `source`: `live`, `after-call`, `batch`, or `both` for what came live and again later; `segment`: index, or None;
    `alternative`: how a later source wrote the same words where it differs.
    """

    text: str
    role: str
    agent_id: str | None
    start: int
    end: int
    source: str
    segment: int | None
    alternative: str | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an utterance that the fence kept out: never its words. `length` counts characters."""

    role: str
    start: int
    end: int
    length: int
    reason: str
    source: str
    segment: int | None


def record_of(message: TranscriptMessage, received_at: int) -> tuple[str, dict[str, Any]]:
    """The key and the record to store for a real-time message."""
    parts = (message.stream_id, str(message.start_ms), str(message.end_ms), message.text)
    key = blake2b("\x1f".join(parts).encode(errors="surrogatepass"), digest_size=12).hexdigest()
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
