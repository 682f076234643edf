"""Calls and what their sources say, for tests of the fence and of completeness."""

from __future__ import annotations

import zlib

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call, MediaStream, PausedStretch, Progress, Segment, StreamState, Survey
from orchestrator.core.profile import Profile
from orchestrator.transcripts.utterance import Received

SID = "CA" + "1" * 32
T0 = 1_700_000_000_000
IDS = {"customer": "c1", "agent": "a1"}


def given_call(*pauses: tuple[int, int | None, str], survey_at: int | None = None, promised: int = 0) -> Call:
    """One agent, a segment from 10 s on, pauses as given (seconds); ended after two minutes."""
    return Call(
        call_sid=SID,
        profile=Profile(route="conference"),
        created_at=T0,
        progress=Progress.ENDED,
        ended_at=T0 + 120_000,
        streams=(MediaStream(name="asapp-1", generation=1, state=StreamState.STOPPED, live_at=T0 + 2_000),),
        segments=(
            Segment(
                agent_id="amy",
                start=T0 + 10_000,
                end=T0 + 110_000,
                stream_ids=IDS,
                promised={"customer": promised, "agent": 0},
            ),
        ),
        paused=tuple(
            PausedStretch(start=T0 + start * 1000, end=None if end is None else T0 + end * 1000, reason=reason)
            for start, end, reason in pauses
        ),
        survey=None if survey_at is None else Survey(source="api", since=T0 + survey_at * 1000),
    )


def mark(text: str) -> str:
    """A name for these words that does not tell them."""
    return f"{zlib.crc32(text.encode()):08x}"


def heard(start_ms: int, end_ms: int, text: str, role: str = "customer", late_ms: int = 400) -> Received:
    """Times in ms since T0; the offsets count from the segment's start."""
    return Received(
        stream_id=IDS[role],
        role=role,
        start_ms=start_ms - 10_000,
        end_ms=end_ms - 10_000,
        text=text,
        at=T0 + end_ms + late_ms,
        key=f"{role}-{start_ms}-{mark(text)}",
    )


def listed(end_ms: int, text: str, role: str = "customer") -> StoredMessage:
    at = T0 + end_ms
    return StoredMessage(
        message_id=f"M{role}{end_ms}{mark(text)}", role=role, sender_id="", text=text, sent_at=at, created_at=at
    )
