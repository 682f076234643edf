"""Wall-clock times for utterances whose messages carry only offsets.

Whether offsets count from the segment, from all segments put together or from the media stream is not documented. So
for each stream id the reading is chosen by which most of its utterances end shortly (within 10 s) before their receipt;
of equally good ones that with the vendor's usual delay (200 to 600 ms). Under the chosen reading a message that came
late keeps its place. What no reading explains ended 600 ms before its receipt. Nothing is heard before its segment
began, nor ends after its receipt.

An end may also count from the beginning of its own utterance (ASAPP's guides disagree). An end before its start shows
that; it is believed for the whole call if more of the call's messages are explained so.

Arrival order and repetition do not matter. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import median

from msgspec.structs import replace

from orchestrator.core.call import Call, Segment
from orchestrator.transcripts.utterance import Received

SHORTLY_MS = 10_000
"""Within so long after its end an utterance is received."""
_EARLY_MS = 1_500
_USUAL_DELAY_MS = 600
_WORDS_PER_S = 2.5
_LEAST_MS = 1_000

Reading = Callable[[Received, int], int | None]
"""When an offset of this message was in wall-clock time; None where the reading does not tell."""


def times_of(call: Call, received: Iterable[Received]) -> list[tuple[Received, int, int]]:
    """Each message, its end counted as its start is, with the start and end of what it tells."""
    messages = list(received)
    explained, chosen = _readings_of(call, messages)
    if any(each.end_ms < each.start_ms for each in messages):
        counted = [replace(each, end_ms=each.start_ms + each.end_ms) for each in messages]
        more, others = _readings_of(call, counted)
        if more > explained:
            messages, chosen = counted, others
    return [(each, *_times(call, each, chosen[each.stream_id])) for each in messages]


def _readings_of(call: Call, messages: list[Received]) -> tuple[int, dict[str, Reading | None]]:
    """How many messages are explained, and the reading of each stream id."""
    streams: defaultdict[str, list[Received]] = defaultdict(list)
    for each in messages:
        streams[each.stream_id].append(each)
    found = {stream_id: _chosen(call, stream_id, rows) for stream_id, rows in streams.items()}
    explained = sum(number for number, _ in found.values())
    return explained, {stream_id: reading for stream_id, (_, reading) in found.items()}


def segment_of(call: Call, message: Received) -> Segment | None:
    """The segment of this message's stream id that was the latest one at its receipt."""
    return _segment_at(call, message.stream_id, message.at)


def _segment_at(call: Call, stream_id: str, at: int) -> Segment | None:
    """The stream id's latest segment that had begun, or else its first."""
    named = [each for each in call.segments if stream_id in each.stream_ids.values()]
    begun = [each for each in named if each.start <= at]
    return begun[-1] if begun else (named[0] if named else None)


def _chosen(call: Call, stream_id: str, messages: list[Received]) -> tuple[int, Reading | None]:
    """How many messages the best reading explains, and that reading; None when none explains any."""
    best: tuple[int, float] = (0, 0.0)
    chosen: Reading | None = None
    possible = [each for each in messages if each.start_ms <= each.end_ms]
    for reading in _readings(call, stream_id):
        delays = [each.at - end for each in possible if (end := reading(each, each.end_ms)) is not None]
        fitting = [delay for delay in delays if _is_shortly(delay)]
        if not fitting:
            continue
        rank = (-len(fitting), abs(median(fitting) - _USUAL_DELAY_MS))
        if chosen is None or rank < best:
            best, chosen = rank, reading
    return -best[0], chosen


def _is_shortly(delay: int) -> bool:
    return -_EARLY_MS <= delay <= SHORTLY_MS


def _readings(call: Call, stream_id: str) -> list[Reading]:
    """From its own segments, from all segments put together, from each media stream, from other segments."""
    own = [each for each in call.segments if stream_id in each.stream_ids.values()]
    readings = [_in_segment(own)] if own else []
    if call.segments:
        readings.append(_over_segments(own or list(call.segments)))
        readings.append(_over_segments(list(call.segments)))
    starts = [each.live_at for each in call.streams if each.live_at is not None]
    others = [each.start for each in call.segments if each not in own]
    return [*readings, *(_from(start) for start in [*starts, *others])]


def _from(anchor: int) -> Reading:
    return lambda _, offset: anchor + offset


def _in_segment(own: list[Segment]) -> Reading:
    """A stream id that goes on over several segments begins anew in each: the one that makes it end shortly before."""

    def when(message: Received, offset: int) -> int | None:
        fitting = [each for each in own if _is_shortly(message.at - each.start - message.end_ms)]
        begun = [each for each in own if each.start <= message.at]
        return (fitting or begun or own)[-1].start + offset

    return when


def _over_segments(segments: list[Segment]) -> Reading:
    """Offsets count transcribed time alone: pauses between the segments are not in them."""

    def when(_: Received, offset: int) -> int | None:
        left = offset
        for each in segments[:-1]:
            length = (each.end or each.start) - each.start
            if left <= length:
                return each.start + left
            left -= length
        return segments[-1].start + left

    return when


def length_of_words(text: str) -> int:
    """How long it took to say, where nobody tells (ms); a word counts for a second, so that it cannot slip through."""
    return max(_LEAST_MS, int(1000 * len(text.split()) / _WORDS_PER_S))


def _times(call: Call, message: Received, reading: Reading | None) -> tuple[int, int]:
    length = message.end_ms - message.start_ms
    if length <= 0:
        length = length_of_words(message.text)
    end = None if reading is None else reading(message, message.end_ms)
    if end is None or message.at - end < -_EARLY_MS:
        end, segment = message.at - _USUAL_DELAY_MS, segment_of(call, message)
    else:
        end = min(end, message.at)
        segment = _segment_at(call, message.stream_id, end)
    if segment is None or segment.start > message.at:
        return end - length, end
    end = max(end, min(message.at, segment.start + length))
    return max(end - length, segment.start), end
