"""The list of messages after a call (ASAPP: OpenAPI conversations, getMessagesByExternalId).

At most 1,000 messages, for 7 days after the conversation is complete. When it is complete, and what is
answered before, ASAPP does not say: see the switches ``messages-...``.
"""

import random
from datetime import UTC, datetime
from typing import Final

from orchestrator.emulators.asapp.calls import Call, Spoken
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.transcripts import shown_text
from orchestrator.emulators.asapp.wire import Refusal

_BASE32: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_TIME_CHARS: Final = 10
_ULID_RANDOM_CHARS: Final = 16
_KEPT_S: Final = 7 * 86400


def message(spoken: Spoken, now: float, source: random.Random) -> dict[str, object]:
    """Return one utterance as the list will show it."""
    created = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "messageId": _ulid(now, source),
        "text": shown_text(spoken.session, spoken.utterance.text),
        "sender": {"role": spoken.role, "externalId": spoken.session.sender(spoken.role)},
        "createdTimestamp": created,
        "clientTimestamp": created,
    }


def listed(call: Call | None, now: float, switches: Switches, speed: float) -> dict[str, object]:
    """Return the body of the answer, or refuse with 404."""
    if call is None or _is_expired(call, now):
        return _nothing(switches.word("messages-unknown"))
    items = call.messages
    if not _is_complete(call, now, switches, speed):
        items = items[: len(items) - (len(items) + 3) // 4]
        if switches.word("messages-before-complete") != "partial":
            return _nothing(switches.word("messages-before-complete"))
    cap = int(switches.number("messages-cap"))
    kept = items[:cap] if switches.word("messages-kept") == "first" else items[max(0, len(items) - cap) :]
    if switches.word("messages-order") == "unordered":
        kept = kept[1::2] + kept[::2]
    return {"items": [_item(each, switches) for each in kept]}


def _nothing(answer: str) -> dict[str, object]:
    if answer == "404":
        raise Refusal(404, "404-01", "conversation not found")
    return {"items": []}


def _is_complete(call: Call, now: float, switches: Switches, speed: float) -> bool:
    waits_s = switches.number("messages-complete-after-s") / speed
    return call.closed_at is not None and now >= call.closed_at + waits_s


def _is_expired(call: Call, now: float) -> bool:
    return call.closed_at is not None and now > call.closed_at + _KEPT_S


def _item(stored: dict[str, object], switches: Switches) -> dict[str, object]:
    item = dict(stored)
    sender = stored["sender"]
    if isinstance(sender, dict) and switches.word("messages-external-id") != "present":
        item["sender"] = {"role": sender["role"]}
        if switches.word("messages-external-id") == "null":
            item["sender"] = {"role": sender["role"], "externalId": None}
    if switches.word("messages-timestamps") == "one":
        item["timestamp"] = item.pop("createdTimestamp")
        del item["clientTimestamp"]
    return item


def _ulid(now: float, source: random.Random) -> str:
    stamp = int(now * 1000)
    head = "".join(_BASE32[stamp >> (5 * place) & 31] for place in reversed(range(_ULID_TIME_CHARS)))
    return head + "".join(source.choices(_BASE32, k=_ULID_RANDOM_CHARS))
