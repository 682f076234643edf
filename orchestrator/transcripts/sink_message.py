"""What the sink's receiver gets, and how it knows that it came from us: Standard Webhooks (standardwebhooks.com).

    transcript.updated     a call has ended; its transcript so far (`complete` is false or null); more may follow
    transcript.completed   all of it
    call.forgotten         it was erased here: erase what these messages brought

The first two carry the archive's document less its timeline under `data`, the last one the call's SID alone.
`webhook-id` names the message and is the same at each attempt; `webhook-signature` has one signature for each secret
that is valid now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from standardwebhooks import Webhook

from orchestrator.shown import moment

UPDATED, COMPLETED, FORGOTTEN, TEST = "transcript.updated", "transcript.completed", "call.forgotten", "sink.test"
_NOT_SENT = ("timeline",)


@dataclass(frozen=True)
class Content:
    """What there is to tell of one call. Two that are the same have the same `digest`."""

    kind: str
    data: dict[str, Any]

    @property
    def digest(self) -> str:
        return blake2b(msgspec.json.encode(self.data, order="deterministic"), digest_size=16).hexdigest()

    def body(self, made_at: int) -> bytes:
        """`made_at` (ms): when it was first to be sent."""
        return msgspec.json.encode({"type": self.kind, "timestamp": moment(made_at), "data": self.data})


def content_of(document: dict[str, Any]) -> Content:
    """`document`: the call's archive document."""
    kind = COMPLETED if document.get("complete") is True else UPDATED
    return Content(kind, {name: value for name, value in document.items() if name not in _NOT_SENT})


def forgotten(call_sid: str) -> Content:
    """No word of the call, only which one it was."""
    return Content(FORGOTTEN, {"call_sid": call_sid})


def headers(message_id: str, at_ms: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """`at_ms`: of this attempt."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    signatures = [Webhook(secret).sign(message_id, at, body.decode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_ms // 1000),
        "webhook-signature": " ".join(signatures),
    }
