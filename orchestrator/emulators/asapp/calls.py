"""Calls as the media gateway knows them: media streams, sessions of transcription, what was heard.

``received`` is all audio that arrived, ``heard`` what arrived while transcribing; both are counted from
the frames alone, in ms by kind of sound. Instants are epoch seconds.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from orchestrator.emulators.asapp.hearing import Ear, Utterance
from orchestrator.emulators.asapp.wire import ROLES, Role, StartRequest, Track, TrackMap
from orchestrator.emulators.audio import Heard, recognise

UNKNOWN: Final = "unknown"
_MU_LAW_BYTES_PER_MS: Final = 8
_LINEAR_BYTES_PER_MS: Final = 16

Close = Callable[[int], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Stream:
    """One media stream: a WebSocket whose ``start`` was read."""

    stream_sid: str
    name: str | None
    tracks: tuple[Track, ...]
    opened_at: float
    close: Close
    first_media_at: float | None = None
    closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def as_dict(self) -> dict[str, object]:
        return {
            "stream_sid": self.stream_sid,
            "name": self.name,
            "tracks": list(self.tracks),
            "open": self.is_open,
            "opened_at": self.opened_at,
            "first_media_at": self.first_media_at,
            "closed_at": self.closed_at,
        }


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance with its speaker, as one session understood it; offsets are ms."""

    session: "Session"
    role: Role
    utterance: Utterance


@dataclass(slots=True, eq=False)
class Session:
    """One stretch of transcription, from start-streaming to stop-streaming or the stream's end."""

    request: StartRequest
    started_at: float
    stream_ids: dict[Role, str]
    streams: list[Stream]
    bases_ms: dict[Track, int]
    stopped_at: float | None = None
    audio_ms: Counter[Role] = field(default_factory=Counter)
    heard_ms: Counter[str] = field(default_factory=Counter)
    transcripts: Counter[Role] = field(default_factory=Counter)
    _ears: dict[tuple[str, Track], Ear] = field(default_factory=dict)

    @property
    def track_map(self) -> TrackMap:
        return self.request.twilio_params.track_map

    def sender(self, role: Role) -> str:
        return self.request.customer_id if role == "customer" else self.request.agent_id

    def has_track_for(self, role: Role) -> bool:
        return any(self._role(track) == role for stream in self.streams for track in stream.tracks)

    def hear(self, stream: Stream, track: Track, heard: Heard | None, duration_ms: int) -> Spoken | None:
        """Take one frame of a stream that this session listens to."""
        role = self._role(track)
        self.audio_ms[role] += duration_ms
        self.heard_ms[heard.kind if heard else UNKNOWN] += duration_ms
        ear = self._ears.get((stream.stream_sid, track))
        if ear is None:
            ear = self._ears[stream.stream_sid, track] = Ear(self.bases_ms.get(track, 0))
        return self._spoken(track, ear.hear(heard, duration_ms))

    def flush(self) -> Iterator[Spoken]:
        """Yield what was understood of utterances that the end cut short."""
        for (_, track), ear in self._ears.items():
            spoken = self._spoken(track, ear.flush())
            if spoken:
                yield spoken

    def summary(self, role: Role) -> dict[str, int]:
        return {
            "totalAudioBytes": self.audio_ms[role] * _LINEAR_BYTES_PER_MS,
            "audioDurationMs": self.audio_ms[role],
            "streamingSeconds": ceil(self.audio_ms[role] / 1000),
            "transcripts": self.transcripts[role],
        }

    def as_dict(self) -> dict[str, object]:
        return {
            "started_at": self.started_at,
            "stopped_at": self.stopped_at,
            "agent_id": self.request.agent_id,
            "customer_id": self.request.customer_id,
            "heard_ms": dict(self.heard_ms),
            "stream_ids": dict(self.stream_ids),
            "transcripts": {role: self.transcripts[role] for role in ROLES},
        }

    def _role(self, track: Track) -> Role:
        return self.track_map.inbound if track == "inbound" else self.track_map.outbound

    def _spoken(self, track: Track, utterance: Utterance | None) -> Spoken | None:
        if utterance is None:
            return None
        role = self._role(track)
        self.transcripts[role] += 1
        return Spoken(self, role, utterance)


@dataclass(slots=True, eq=False)
class Call:
    """All that the gateway knows of one guid (Twilio's Call SID)."""

    guid: str
    streams: list[Stream] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    session: Session | None = None
    received_ms: Counter[str] = field(default_factory=Counter)
    track_ms: Counter[Track] = field(default_factory=Counter)
    heard_text: list[dict[str, object]] = field(default_factory=list)
    messages: list[dict[str, object]] = field(default_factory=list)

    @property
    def open_streams(self) -> list[Stream]:
        return [stream for stream in self.streams if stream.is_open]

    @property
    def is_transcribing(self) -> bool:
        """Whether a frame that arrived now would be heard."""
        return self.session is not None and any(stream.is_open for stream in self.session.streams)

    @property
    def closed_at(self) -> float | None:
        """Return when the last media stream closed; None while one is open or before the first."""
        if not self.streams or self.open_streams:
            return None
        return max(stream.closed_at or 0.0 for stream in self.streams)

    def receive(self, stream: Stream, track: Track, audio: bytes, now: float) -> Spoken | None:
        """Take one frame; return the utterance that it completed, if it was heard and did."""
        if stream.first_media_at is None:
            stream.first_media_at = now
        heard = recognise(audio)
        duration_ms = len(audio) // _MU_LAW_BYTES_PER_MS
        self.received_ms[heard.kind if heard else UNKNOWN] += duration_ms
        self.track_ms[track] += duration_ms
        if self.session is None or stream not in self.session.streams:
            return None
        return self.session.hear(stream, track, heard, duration_ms)

    def end_session(self, now: float) -> list[Spoken]:
        """End the current session, if any, and return what its end cut short."""
        ended, self.session = self.session, None
        if ended is None:
            return []
        ended.stopped_at = now
        return list(ended.flush())

    def heard_ms(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for session in self.sessions:
            total.update(session.heard_ms)
        return dict(total)

    def as_dict(self) -> dict[str, object]:
        return {
            "guid": self.guid,
            "streams": [stream.as_dict() for stream in self.streams],
            "transcribing": self.is_transcribing,
            "sessions": [session.as_dict() for session in self.sessions],
            "received_ms": dict(self.received_ms),
            "heard_ms": self.heard_ms(),
            "heard_text": self.heard_text,
            "messages": self.messages,
        }
