"""What can become known about a call. Past tense; every event says when it was received.

`at` is the time of receipt by Redis's clock, `occurred_at` the source's own time where it gives one; both in
milliseconds since the epoch. Wire modules build these from vendors' words; nothing else knows those words.
"""

from __future__ import annotations

import msgspec

from orchestrator.core.actions import Action, Outcome
from orchestrator.core.profile import Profile


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """Base of all events."""

    at: int
    occurred_at: int | None = None


# --- the customer's leg ------------------------------------------------------------------------------------------


class CallArrived(_Event, frozen=True, kw_only=True, tag="call-arrived"):
    """The voice webhook was fetched, or the customer answered whom an agent's device dials.

    `has_stream_url`: a URL is at hand, so the answer may carry `<Start>`. `device`: the leg of the agent's device that
    dialled (the call is its child leg), and `device_identity` whose it is.
    """

    call_sid: str
    profile: Profile
    customer_id: str = ""
    customer_number: str = ""
    called_number: str = ""
    has_stream_url: bool = False
    direction: str = "inbound"
    device: str | None = None
    device_identity: str | None = None


class CallAdopted(_Event, frozen=True, kw_only=True, tag="call-adopted"):
    """A trustworthy source named a call that the store does not know. `via` says which source."""

    call_sid: str
    profile: Profile
    via: str


class LegAnswered(_Event, frozen=True, kw_only=True, tag="leg-answered"):
    """A leg was answered. `is_dialled`: it is the child of a dial that we asked for (so: an agent's)."""

    leg: str
    identity: str | None = None
    is_dialled: bool = False


class LegEnded(_Event, frozen=True, kw_only=True, tag="leg-ended"):
    """A terminal CallStatus of a leg; for the customer's leg this is the end of the call."""

    leg: str
    reason: str = "completed"
    is_dialled: bool = False


class CallRead(_Event, frozen=True, kw_only=True, tag="call-read"):
    """Twilio's call resource was read. `status`: `ringing`, `in-progress`, `ended`, `missing` or `unreadable`.

    `refusal`, of this and of the other reads: Twilio took our credentials for none; what it said.
    Of a call that was not verified yet also: `profile`, what its numbers ask for; of a child leg who its parent is
    (`parent_identity`, whoever called), whom that one called and whether it is still in progress.
    """

    status: str
    reason: str = ""
    refusal: str = ""
    parent: str | None = None
    parent_identity: str = ""
    parent_called: str = ""
    is_parent_live: bool = False
    profile: Profile | None = None
    customer_number: str = ""
    called_number: str = ""


class LegRead(_Event, frozen=True, kw_only=True, tag="leg-read"):
    """Who an unlabelled leg is: `identity` like `client:amy`, `sip:...` or a number; None: not readable."""

    leg: str
    identity: str | None = None
    is_child_of_call: bool = False
    refusal: str = ""


# --- media streams -----------------------------------------------------------------------------------------------


class StreamStarted(_Event, frozen=True, kw_only=True, tag="stream-started"):
    name: str
    sid: str


class StreamStopped(_Event, frozen=True, kw_only=True, tag="stream-stopped"):
    name: str
    sid: str


class StreamFailed(_Event, frozen=True, kw_only=True, tag="stream-failed"):
    name: str
    sid: str
    error: str = ""


# --- conferences -------------------------------------------------------------------------------------------------


class ParticipantNews(_Event, frozen=True, kw_only=True):
    """Base of participant events. Every one tells hold and coaching; None where the field was missing.

    `is_own_room`: the room was made by our TwiML; None where that was not told.
    """

    conference: str
    leg: str
    sequence: int
    label: str | None = None
    is_held: bool | None = None
    is_coaching: bool | None = None
    is_own_room: bool | None = None


class ParticipantJoined(ParticipantNews, frozen=True, kw_only=True, tag="participant-joined"):
    pass


class ParticipantLeft(ParticipantNews, frozen=True, kw_only=True, tag="participant-left"):
    reason: str = ""


class ParticipantHeld(ParticipantNews, frozen=True, kw_only=True, tag="participant-held"):
    pass


class ParticipantUnheld(ParticipantNews, frozen=True, kw_only=True, tag="participant-unheld"):
    pass


class ParticipantModified(ParticipantNews, frozen=True, kw_only=True, tag="participant-modified"):
    """Mute, unmute and other changes: they too tell hold and coaching."""


class ConferenceStarted(_Event, frozen=True, kw_only=True, tag="conference-started"):
    conference: str
    sequence: int
    is_own_room: bool | None = None


class ConferenceEnded(_Event, frozen=True, kw_only=True, tag="conference-ended"):
    conference: str
    sequence: int
    is_own_room: bool | None = None


class ParticipantSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of Twilio's list of participants."""

    leg: str
    label: str | None = None
    is_held: bool = False
    is_coaching: bool = False


class ParticipantsRead(_Event, frozen=True, kw_only=True, tag="participants-read"):
    """A conference was read. `asked_at`: when the request left; news received later than that is newer."""

    conference: str
    asked_at: int
    participants: tuple[ParticipantSnapshot, ...] = ()
    is_readable: bool = True
    refusal: str = ""


# --- TaskRouter, dial and survey ---------------------------------------------------------------------------------


class TaskNews(_Event, frozen=True, kw_only=True):
    """Base of TaskRouter's events. `order` is its own time of them (ms), compared with its like only; 0: untold."""

    task: str = ""
    order: int = 0


class ReservationAccepted(TaskNews, frozen=True, kw_only=True, tag="reservation-accepted"):
    """A TaskRouter worker took the task; `leg` where the task's attributes name the worker's leg."""

    worker: str
    reservation: str = ""
    leg: str | None = None


class ReservationEnded(TaskNews, frozen=True, kw_only=True, tag="reservation-ended"):
    """The worker's part is over: wrap-up, completed, canceled, rescinded, timed out, rejected."""

    worker: str
    reservation: str = ""
    leg: str | None = None


class WorkerLegNamed(TaskNews, frozen=True, kw_only=True, tag="worker-leg-named"):
    """The task's attributes name a worker's leg (after the bridge); whose it is they do not say."""

    leg: str


class TaskEnded(TaskNews, frozen=True, kw_only=True, tag="task-ended"):
    """The task is over, and so is the part of every worker of it."""


class DialEnded(_Event, frozen=True, kw_only=True, tag="dial-ended"):
    """Twilio asked what follows a dial or queue. `goes_to_survey`: our answer leads there; `child`: who was dialled."""

    outcome: str
    goes_to_survey: bool = False
    child: str | None = None


class SurveyReached(_Event, frozen=True, kw_only=True, tag="survey-reached"):
    """Twilio fetched the step in front of the survey."""


# --- the agent desktop -------------------------------------------------------------------------------------------


class DesktopEvent(_Event, frozen=True, kw_only=True):
    """Base of what the desktop API reports or asks. `source` is the API key's name."""

    event_id: str | None = None
    sequence: int | None = None
    source: str = "api"


class AgentConnected(DesktopEvent, frozen=True, kw_only=True, tag="agent-connected"):
    agent_id: str
    agent_leg: str | None = None


class AgentDisconnected(DesktopEvent, frozen=True, kw_only=True, tag="agent-disconnected"):
    agent_id: str | None = None
    agent_leg: str | None = None


class HoldReported(DesktopEvent, frozen=True, kw_only=True, tag="hold-reported"):
    pass


class UnholdReported(DesktopEvent, frozen=True, kw_only=True, tag="unhold-reported"):
    pass


class PauseRequested(DesktopEvent, frozen=True, kw_only=True, tag="pause-requested"):
    reason: str = "manual"


class PauseLifted(DesktopEvent, frozen=True, kw_only=True, tag="pause-lifted"):
    reason: str = "manual"


class ConsentGiven(DesktopEvent, frozen=True, kw_only=True, tag="consent-given"):
    pass


class ConsentWithdrawn(DesktopEvent, frozen=True, kw_only=True, tag="consent-withdrawn"):
    pass


class CallEndReported(DesktopEvent, frozen=True, kw_only=True, tag="call-end-reported"):
    """The desktop believes that the call has ended; Twilio is asked."""


class SurveyTransferRequested(DesktopEvent, frozen=True, kw_only=True, tag="survey-transfer-requested"):
    pass


class RetryRequested(DesktopEvent, frozen=True, kw_only=True, tag="retry-requested"):
    pass


# --- the worker --------------------------------------------------------------------------------------------------


class ActionIntended(_Event, frozen=True, kw_only=True, tag="action-intended"):
    """Stored before a vendor is asked. `attempt` must be the call's `attempts + 1`."""

    action: Action
    attempt: int
    worker: str = ""


class ActionEnded(_Event, frozen=True, kw_only=True, tag="action-ended"):
    """The vendor's answer to the attempt of that number. Applied whatever has become of the lease."""

    action: Action
    attempt: int
    outcome: Outcome


class ActionAbandoned(_Event, frozen=True, kw_only=True, tag="action-abandoned"):
    """Whoever intended this attempt is gone; what became of it is not known."""

    attempt: int


class TimePassed(_Event, frozen=True, kw_only=True, tag="time-passed"):
    """A deadline passed, or something of our own was done.

    `what`: `pause-overdue`, `stop-unconfirmed`, `restarts-exhausted`, `stop-written-off`, `handed-over`, `held-back`
    (an action waits for a vendor that is not well), `parked` (no worker could work on the call) or `unparked`.
    """

    what: str
    subject: str = ""


class TranscriptionDoubted(_Event, frozen=True, kw_only=True, tag="transcription-doubted"):
    """A stop was sent past the store while that was away: whether ASAPP still transcribes is not known."""


class UtterancesHeard(_Event, frozen=True, kw_only=True, tag="utterances-heard"):
    """Transcripts have arrived up to this time (kept outside the call; told when a probe would be due)."""

    until: int


class AuditRequested(_Event, frozen=True, kw_only=True, tag="audit-requested"):
    """Read the call and its conferences: after a reconnect to Redis, or when something was seen to be missing.

    `is_forgetful`: the store is another server than before, and what it acknowledged last may never have reached it.
    """

    why: str = ""
    is_forgetful: bool = False


Event = (
    CallArrived
    | CallAdopted
    | LegAnswered
    | LegEnded
    | CallRead
    | LegRead
    | StreamStarted
    | StreamStopped
    | StreamFailed
    | ParticipantJoined
    | ParticipantLeft
    | ParticipantHeld
    | ParticipantUnheld
    | ParticipantModified
    | ConferenceStarted
    | ConferenceEnded
    | ParticipantsRead
    | ReservationAccepted
    | ReservationEnded
    | WorkerLegNamed
    | TaskEnded
    | DialEnded
    | SurveyReached
    | AgentConnected
    | AgentDisconnected
    | HoldReported
    | UnholdReported
    | PauseRequested
    | PauseLifted
    | ConsentGiven
    | ConsentWithdrawn
    | CallEndReported
    | SurveyTransferRequested
    | RetryRequested
    | ActionIntended
    | ActionEnded
    | ActionAbandoned
    | TimePassed
    | TranscriptionDoubted
    | UtterancesHeard
    | AuditRequested
)


def name_of(event: Event) -> str:
    """The event's name for people and programs, e.g. `participant-held`."""
    return str(event.__struct_config__.tag)
