"""A call: everything known about one customer conversation, as one immutable value.

A call is keyed by the Call SID of the customer's leg; that leg carries the media stream, so the same SID is the
`guid` at ASAPP. Only facts, intents and the times at which wishes changed are stored; what is wanted is derived by
`desired`, what to do next by `reconcile`. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from orchestrator.core.actions import Action
from orchestrator.core.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = 1
"""Raised when an older release, which ignores fields it does not know, would do wrong with what this one writes."""
ADOPTED_GENERATIONS_START = 1000


class TranscriptionState(StrEnum):
    """What is known of transcription at ASAPP. Only a confirmed answer makes it `off` or `on`."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class StreamState(StrEnum):
    """What is known of one media stream at Twilio."""

    REQUESTED = "requested"
    LIVE = "live"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


DOWN = frozenset({StreamState.FAILED, StreamState.STOPPED})
"""Ended as far as is known, or given up."""


class Progress(StrEnum):
    """The customer's leg. An adopted call is `unknown` until Twilio's call resource has been read."""

    UNKNOWN = "unknown"
    IN_PROGRESS = "in-progress"
    ENDED = "ended"
    DROPPED = "dropped"
    """Never a call of ours: Twilio does not know the SID, or it is another call's leg."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the values inside a call."""


class Pause(_Value, frozen=True, kw_only=True):
    """A named reason not to transcribe; it stands until it is taken away by name."""

    reason: str
    since: int
    source: str = "api"


class OrphanedHold(_Value, frozen=True, kw_only=True):
    """The desktop's hold that ended with its last agent, and when it did (ms)."""

    pause: Pause
    ended_at: int


class Participant(_Value, frozen=True, kw_only=True):
    """A leg inside one conference, each attribute with the SequenceNumber of the news that set it."""

    leg: str
    label: str | None = None
    is_present: bool = False
    is_held: bool = False
    is_coaching: bool = False
    present_sequence: int = -1
    hold_sequence: int = -1
    coaching_sequence: int = -1
    since: int = 0


class Conference(_Value, frozen=True, kw_only=True):
    """A conference that the customer or an agent was seen in."""

    sid: str
    is_ours: bool | None = None
    """Made by our TwiML; None where no callback told."""
    is_ended: bool = False
    last_sequence: int = -1
    participants: tuple[Participant, ...] = ()
    news_at: int = 0
    read_at: int = 0
    """When Twilio was last asked who is in, and could say."""

    def participant(self, leg: str) -> Participant | None:
        return next((each for each in self.participants if each.leg == leg), None)


class Agent(_Value, frozen=True, kw_only=True):
    """One agent under all the names by which sources report them. Merged by leg, else by id.

    `is_reported` is what the API or TaskRouter last said (connected or not); `is_answered` what the leg's own
    callbacks said; None where that source said nothing. `connected_since` is kept while connected. `task`,
    `reservation` and `reservation_order` are of TaskRouter's latest news of this worker, `is_accepted` what it said.
    """

    leg: str | None = None
    api_id: str | None = None
    label_id: str | None = None
    worker_name: str | None = None
    identity: str | None = None
    is_reported: bool | None = None
    is_answered: bool | None = None
    connected_since: int | None = None
    has_been_connected: bool = False
    reported_at: int = 0
    task: str = ""
    reservation: str = ""
    reservation_order: int = 0
    is_accepted: bool = False

    @property
    def id(self) -> str:
        """The name that ASAPP gets: API, label, WorkerName, client identity, leg SID; first that is known."""
        return self.api_id or self.label_id or self.worker_name or self.identity or self.leg or "agent"


class Transcription(_Value, frozen=True, kw_only=True):
    """Transcription at ASAPP: state, for whom, on which stream, and the retry ladder of the present wish.

    `stream` names the media stream that a running or unknown session belongs to. `failures` and `not_before` are
    the ladder (see `backoff`); `has_tried_stop`: a stop was answered or timed out since off is wanted.
    """

    state: TranscriptionState = TranscriptionState.OFF
    since: int = 0
    agent_id: str | None = None
    stream: str | None = None
    failures: int = 0
    not_before: int = 0
    has_tried_stop: bool = False
    is_refused: bool = False
    """A terminal answer: not tried again until `retry`."""


class MediaStream(_Value, frozen=True, kw_only=True):
    """One generation of the fork of the audio. `may_live` stays true until Twilio is known to have ended it."""

    name: str
    generation: int
    state: StreamState
    origin: str = "rest"
    requested_at: int = 0
    sid: str | None = None
    live_at: int | None = None
    ended_at: int | None = None
    may_live: bool = True
    error: str | None = None
    failures: int = 0
    not_before: int = 0


class Segment(_Value, frozen=True, kw_only=True):
    """One stretch of transcription with one agent.

    `promised` are its stop summary's transcript counts by role, `promised_ms` is the audio that they were found in.
    """

    agent_id: str
    start: int
    end: int | None = None
    stream_ids: dict[str, str] = {}
    promised: dict[str, int] = {}
    promised_ms: int = 0


class Gap(_Value, frozen=True, kw_only=True):
    """A stretch in which transcription was wanted on and was not. `end` is None while it lasts."""

    start: int
    reason: str
    end: int | None = None


class PausedStretch(_Value, frozen=True, kw_only=True):
    """A stretch in which the conversation was paused (hold or reasons), for the transcript. `end` None: lasts."""

    start: int
    reason: str
    end: int | None = None


class Problem(_Value, frozen=True, kw_only=True):
    """What is wrong with this call, for people. `gave_up`: nothing more is tried until `retry`."""

    id: str
    since: int
    detail: str = ""
    gave_up: bool = False


class Survey(_Value, frozen=True, kw_only=True):
    """The survey that was asked for (`api`) or reached (`twiml`). `redirect`: none, asked, done or unknown."""

    source: str
    since: int
    redirect: str = "none"
    failures: int = 0
    not_before: int = 0


class InFlight(_Value, frozen=True, kw_only=True):
    """An intent whose outcome has not been recorded."""

    action: Action
    attempt: int
    since: int
    worker: str = ""


class Reading(_Value, frozen=True, kw_only=True):
    """A read of Twilio that is due. `key` is `call`, `leg:<sid>` or `conference:<sid>`."""

    key: str
    not_before: int
    failures: int = 0
    why: str = ""


class Call(_Value, frozen=True, kw_only=True):
    """Everything known about one call."""

    call_sid: str
    profile: Profile
    created_at: int
    schema: int = 0
    """Of the release that last changed it; always written, so that an older release can leave the call alone."""
    version: int = 0
    direction: str = "inbound"
    customer_id: str = ""
    customer_number: str = ""
    called_number: str = ""
    progress: Progress = Progress.IN_PROGRESS
    missing_reads: int = 0
    ended_at: int | None = None
    end_reason: str = ""
    updated_at: int = 0
    is_handed_over: bool = False
    """The after-call work has been made due."""

    conferences: tuple[Conference, ...] = ()
    agents: tuple[Agent, ...] = ()
    pauses: tuple[Pause, ...] = ()
    orphaned_hold: OrphanedHold | None = None
    is_consent_given: bool = False
    survey: Survey | None = None
    completed_conference: str | None = None

    transcription: Transcription = Transcription()
    streams: tuple[MediaStream, ...] = ()
    is_cut: bool = False
    trouble: str = ""
    """Why transcription is not on although wanted: the latest failure; empty once it is on."""
    restarts: tuple[int, ...] = ()
    restart_failures: int = 0
    restart_not_before: int = 0
    has_given_up_streams: bool = False

    attempts: int = 0
    in_flight: InFlight | None = None
    readings: tuple[Reading, ...] = ()
    reassert_stop_at: int | None = None
    audit_at: int | None = None
    last_heard_at: int = 0

    was_wanted: bool = False
    wanted_since: int | None = None
    settle_until: int = 0
    off_wanted_at: int | None = None
    exposure_since: int | None = None
    unwanted_ms: int = 0
    alone_since: int | None = None

    segments: tuple[Segment, ...] = ()
    gaps: tuple[Gap, ...] = ()
    paused: tuple[PausedStretch, ...] = ()
    unwanted: tuple[PausedStretch, ...] = ()
    """From the end of each talk to the next: what is heard then is no conversation, paused or not."""
    problems: tuple[Problem, ...] = ()

    seen_event_ids: tuple[str, ...] = ()
    sequences: dict[str, int] = {}

    @property
    def is_ended(self) -> bool:
        return self.progress in {Progress.ENDED, Progress.DROPPED}

    @property
    def current_stream(self) -> MediaStream | None:
        """The newest generation, whatever its state."""
        return self.streams[-1] if self.streams else None

    @property
    def problem(self) -> Problem | None:
        """The one to show: what gave up before what is still tried, then the oldest."""
        return min(self.problems, key=lambda each: (not each.gave_up, each.since), default=None)

    @property
    def may_be_heard(self) -> bool:
        """Whether a media stream may live."""
        return any(stream.may_live for stream in self.streams)

    def streams_that_may_live(self) -> Iterable[MediaStream]:
        return (stream for stream in self.streams if stream.may_live)
