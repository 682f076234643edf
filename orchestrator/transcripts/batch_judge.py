"""Which words of the feed the fence takes out: judged by the call in Redis, else by its document in the archive.

Redis forgets a call after `CALL_TTL_DAYS`, and may be emptied; the document still tells pauses, what was quarantined
and what was kept. Where neither tells a segment, nobody knows what was said in a pause, and nothing is told.

The feed may not name the speaker: where the finished call's list does not either, such a row is asked about as either
side's, and one yes takes it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call
from orchestrator.transcripts.archive import Archive
from orchestrator.transcripts.batch_rows import Joined
from orchestrator.transcripts.entry import Entry
from orchestrator.transcripts.fence import Stretch, fenced_by, fingerprint, pauses_of
from orchestrator.transcripts.matching import matched
from orchestrator.transcripts.merge import merged
from orchestrator.transcripts.timing import SHORTLY_MS, length_of_words
from orchestrator.transcripts.view import received_of, secrets_of

if TYPE_CHECKING:
    from orchestrator.services import Services

_SIDES = ("customer", "agent")
_DAY_MS = 86_400_000
_FOREVER = 2**62
_MARK = b"-"

Document = dict[str, Any]


def ms_of(at: str) -> int | None:
    """Of a time as the feed has it; None where it cannot be read."""
    try:
        return (datetime.fromisoformat(at) - datetime(1970, 1, 1)) // timedelta(milliseconds=1)  # noqa: DTZ001  # both are UTC without saying so
    except (ValueError, TypeError):
        return None


def message_of(said: Joined) -> StoredMessage:
    at = ms_of(said.at) or 0
    return StoredMessage(
        message_id=said.message_id,
        role=said.role or "system",
        sender_id=said.sender_id,
        text=said.text,
        sent_at=at,
        created_at=at,
    )


def fenced_by_call(services: Services, call: Call, said: Sequence[Joined]) -> frozenset[str]:
    """Message ids; by all that Redis has of the call."""
    received = received_of(services, call.call_sid)
    stored = services.after_call_messages.of(call.call_sid) or []

    def asked(messages: list[StoredMessage]) -> frozenset[str]:
        return merged(call, received, stored, messages, secrets=secrets_of(services)).message_ids

    sides = {each.message_id: each.role for each in stored}
    timed = [message_of(each) for each in said if ms_of(each.at) is not None]
    timed = [each if each.role in _SIDES else _as(each, sides.get(each.message_id, "system")) for each in timed]
    placed = [each for each in timed if each.role in _SIDES]
    unplaced = [each for each in timed if each.role not in _SIDES]
    fenced = asked(placed)
    for side in _SIDES if unplaced else ():
        found = asked([*placed, *(_as(each, side) for each in unplaced)])
        fenced |= {each.message_id for each in unplaced if each.message_id in found}
    return fenced | _timeless(said, pauses_of(call))


def documents_of(services: Services, call_sid: str, day_start_ms: int) -> list[Document]:
    """What the archive has of a call that was spoken in on this day: it began then or the day before."""
    if not services.settings.archive_url:
        return []
    archive = Archive(services.settings.archive_url)
    found = (archive.document(call_sid, at) for at in (day_start_ms, day_start_ms - _DAY_MS))
    return [each for each in found if each is not None and each.get("segments")]


def fenced_by_documents(documents: Sequence[Document], said: Sequence[Joined]) -> frozenset[str]:
    """Message ids. Words that the document has are told; others not if they were said in a pause or within 10 s of one.

    Of quarantined words no fingerprint is left, and the feed's clock may differ: so the pauses are taken to be longer.
    """
    stretches = sorted((each for one in documents for each in _stretches(one)), key=lambda each: each.start)
    known = [each for one in documents for each in _entries(one)]
    timed = [each for each in said if ms_of(each.at) is not None]
    items = [*(message_of(each) for each in timed if each.role in _SIDES), *_as_either(timed).values()]
    items.sort(key=lambda each: (each.sent_at, each.message_id))
    pairs, skew_ms = matched(known, items, [fingerprint(_MARK, each.role, each.text) for each in items])
    told = {_asked_about(items[index].message_id) for index in pairs}
    ends = {_asked_about(each.message_id): (each.sent_at + skew_ms, length_of_words(each.text)) for each in items}
    fenced = {
        message_id
        for message_id, (end, length) in ends.items()
        if message_id not in told and fenced_by(stretches, end - length, end) is not None
    }
    return frozenset(fenced) | _timeless(said, stretches)


def _stretches(document: Document) -> Iterable[Stretch]:
    for each in (*document["pauses"], *document["quarantined"]):
        end = _FOREVER if each["end"] is None else _instant(each["end"]) + SHORTLY_MS
        yield Stretch(_instant(each["start"]) - SHORTLY_MS, end, each["reason"])
    segments = sorted(document["segments"], key=lambda each: str(each["start"]))
    for each, following in pairwise([*segments, None]):
        if each["end"] is not None:  # nothing was to be transcribed from then on
            yield Stretch(_instant(each["end"]), _instant(following["start"]) if following else _FOREVER, "pause")


def _entries(document: Document) -> Iterable[Entry]:
    """The words that were kept, in either spelling."""
    for each in document["utterances"]:
        for text in (each["text"], each.get("alternative")):
            if text:
                mark = fingerprint(_MARK, each["role"], text)
                yield Entry(each["role"], text, _instant(each["start"]), _instant(each["end"]), each["source"], mark)


def _instant(told: str) -> int:
    return (datetime.fromisoformat(told) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _as(message: StoredMessage, role: str) -> StoredMessage:
    return msgspec.structs.replace(message, role=role)


def _as_either(timed: Iterable[Joined]) -> dict[str, StoredMessage]:
    """Rows of neither side, by ids of their own, once as the customer's and once as the agent's."""
    return {
        name: msgspec.structs.replace(_as(message_of(each), role), message_id=name)
        for each in timed
        if each.role not in _SIDES
        for role in _SIDES
        for name in (f"{each.message_id}\x1f{role}",)
    }


def _asked_about(message_id: str) -> str:
    return message_id.partition("\x1f")[0]


def _timeless(said: Iterable[Joined], pauses: Sequence[Stretch]) -> frozenset[str]:
    """Where there were pauses, what has no time is taken for spoken in one."""
    return frozenset(each.message_id for each in said if pauses and ms_of(each.at) is None)
