"""Media streams: generations, what may still live, and what a stream's end means for transcription.

Stream callbacks carry no sequence number; their rank orders them: started before stopped or failed, which are final.
"""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.common import first, swapped
from orchestrator.core.backoff import STOPPED_ALONE_MS, restart_wait_ms, spread
from orchestrator.core.call import (
    ADOPTED_GENERATIONS_START,
    Call,
    MediaStream,
    Segment,
    StreamState,
    TranscriptionState,
)
from orchestrator.core.events import StreamFailed, StreamStarted, StreamStopped

_STEADY_MS = 60_000
_AWAITED = frozenset({StreamState.REQUESTED, StreamState.UNKNOWN})


def next_stream_name(call: Call) -> str:
    """`asapp-2` after `asapp-1`; an adopted call, which may have had any, goes on at `asapp-1001`."""
    newest = max((stream.generation for stream in call.streams), default=0)
    if call.direction == "adopted":
        newest = max(newest, ADOPTED_GENERATIONS_START)
    return f"asapp-{newest + 1}"


def generation_of(name: str) -> int:
    """The number in `asapp-7`; 0 for a name that is not ours."""
    digits = name.removeprefix("asapp-")
    return int(digits) if digits.isdecimal() and len(digits) < 9 else 0  # noqa: PLR2004 - keeps a hostile name small


def stream_started(call: Call, event: StreamStarted) -> Call:
    stream = _found(call, event.name, event.sid)
    if stream is None:
        return call if call.is_ended else _with_unexpected(call, event)
    if not stream.may_live:
        # Its stop by name found nothing, yet here it is: a create that arrived late. It is stopped by its SID.
        is_news = stream.sid is None and not call.is_ended
        late = replace(stream, sid=event.sid, may_live=True)
        return replace(call, streams=swapped(call.streams, stream, late)) if is_news else call
    known = replace(stream, sid=event.sid, name=event.name, generation=generation_of(event.name) or stream.generation)
    is_late_create = stream.state is StreamState.FAILED and stream.sid is None and stream is call.current_stream
    if stream.state in _AWAITED or is_late_create:
        known = replace(known, state=StreamState.LIVE, live_at=event.at, error=None)
    return replace(call, streams=swapped(call.streams, stream, known))


def _found(call: Call, name: str, sid: str) -> MediaStream | None:
    """By SID; else the one of that name whose SID is not known; else an adopted call's stream of unknown name."""
    return (
        first(call.streams, lambda stream: stream.sid == sid)
        or first(call.streams, lambda stream: stream.sid is None and stream.name == name)
        or first(call.streams, lambda stream: stream.sid is None and stream.state is StreamState.UNKNOWN)
    )


def _with_unexpected(call: Call, event: StreamStarted) -> Call:
    """A stream nobody told us about. It becomes the current one only if it is newer than all that we know."""
    stream = MediaStream(
        name=event.name,
        generation=generation_of(event.name),
        state=StreamState.LIVE,
        origin="found",
        requested_at=event.at,
        live_at=event.at,
        sid=event.sid,
    )
    newest = max((each.generation for each in call.streams), default=-1)
    if stream.generation > newest:
        return replace(call, streams=(*call.streams, stream))
    return replace(call, streams=(stream, *call.streams))


def stream_stopped(call: Call, event: StreamStopped) -> Call:
    """Alone it says little: at every hang-up it comes before the end of the call. So a rebuild waits a second."""
    stream = _found(call, event.name, event.sid)
    if stream is None:
        return call
    if not stream.may_live or stream.state is StreamState.STOPPED:
        return replace(call, streams=swapped(call.streams, stream, replace(stream, may_live=False, sid=event.sid)))
    stream_down = replace(stream, sid=event.sid)
    call = replace(call, streams=swapped(call.streams, stream, stream_down))
    return stream_is_down(call, stream_down, StreamState.STOPPED, event.at, wait_ms=STOPPED_ALONE_MS)


def stream_failed(call: Call, event: StreamFailed) -> Call:
    stream = _found(call, event.name, event.sid)
    if stream is None:
        return call
    if stream.state is StreamState.STOPPED and stream is call.current_stream and not call.is_ended:
        failed = replace(stream, state=StreamState.FAILED, error=event.error, sid=event.sid, may_live=False)
        call = replace(call, streams=swapped(call.streams, stream, failed))
        return replace(
            call, restart_not_before=event.at, transcription=replace(call.transcription, not_before=event.at)
        )
    if not stream.may_live:
        return call
    failed = replace(stream, sid=event.sid, error=event.error)
    call = replace(call, streams=swapped(call.streams, stream, failed))
    return stream_is_down(call, failed, StreamState.FAILED, event.at)


def stream_is_down(
    call: Call, stream: MediaStream, state: StreamState, at: int, *, wait_ms: int = 0, may_live: bool = False
) -> Call:
    """The stream ended or is given up. What ran on it is unknown; the rebuild is spaced by how often this happened."""
    was_steady = stream.live_at is not None and at - stream.live_at >= _STEADY_MS
    failures = 0 if was_steady else call.restart_failures
    down = replace(stream, state=state, ended_at=at, may_live=may_live)
    wait_ms = max(wait_ms, spread(call.call_sid, restart_wait_ms(failures)))
    is_current = stream is call.current_stream
    call = replace(call, streams=swapped(call.streams, stream, down))
    if is_current:
        call = replace(call, restart_failures=failures + 1, restart_not_before=at + wait_ms)
    running = call.transcription
    if running.stream != stream.name or running.state not in {TranscriptionState.ON, TranscriptionState.STARTING}:
        return call
    return transcription_lost_its_stream(call, at, min(wait_ms, STOPPED_ALONE_MS))


def transcription_lost_its_stream(call: Call, at: int, wait_ms: int = 0) -> Call:
    """Whether ASAPP still counts it as on cannot be told: a stop finds out before anything else is started."""
    due = at if call.off_wanted_at is not None else at + wait_ms  # a wanted stop never waits
    unknown = replace(call.transcription, state=TranscriptionState.UNKNOWN, since=at, not_before=due)
    return replace(with_segment_closed(call, at), transcription=unknown, trouble="stream-broken")


def with_segment_closed(call: Call, at: int, promised: dict[str, int] | None = None, promised_ms: int = 0) -> Call:
    """The open segment, if any, ends here; a stop's summary is kept with the last segment."""
    if not call.segments:
        return call
    last = call.segments[-1]
    closed = Segment(
        agent_id=last.agent_id,
        start=last.start,
        end=at if last.end is None else last.end,
        stream_ids=last.stream_ids,
        promised=last.promised or promised or {},
        promised_ms=last.promised_ms or promised_ms,
    )
    return replace(call, segments=(*call.segments[:-1], closed))
