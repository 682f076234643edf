"""Twilio's form posts in our words.

Each function takes the form as a mapping (names and values as sent, already verified to be signed) and the time of
receipt `at`, and gives the event with the identifiers found beside it, `Incoming`; None for types of event that this
service does not need. Fields may be added by Twilio at any time and are ignored. What an identifier or a sequence
number must be and is not raises `MalformedRequest`, and nothing else is ever raised.

Sources: Twilio: TwiML Voice request parameters, call status callbacks, `<Stream>` and `<Conference>` status callbacks,
TaskRouter Events reference. Three formats of time occur (RFC 2822, ISO 8601, epoch); all become milliseconds since the
epoch, within five seconds of `at`, and None where a time cannot be read, since it only serves order and display.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from orchestrator.core import events as e
from orchestrator.errors import OrchestratorError

Form = Mapping[str, str]
_CLAMP_MS = 5000
_ENDED = ("completed", "busy", "failed", "no-answer", "canceled")
_LONGEST_TEXT = 256


class MalformedRequest(OrchestratorError):  # noqa: N818  # the name says whose error it is
    """A signed request that is not what Twilio documents. The message names the field, not its value."""

    def __init__(self, field: str) -> None:
        super().__init__("malformed-request", f"{field} is missing or malformed", field=field)


class VoiceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A fetch of TwiML. `called` is a number or, for SIP, the whole address; `sip_domain` its domain.

    `failed_url`: of the fallback alone, what could not be fetched before.
    """

    call_sid: str
    caller: str = ""
    called: str = ""
    direction: str = ""
    parent: str | None = None
    status: str = ""
    sip_domain: str = ""
    failed_url: str = ""
    sip_headers: dict[str, str] = {}
    parameters: dict[str, str] = {}

    @property
    def own_number(self) -> str:
        """What was called; of a leg that was itself placed over REST, who called."""
        return self.caller if self.direction.startswith("outbound") else self.called

    @property
    def customer_number(self) -> str:
        return self.called if self.direction.startswith("outbound") else self.caller

    def __repr__(self) -> str:
        return f"VoiceRequest({self.call_sid}, {self.direction}, fields hidden)"


class DialResult(msgspec.Struct, frozen=True, kw_only=True):
    """A fetch of what follows a dial or queue. `child` is the leg that was dialled, where Twilio says so."""

    leg: str
    outcome: str
    child: str | None = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """An event and what it names. `event` is None where only the names are news.

    `leg` is the leg that the event is about, `parent` the leg that dialled it, `customer` the customer's leg where
    the source says which it is, `worker_leg` an agent's.
    """

    event: e.Event | None
    leg: str | None = None
    parent: str | None = None
    conference: str | None = None
    task: str | None = None
    customer: str | None = None
    worker_leg: str | None = None


def voice_request(form: Form) -> VoiceRequest:
    """The parameters of a TwiML fetch. `parameters` holds all of them, `SipHeader_X` is `sip_headers["X"]`.

    A caller waits for the answer, so only what no answer can do without must be well formed.
    """
    return VoiceRequest(
        call_sid=_sid(form, "CallSid", "CA"),
        caller=_text(form, "From"),
        called=_text(form, "To"),
        direction=_text(form, "Direction"),
        parent=_matching(form.get("ParentCallSid"), "CA"),
        status=_text(form, "CallStatus"),
        sip_domain=_text(form, "SipDomain"),
        failed_url=form.get("ErrorUrl", ""),
        sip_headers={name[10:]: value for name, value in form.items() if name.startswith("SipHeader_")},
        parameters=dict(form),
    )


def dial_ended(form: Form) -> DialResult:
    """DialCallStatus of a dial, QueueResult of a queue; empty where neither is said."""
    return DialResult(
        leg=_sid(form, "CallSid", "CA"),
        outcome=_text(form, "DialCallStatus") or _text(form, "QueueResult"),
        child=_matching(form.get("DialCallSid"), "CA"),
    )


def stream_event(form: Form, at: int) -> Incoming | None:
    """Twilio: `<Stream>` statusCallback."""
    leg, sid = _sid(form, "CallSid", "CA"), _sid(form, "StreamSid", "MZ")
    name = _text(form, "StreamName") or sid
    when = occurred_at(form.get("Timestamp"), at)
    match form.get("StreamEvent"):
        case "stream-started":
            return Incoming(event=e.StreamStarted(at=at, occurred_at=when, name=name, sid=sid), leg=leg)
        case "stream-stopped":
            return Incoming(event=e.StreamStopped(at=at, occurred_at=when, name=name, sid=sid), leg=leg)
        case "stream-error":
            error = _text(form, "StreamError") or _text(form, "ErrorCode")
            return Incoming(event=e.StreamFailed(at=at, occurred_at=when, name=name, sid=sid, error=error), leg=leg)
    return None


def call_status_event(form: Form, at: int, *, is_dialled: bool = False) -> Incoming | None:
    """Twilio: call status callbacks. `is_dialled`: this is the callback of a child leg that our TwiML dialled."""
    leg = _sid(form, "CallSid", "CA")
    parent = _sid_or_none(form, "ParentCallSid", "CA")
    when = occurred_at(form.get("Timestamp"), at)
    status = form.get("CallStatus")
    if status in _ENDED:
        ended = e.LegEnded(at=at, occurred_at=when, leg=leg, reason=status)
        return Incoming(event=ended, leg=leg, parent=parent)
    if status == "in-progress":
        answered = e.LegAnswered(at=at, occurred_at=when, leg=leg, identity=_device(form), is_dialled=is_dialled)
        return Incoming(event=answered, leg=leg, parent=parent)
    return None


def conference_event(form: Form, at: int) -> Incoming | None:
    """Twilio: `<Conference>` statusCallback. Order is by `sequence`, per conference."""
    kind = form.get("StatusCallbackEvent")
    if kind in {"conference-start", "conference-end"}:
        return _conference_itself(form, at, is_start=kind == "conference-start")
    news = _PARTICIPANT_NEWS.get(kind or "")
    if news is None:
        return None
    conference, leg = _sid(form, "ConferenceSid", "CF"), _sid(form, "CallSid", "CA")
    more = {"reason": _text(form, "ReasonParticipantLeft")} if news is e.ParticipantLeft else {}
    event = news(
        at=at,
        occurred_at=occurred_at(form.get("Timestamp"), at),
        conference=conference,
        leg=leg,
        sequence=_sequence(form),
        label=_text(form, "ParticipantLabel") or None,
        is_held=_flag(form, "Hold"),
        is_coaching=_flag(form, "Coaching"),
        is_own_room=_is_own_room(form),
        **more,
    )
    customer = leg if event.label == "customer" else _own_room(form)
    return Incoming(event=event, leg=leg, conference=conference, customer=customer)


_PARTICIPANT_NEWS: dict[str, Any] = {
    "participant-join": e.ParticipantJoined,
    "participant-leave": e.ParticipantLeft,
    "participant-hold": e.ParticipantHeld,
    "participant-unhold": e.ParticipantUnheld,
    "participant-mute": e.ParticipantModified,
    "participant-unmute": e.ParticipantModified,
    "participant-modify": e.ParticipantModified,
}


def _conference_itself(form: Form, at: int, *, is_start: bool) -> Incoming:
    conference = _sid(form, "ConferenceSid", "CF")
    kind = e.ConferenceStarted if is_start else e.ConferenceEnded
    when = occurred_at(form.get("Timestamp"), at)
    event = kind(
        at=at, occurred_at=when, conference=conference, sequence=_sequence(form), is_own_room=_is_own_room(form)
    )
    return Incoming(event=event, conference=conference, customer=_own_room(form))


def _own_room(form: Form) -> str | None:
    """A room that our TwiML made bears the call's SID as its name."""
    return _matching(form.get("FriendlyName"), "CA")


def _is_own_room(form: Form) -> bool | None:
    """None where no name was sent."""
    return _own_room(form) is not None if form.get("FriendlyName") else None


RESERVATION_OVER = (
    "reservation.wrapup",
    "reservation.completed",
    "reservation.canceled",
    "reservation.rescinded",
    "reservation.timeout",
    "reservation.rejected",
    "reservation.failed",
)
TASK_OVER = ("task.completed", "task.canceled", "task.deleted", "task.system-deleted")


def taskrouter_event(form: Form, at: int) -> Incoming | None:
    """Twilio: TaskRouter event callbacks. The attributes may be anything; those of transfers and updates name legs.

    TaskRouter numbers nothing; its own time of an event is the only order there is among its events.
    """
    kind = _text(form, "EventType")
    if not kind.startswith(("reservation.", "task.")):
        return None
    task = _sid_or_none(form, "TaskSid", "WT")
    names = _task_names(form.get("TaskAttributes"))
    return Incoming(event=_task_event(form, at, kind, task or "", names["worker_leg"]), task=task, **names)


def _task_event(form: Form, at: int, kind: str, task: str, leg: str | None) -> e.Event | None:
    told = (form.get("TimestampMs") or form.get("Timestamp") or "").strip()
    common: dict[str, Any] = {
        "at": at,
        "occurred_at": occurred_at(told, at),
        "order": max(0, _moment(told) or 0),
        "task": task,
    }
    worker = _text(form, "WorkerName") or _text(form, "WorkerSid")
    reservation = _matching(form.get("ReservationSid"), "WR") or ""
    if kind == "reservation.accepted" and worker:
        return e.ReservationAccepted(**common, worker=worker, reservation=reservation, leg=leg)
    if kind in RESERVATION_OVER and worker:
        return e.ReservationEnded(**common, worker=worker, reservation=reservation, leg=leg)
    if kind in TASK_OVER:
        return e.TaskEnded(**common)
    return e.WorkerLegNamed(**common, leg=leg) if leg is not None else None


def _task_names(attributes: str | None) -> dict[str, str | None]:
    """The legs and the room that a task's attributes name.

    Our TwiML puts `call` there, TaskRouter `call_sid` (of a call that an agent places that may be the agent's) and
    `worker_call_sid`, Flex `conference`.
    """
    try:
        decoded = msgspec.json.decode(attributes or "")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = None
    task = _mapping(decoded)
    conference = _mapping(task.get("conference"))
    participants = _mapping(conference.get("participants"))
    return {
        "customer": _matching(task.get("call"), "CA")
        or _matching(participants.get("customer"), "CA")
        or _matching(task.get("call_sid"), "CA"),
        "worker_leg": _matching(task.get("worker_call_sid"), "CA") or _matching(participants.get("worker"), "CA"),
        "conference": _matching(conference.get("sid"), "CF"),
    }


def occurred_at(text: str | None, at: int) -> int | None:
    """The source's own time in any of Twilio's three formats, within five seconds of the receipt."""
    moment = _moment((text or "").strip())
    return None if moment is None else min(max(moment, at - _CLAMP_MS), at + _CLAMP_MS)


def _moment(text: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,15}", text):
        return int(text) if len(text) > 11 else int(text) * 1000  # noqa: PLR2004  # seconds have ten digits
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return round(aware.timestamp() * 1000)
        except (ValueError, TypeError, IndexError, OverflowError):  # what the parsers raise for what is no time
            continue
    return None


def _matching(value: object, prefix: str) -> str | None:
    is_sid = isinstance(value, str) and re.fullmatch(prefix + r"[0-9a-f]{32}", value)
    return str(value) if is_sid else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sid(form: Form, field: str, prefix: str) -> str:
    found = _matching(form.get(field), prefix)
    if found is None:
        raise MalformedRequest(field)
    return found


def _sid_or_none(form: Form, field: str, prefix: str) -> str | None:
    return _sid(form, field, prefix) if form.get(field) else None


def _sequence(form: Form) -> int:
    text = form.get("SequenceNumber") or ""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise MalformedRequest("SequenceNumber")
    return int(text)


def _flag(form: Form, field: str) -> bool | None:
    return {"true": True, "false": False}.get((form.get(field) or "").lower())


def _text(form: Form, field: str) -> str:
    return (form.get(field) or "")[:_LONGEST_TEXT]


def _device(form: Form) -> str | None:
    """Whose device a leg is, if it is one: whom we dialled, or who called. A phone number is nobody's name."""
    other_end = _text(form, "From") if _text(form, "Direction") == "inbound" else _text(form, "To")
    return other_end if other_end.startswith(("client:", "sip:", "sips:")) else None
