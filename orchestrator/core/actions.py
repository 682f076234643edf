"""What the worker may do for a call, and how a vendor's answer is told.

Actions are imperative and carry all that an adapter needs beside the call itself. Outcomes are neutral words: the
adapters in `orchestrator.twilio` and `orchestrator.asapp` translate every answer, every lack of one included, to a
`Verdict`. Times are milliseconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class _Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="action"):
    """Base of all actions; the tag is the name that timelines, logs and metrics use."""


class StartTranscription(_Action, frozen=True, kw_only=True, tag="start-transcription"):
    """Ask ASAPP to transcribe. `purpose`: `start`, `confirm` (an overdue media stream) or `probe` (silence)."""

    agent_id: str
    stream: str
    purpose: str = "start"
    timeout_ms: int = 2000


class StopTranscription(_Action, frozen=True, kw_only=True, tag="stop-transcription"):
    """Ask ASAPP to stop. `purpose`: `wanted` (off is wanted), `reset` (before a start) or `assert` (once more)."""

    purpose: str = "wanted"
    timeout_ms: int = 2000


class CreateStream(_Action, frozen=True, kw_only=True, tag="create-stream"):
    """Ask Twilio for a media stream of this name on the customer's leg."""

    name: str
    timeout_ms: int = 3000


class StopStream(_Action, frozen=True, kw_only=True, tag="stop-stream"):
    """Ask Twilio to end a media stream, by SID where known, else by name. `purpose`: `unwanted` or `cut`."""

    name: str
    sid: str | None = None
    purpose: str = "unwanted"
    timeout_ms: int = 3000


class RedirectToSurvey(_Action, frozen=True, kw_only=True, tag="redirect-to-survey"):
    """Ask Twilio to run the survey's TwiML on the customer's leg. `streams`: names to stop in that TwiML."""

    survey_url: str
    streams: tuple[str, ...] = ()
    timeout_ms: int = 3000


class CompleteConference(_Action, frozen=True, kw_only=True, tag="complete-conference"):
    """Ask Twilio to end a conference in which the customer was left alone."""

    conference: str
    timeout_ms: int = 3000


class ReadCall(_Action, frozen=True, kw_only=True, tag="read-call"):
    """Read the customer's leg from Twilio."""

    why: str = ""
    timeout_ms: int = 3000


class ReadLeg(_Action, frozen=True, kw_only=True, tag="read-leg"):
    """Read who an unlabelled leg is."""

    leg: str
    timeout_ms: int = 3000


class ReadParticipants(_Action, frozen=True, kw_only=True, tag="read-participants"):
    """Read who is in a conference and who is held."""

    conference: str
    why: str = ""
    timeout_ms: int = 3000


class NoteTime(_Action, frozen=True, kw_only=True, tag="note-time"):
    """A deadline has passed; no vendor is asked. `what`: see `events.TimePassed`."""

    what: str
    subject: str = ""


class HandOverTranscript(_Action, frozen=True, kw_only=True, tag="hand-over-transcript"):
    """Make the after-call work due; no vendor is asked. Recorded by `TimePassed("handed-over")`."""


VendorAction = (
    StartTranscription
    | StopTranscription
    | CreateStream
    | StopStream
    | RedirectToSurvey
    | CompleteConference
    | ReadCall
    | ReadLeg
    | ReadParticipants
)
Action = VendorAction | NoteTime | HandOverTranscript


def name_of(action: Action) -> str:
    """The action's name for people and programs, e.g. `stop-transcription`."""
    return str(action.__struct_config__.tag)


class Verdict(StrEnum):
    """How a request ended, in words that fit both vendors."""

    DONE = "done"
    ALREADY = "already"
    """ASAPP 409-201: already started, or already stopped."""
    BUSY = "busy"
    """ASAPP 409-202: another request for this call is pending."""
    NO_STREAM = "no-stream"
    """ASAPP 400-203: no media stream known there."""
    NOT_IN_PROGRESS = "not-in-progress"
    """Twilio 21220: the call is not in progress (it has ended, or still rings)."""
    NOT_FOUND = "not-found"
    """Twilio 20404: no such call, stream or conference."""
    REFUSED_FOR_NOW = "refused-for-now"
    """Certainly not carried out, worth repeating: 429, connection refused, no stream URL at hand, 401/403."""
    FAILED = "failed"
    """An error after which it may or may not have been carried out: 5xx, isOk false, malformed answer."""
    UNKNOWN = "unknown"
    """No answer within the deadline, or the connection broke after the request was sent."""
    TERMINAL = "terminal"
    """Refused for a reason that repeating does not change (configuration)."""


GONE = frozenset({Verdict.DONE, Verdict.NOT_FOUND, Verdict.NOT_IN_PROGRESS})
"""What was to be ended at Twilio is not there any more."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A vendor's answer. `code` is the vendor's own (for people); `family` chooses the retry ladder."""

    verdict: Verdict
    code: str = ""
    detail: str = ""
    family: str = ""
    """`429`, `5xx`, `auth`, `no-url`, `daily-limit`, or empty."""
    is_paced: bool = False
    """Somebody else (a breaker over all calls) decides when the next attempt goes: no ladder of the call's own."""
    may_be_done: bool = False
    """A refusal that may have been carried out in part all the same."""
    sid: str | None = None
    """The created media stream's SID."""
    stream_ids: dict[str, str] = {}
    """ASAPP's streamId by role."""
    promised: dict[str, int] = {}
    """A stop summary's number of transcripts by role."""
    duration_ms: int = 0
    """The audio that a stop summary covers."""
