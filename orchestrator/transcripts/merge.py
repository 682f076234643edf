"""One transcript from the real-time messages and the messages of the finished call.

The stored messages have no offsets and no stream id, so a match is by role, words and order. What only one source
has is kept from it; nothing is lost and nothing is told twice.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call
from orchestrator.transcripts.timing import times_of
from orchestrator.transcripts.utterance import Received, Utterance

_WORDS_PER_S = 2.5


def merged(call: Call, received: Iterable[Received], stored: Iterable[StoredMessage] = ()) -> list[Utterance]:
    """All utterances in spoken order."""
    live = [_live(call, each, start, end) for each, start, end in times_of(call, received)]
    unmatched: defaultdict[tuple[str, str], deque[Utterance]] = defaultdict(deque)
    for each in sorted(live, key=_spoken_order):
        unmatched[_words(each.role, each.text)].append(each)
    extra: list[Utterance] = []
    for message in sorted(stored, key=lambda each: each.sent_at):
        twins = unmatched[_words(message.role, message.text)]
        if twins:
            twins.popleft()
        elif message.role != "system":
            extra.append(_after_call(call, message))
    return sorted([*live, *extra], key=_spoken_order)


def _spoken_order(utterance: Utterance) -> tuple[int, int, str]:
    return utterance.start, utterance.end, utterance.role


def _words(role: str, text: str) -> tuple[str, str]:
    return role, " ".join(text.split()).casefold()


def _live(call: Call, message: Received, start: int, end: int) -> Utterance:
    segment = _segment_at(call, start, end, message.stream_id)
    return Utterance(
        text=message.text,
        role=message.role,
        agent_id=None if segment is None else call.segments[segment].agent_id,
        start=start,
        end=end,
        source="live",
        segment=segment,
    )


def _after_call(call: Call, message: StoredMessage) -> Utterance:
    length = int(1000 * len(message.text.split()) / _WORDS_PER_S)
    start = message.sent_at - length
    segment = _segment_at(call, start, message.sent_at, "")
    return Utterance(
        text=message.text,
        role=message.role,
        agent_id=None if segment is None else call.segments[segment].agent_id,
        start=start,
        end=message.sent_at,
        source="after-call",
        segment=segment,
    )


def _segment_at(call: Call, start: int, end: int, stream_id: str) -> int | None:
    """The segment that the middle of the utterance lies in; else the latest one of its stream id."""
    middle = (start + end) // 2
    for index, segment in enumerate(call.segments):
        if segment.start <= middle and (segment.end is None or middle <= segment.end):
            return index
    named = [index for index, each in enumerate(call.segments) if stream_id and stream_id in each.stream_ids.values()]
    return named[-1] if named else None
