"""Wall-clock times for utterances whose messages carry only offsets.

Whether offsets count from the segment or from the media stream is not documented. So for each stream id the anchor is
chosen that puts an utterance's end shortly (within 10 s) before its receipt; if none does, the utterance ends 600 ms
before its receipt (the vendor's usual delay: 200 to 600 ms).
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.call import Call
from orchestrator.transcripts.utterance import Received

_SHORTLY_MS = 10_000
_EARLY_MS = 1_500
_USUAL_DELAY_MS = 600


def times_of(call: Call, received: Iterable[Received]) -> list[tuple[Received, int, int]]:
    """Each message with its start and end in milliseconds since the epoch."""
    return [(each, *_times(call, each)) for each in received]


def _times(call: Call, message: Received) -> tuple[int, int]:
    fitting = [anchor for anchor in _anchors(call, message) if _fits(message, anchor)]
    if fitting:
        anchor = min(fitting, key=lambda each: abs(message.at - _USUAL_DELAY_MS - each - message.end_ms))
        return anchor + message.start_ms, anchor + message.end_ms
    end = message.at - _USUAL_DELAY_MS
    return end - (message.end_ms - message.start_ms), end


def _anchors(call: Call, message: Received) -> list[int]:
    segments = [each.start for each in call.segments if message.stream_id in each.stream_ids.values()]
    streams = [each.live_at for each in call.streams if each.live_at is not None]
    return [*segments, *[each.start for each in call.segments], *streams]


def _fits(message: Received, anchor: int) -> bool:
    delay = message.at - (anchor + message.end_ms)
    return -_EARLY_MS <= delay <= _SHORTLY_MS
