"""ASAPP's messages in our words: the real-time transcript webhook and the stored messages of a finished call.

Sources: ASAPP's Twilio guide, real-time transcript messages; OpenAPI `conversations`. Fields may be added at any time
and the shapes of detailed tokens and of double redaction are not documented, so all that is unknown is kept as it came
(`extras`) and only what the documentation calls present is required. Offsets are milliseconds from the start of the
audio of that stream or segment; ASAPP's guides disagree on whether an end does, too, or counts from its own utterance's
beginning, so it is kept as it came. Times are milliseconds since the epoch.

Parsing raises `WireError` and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

_MAX_MS = 2**53
_ROLES = ("customer", "agent")
_SENDERS = (*_ROLES, "system")


class WireError(Exception):
    """Not the documented format. The message says what is wrong without quoting any text of the conversation."""


class UnknownType(WireError):  # noqa: N818  # not wrong, only not ours
    """A message of a type that this service does not know: answered and counted, otherwise left alone."""


class TranscriptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance as it is heard. `extras` keeps what the message holds beyond these fields."""

    call_sid: str
    stream_id: str
    role: str
    sender_id: str
    start_ms: int
    end_ms: int
    text: str
    extras: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"TranscriptMessage({self.call_sid}, {self.role}, {self.start_ms}-{self.end_ms}, text hidden)"


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a finished call. It has no offsets and no stream; `sent_at` orders.

    `is_scrubbed`: its words were thrown away by us; ASAPP's may be empty, too.
    """

    message_id: str
    role: str
    sender_id: str
    text: str
    sent_at: int
    created_at: int
    is_scrubbed: bool = False

    def __repr__(self) -> str:
        return f"StoredMessage({self.message_id}, {self.role}, text hidden)"


def transcript_message(body: bytes) -> TranscriptMessage:
    """The webhook's body. Raises `UnknownType` for another `type`, `WireError` for what is not the format."""
    message = _object(_decoded(body), "body")
    if not isinstance(message.get("type"), str):
        raise WireError("type: no text")
    if message["type"] != "transcript":
        raise UnknownType("type: not transcript")
    sender = _object(message.get("sender"), "sender")
    heard = _object(message.get("autotranscribeResponse"), "autotranscribeResponse")
    start = _milliseconds(heard.get("start"), "start")
    end = _milliseconds(heard.get("end"), "end")
    return TranscriptMessage(
        call_sid=_text(message.get("externalConversationId"), "externalConversationId"),
        stream_id=_text(message.get("streamId") or "", "streamId", is_needed=False),
        role=_one_of(sender.get("role"), _ROLES, "sender.role"),
        sender_id=_text(sender.get("externalId") or "", "sender.externalId", is_needed=False),
        start_ms=start,
        end_ms=end,
        text=_utterance_text(heard.get("utterance")),
        extras=_extras(message, heard),
    )


def stored_messages(body: bytes) -> list[StoredMessage]:
    """The items of the messages answer. An item that cannot be read fails the whole: a hole must not go unseen."""
    items = _object(_decoded(body), "body").get("items")
    if not isinstance(items, list):
        raise WireError("items: no list")
    return [_stored(_object(item, "item")) for item in items]


def _stored(item: dict[str, Any]) -> StoredMessage:
    sender = _object(item.get("sender"), "sender")
    older = item.get("timestamp")  # an older edition of the API has this one instead of the two
    created = _instant(item.get("createdTimestamp") or item.get("clientTimestamp") or older)
    return StoredMessage(
        message_id=_text(item.get("messageId"), "messageId"),
        role=_one_of(sender.get("role"), _SENDERS, "sender.role"),
        sender_id=_text(sender.get("externalId") or "", "sender.externalId", is_needed=False),
        text=_text(item.get("text"), "text", is_needed=False),
        sent_at=_instant(item.get("clientTimestamp") or item.get("createdTimestamp") or older),
        created_at=created,
    )


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise WireError("body: not JSON") from None


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WireError(f"{name}: no object")
    return value


def _text(value: object, name: str, *, is_needed: bool = True) -> str:
    if not isinstance(value, str) or (is_needed and not value):
        raise WireError(f"{name}: no text")
    return value


def _one_of(value: object, allowed: tuple[str, ...], name: str) -> str:
    if not isinstance(value, str) or value.lower() not in allowed:
        raise WireError(f"{name}: unknown")
    return value.lower()


def _milliseconds(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_MS:
        raise WireError(f"{name}: no offset in milliseconds")
    return int(value)


def _utterance_text(utterance: object) -> str:
    """The text of the first alternative that has one, else its tokens put together (detailed tokens)."""
    entries = utterance if isinstance(utterance, list) else [utterance]
    objects = [entry for entry in entries if isinstance(entry, dict)]
    for entry in objects:
        if isinstance(entry.get("text"), str):
            return str(entry["text"])
    tokens = [token for entry in objects for token in _tokens(entry)]
    if not tokens:
        raise WireError("utterance: no text")
    return " ".join(_word(token) for token in tokens)


def _tokens(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """`tokens: [...]`, `token: [...]`, `token: {...}`, or the entry is a token itself."""
    found = entry.get("tokens", entry.get("token", entry))
    candidates = found if isinstance(found, list) else [found]
    return [token for token in candidates if isinstance(token, dict) and isinstance(token.get("content"), str)]


def _word(token: dict[str, Any]) -> str:
    before, after = token.get("punctuationBefore"), token.get("punctuationAfter")
    return f"{before if isinstance(before, str) else ''}{token['content']}{after if isinstance(after, str) else ''}"


def _extras(message: dict[str, Any], heard: dict[str, Any]) -> dict[str, Any]:
    known = {"type", "externalConversationId", "streamId", "sender", "autotranscribeResponse"}
    extras = {name: value for name, value in message.items() if name not in known}
    beside = {name: value for name, value in heard.items() if name not in {"message", "start", "end", "utterance"}}
    if beside:
        extras["autotranscribeResponse"] = beside
    utterance = heard.get("utterance")
    is_plain = isinstance(utterance, list) and len(utterance) == 1 and set(utterance[0]) == {"text"}
    if not is_plain:
        extras["utterance"] = utterance
    return extras


def _instant(value: object) -> int:
    if not isinstance(value, str):
        raise WireError("timestamp: no text")
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise WireError("timestamp: no date and time") from None
