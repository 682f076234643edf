"""One transcript from the real-time messages, the messages of the finished call and the batch feed.

The later sources have no offsets and no stream id, so a match is by role, words and time; near-duplicates (the same
words written a little differently) match when they are close in time too. What only one source has is kept from it;
nothing is lost and nothing is told twice. The fence stands in front of everything that comes out: see `fence`.

Order and repetition of what is given do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call, Segment
from orchestrator.transcripts.entry import Entry, length_of
from orchestrator.transcripts.fence import Stretch, fenced_by, fingerprint, fingerprints, pauses_of
from orchestrator.transcripts.matching import LONG_WORDS, NEAR_MS, matched
from orchestrator.transcripts.timing import length_of_words, segment_of, times_of
from orchestrator.transcripts.utterance import AFTER_CALL, BATCH, BOTH, LIVE, Quarantined, Received, Utterance


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`utterances` in spoken order and what was `quarantined`; which stored words have to go for that.

    `keys`: of real-time records; `message_ids`: of messages of the later sources; `instead`: the words to keep of such
    a message that is an utterance but may tell more.
    """

    utterances: list[Utterance]
    quarantined: list[Quarantined]
    keys: frozenset[str]
    message_ids: frozenset[str]
    instead: dict[str, str]
    live: dict[str, int]
    """How many were heard in real time, by role, the quarantined included."""
    total: dict[str, int]
    """The same over all sources."""


def merged(
    call: Call,
    received: Iterable[Received],
    stored: Iterable[StoredMessage] = (),
    batch: Iterable[StoredMessage] = (),
    *,
    secrets: Sequence[bytes] = (b"",),
) -> Merged:
    """`secrets` are those of the fingerprints (`fence.fingerprint`); one that has not changed is enough."""
    pauses, secret = pauses_of(call), secrets[0]
    live, stored, batch = _once(received), list(stored), list(batch)
    live = _known_again(live, [*live, *stored, *batch], secrets)
    entries = [heard(each, start, end, pauses, secret) for each, start, end in times_of(call, live)]
    entries.sort(key=_order)
    for source, messages in ((AFTER_CALL, stored), (BATCH, batch)):
        entries = _with(entries, source, messages, pauses, secret)
    kept = [each for each in entries if each.reason is None]
    out = [each for each in entries if each.reason is not None]
    gone = chain.from_iterable([*(each.messages for each in out), *(each.overlong for each in kept)])
    return Merged(
        utterances=[utterance_of(call, each) for each in kept],
        quarantined=[_quarantined(call, each) for each in out],
        keys=frozenset(each.received.key for each in out if each.received is not None and each.received.text),
        message_ids=frozenset(message.message_id for message in gone if message.text),
        instead={message.message_id: each.text for each in kept for message in each.overlong},
        live=_counted(each.role for each in entries if each.received is not None),
        total=_counted(each.role for each in entries),
    )


def _once(received: Iterable[Received]) -> list[Received]:
    """Repeated deliveries count once, as first received; in an order that does not depend on the given one."""
    found: dict[tuple[str, int, int, str, tuple[str, ...]], Received] = {}
    for each in received:
        same = (each.stream_id, each.start_ms, each.end_ms, each.text, each.fingerprints)
        if same not in found or each.at < found[same].at:
            found[same] = each
    return sorted(found.values(), key=lambda each: (each.at, each.stream_id, each.start_ms, each.end_ms, each.text))


def _known_again(
    live: list[Received], told: Iterable[Received | StoredMessage], secrets: Sequence[bytes]
) -> list[Received]:
    """Records whose words were thrown away: with the fingerprint that those words have now, if they are told again."""
    if not any(each.fingerprints for each in live):
        return live
    now = {
        mark: marks[0]
        for each in told
        if each.text
        for marks in (fingerprints(secrets, each.role, each.text),)
        for mark in marks
    }
    return [_remarked(each, now) if each.fingerprints else each for each in live]


def _remarked(record: Received, now: Mapping[str, str]) -> Received:
    known = [now[mark] for mark in record.fingerprints if mark in now]
    return msgspec.structs.replace(record, fingerprints=(*known, *record.fingerprints))


def heard(message: Received, start: int, end: int, pauses: Sequence[Stretch], secret: bytes) -> Entry:
    """A real-time message as an entry; its `reason` is set where the fence keeps it out."""
    is_scrubbed = bool(message.fingerprints)
    return Entry(
        role=message.role,
        text=message.text,
        start=start,
        end=end,
        source=LIVE,
        print=message.fingerprints[0] if is_scrubbed else fingerprint(secret, message.role, message.text),
        reason=fenced_by(pauses, start, end) or ("pause" if is_scrubbed else None),
        received=message,
    )


def _with(
    entries: list[Entry], source: str, messages: Iterable[StoredMessage], pauses: Sequence[Stretch], secret: bytes
) -> list[Entry]:
    """The entries with one later source laid over them."""
    spoken = (each for each in messages if each.role != "system" and (each.text.strip() or each.is_scrubbed))
    unique = {each.message_id: each for each in spoken}
    items = sorted(unique.values(), key=lambda each: (each.sent_at, each.message_id))
    prints = [fingerprint(secret, each.role, each.text) if each.text else "" for each in items]
    pairs, skew_ms = matched(entries, items, prints)
    known_fenced = {entry.print for entry in entries if entry.reason is not None}
    known_kept = {entry.print for entry in entries if entry.reason is None}
    new: list[Entry] = []
    for index, (message, mark) in enumerate(zip(items, prints, strict=True)):
        end = message.sent_at + skew_ms
        start = end - length_of_words(message.text)
        if index in pairs:
            same = pairs[index]
            is_by_pause = _is_by_pause(pauses, min(start, same.start), max(end, same.end))
            same.add(message, BOTH, is_by_pause=is_by_pause)
            continue
        is_repeat = mark in known_fenced - known_kept and len(message.text.split()) >= LONG_WORDS
        reason = fenced_by(pauses, start, end) or ("pause" if is_repeat or message.is_scrubbed else None)
        entry = Entry(message.role, message.text, start, end, source, mark, reason)
        entry.messages.append(message)
        new.append(entry)
    return sorted([*entries, *new], key=_order)


def _is_by_pause(pauses: Iterable[Stretch], start: int, end: int) -> bool:
    """Whether words beside this may have been said in a pause, as far as the times of a later source are known."""
    return any(pause.start - NEAR_MS < end and start < pause.end + NEAR_MS for pause in pauses)


def _order(entry: Entry) -> tuple[int, int, str, str]:
    return entry.start, entry.end, entry.role, entry.text


def _counted(roles: Iterable[str]) -> dict[str, int]:
    counts = {"customer": 0, "agent": 0}
    for role in roles:
        counts[role] = counts.get(role, 0) + 1
    return counts


def utterance_of(call: Call, entry: Entry) -> Utterance:
    segment = _segment_at(call, entry)
    return Utterance(
        text=entry.text,
        role=entry.role,
        agent_id=None if segment is None else call.segments[segment].agent_id,
        start=entry.start,
        end=entry.end,
        source=entry.source,
        segment=segment,
        alternative=entry.alternative,
    )


def _quarantined(call: Call, entry: Entry) -> Quarantined:
    return Quarantined(
        role=entry.role,
        start=entry.start,
        end=entry.end,
        length=length_of(entry),
        reason=entry.reason or "pause",
        source=entry.source,
        segment=_segment_at(call, entry),
    )


def _segment_at(call: Call, entry: Entry) -> int | None:
    """Of an agent who is named the nearest; else the one its middle lies in, or the latest of its stream id."""
    middle = (entry.start + entry.end) // 2
    agents = _agents_named(entry)
    own = [index for index, each in enumerate(call.segments) if each.agent_id in agents]
    if own:
        return min(own, key=lambda index: _distance(call.segments[index], middle))
    for index, segment in enumerate(call.segments):
        if segment.start <= middle and (segment.end is None or middle <= segment.end):
            return index
    named = None if entry.received is None else segment_of(call, entry.received)
    return None if named is None else call.segments.index(named)


def _agents_named(entry: Entry) -> set[str]:
    """The sender's name is the agent's own on the agent's side; around a transfer it tells more than the time."""
    if entry.role != "agent":
        return set()
    named = {each.sender_id for each in (entry.received, *entry.messages) if each is not None}
    return named - {""}


def _distance(segment: Segment, at: int) -> int:
    return max(segment.start - at, 0 if segment.end is None else at - segment.end, 0)
