"""The customer's leg and the agents' legs: arrival, adoption, answers, ends, and what Twilio says when asked."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.agents import with_agent_leg
from orchestrator.core.applied.common import first, swapped, with_reading, with_reading_failed, without_reading
from orchestrator.core.applied.desktop import CONSENT, with_pause, without_pause
from orchestrator.core.call import Call, MediaStream, Pause, Progress, StreamState, Transcription, TranscriptionState
from orchestrator.core.events import CallAdopted, CallArrived, CallRead, LegAnswered, LegEnded, LegRead
from orchestrator.core.people import has_stream_cutting_pause, is_device, matches_identity
from orchestrator.core.profile import Profile

_MISSING_READS_TO_END = 2
_SECOND_LOOK_MS = 2_000
OTHER_LABEL = "other"


def begin(event: CallArrived | CallAdopted) -> Call:
    """The first sight of a call: from the voice webhook, or adopted from a trustworthy source."""
    pauses: tuple[Pause, ...] = ()
    if event.profile.consent == "required":
        pauses = (Pause(reason="consent", since=event.at, source="profile"),)
    if isinstance(event, CallAdopted):
        return _adopted(event, pauses)
    call = Call(
        call_sid=event.call_sid,
        profile=event.profile,
        created_at=event.at,
        updated_at=event.at,
        direction=event.direction,
        customer_id=event.customer_id,
        customer_number=event.customer_number,
        called_number=event.called_number,
        pauses=pauses,
    )
    call = _with_device(call, event)
    if event.has_stream_url and _offers_stream(call):
        first_stream = MediaStream(
            name="asapp-1", generation=1, state=StreamState.REQUESTED, origin="twiml", requested_at=event.at
        )
        return replace(call, streams=(first_stream,))
    return call


def _with_device(call: Call, event: CallArrived) -> Call:
    """The agent who placed the call, connected from its answer on; told once, for the device may have hung up since."""
    if event.device is None or any(agent.leg == event.device for agent in call.agents):
        return call
    return with_agent_leg(call, event.device, identity=event.device_identity, is_answered=True)


def _offers_stream(call: Call) -> bool:
    profile = call.profile
    begins_at_once = profile.transcribe and profile.stream_from == "call-start" and call.direction == "inbound"
    return begins_at_once and not has_stream_cutting_pause(call)


def _adopted(event: CallAdopted, pauses: tuple[Pause, ...]) -> Call:
    """Transcription and stream unknown, own names from `asapp-1001`; nothing is done before Twilio was asked."""
    unknown_stream = MediaStream(
        name="asapp-1", generation=1, state=StreamState.UNKNOWN, origin="adopted", requested_at=event.at
    )
    call = Call(
        call_sid=event.call_sid,
        profile=event.profile,
        created_at=event.at,
        updated_at=event.at,
        direction="adopted",
        customer_id=event.call_sid,
        progress=Progress.UNKNOWN,
        pauses=pauses,
        streams=(unknown_stream,),
        transcription=Transcription(state=TranscriptionState.UNKNOWN, since=event.at, stream="asapp-1"),
    )
    return with_reading(call, "call", event.at, f"adopted from {event.via}")


def call_arrived(call: Call, event: CallArrived) -> Call:
    """The voice webhook for a call that is known: a repeat, or the proof that an adopted call is real."""
    if call.progress is Progress.UNKNOWN:
        known = replace(
            _with_profile(_with_device(call, event), event.profile, event.at),
            progress=Progress.IN_PROGRESS,
            customer_id=event.customer_id,
            customer_number=event.customer_number,
            called_number=event.called_number,
        )
        return without_reading(known, "call")
    if call.progress is Progress.DROPPED:
        return replace(begin(event), version=call.version)
    return _with_device(call, event)


def _with_profile(call: Call, profile: Profile | None, at: int) -> Call:
    """What the numbers of an adopted call ask for, once they are known. Consent given before is remembered."""
    if profile is None:
        return call
    call = replace(call, profile=profile)
    if profile.consent == "required" and not call.is_consent_given:
        return with_pause(call, CONSENT, at, "profile")
    is_withdrawn = any(pause.reason == CONSENT and pause.source != "profile" for pause in call.pauses)
    return call if is_withdrawn else without_pause(call, CONSENT)


def leg_answered(call: Call, event: LegAnswered) -> Call:
    if event.leg == call.call_sid:
        return replace(call, progress=Progress.IN_PROGRESS) if call.progress is Progress.UNKNOWN else call
    known = first(call.agents, lambda agent: agent.leg == event.leg)
    if known is None and not event.is_dialled and not matches_identity(call, event.identity):
        return call
    if known is not None and known.is_answered is False:
        return call  # callbacks may be overtaken: a leg that has ended is not answered again
    return with_agent_leg(call, event.leg, identity=event.identity, is_answered=True)


def leg_ended(call: Call, event: LegEnded) -> Call:
    if event.leg == call.call_sid:
        return ended(call, event.at, event.reason)
    known = first(call.agents, lambda agent: agent.leg == event.leg)
    if known is None and not event.is_dialled:
        return call
    return _out_of_all_rooms(with_agent_leg(call, event.leg, is_answered=False), event.leg, event.at)


def _out_of_all_rooms(call: Call, leg: str, at: int) -> Call:
    """A leg that has ended is in no conference, even if the news of its leaving was lost."""
    for conference in call.conferences:
        row = conference.participant(leg)
        if row is not None and row.is_present:
            gone = replace(row, is_present=False, is_held=False, since=at)
            room = replace(conference, participants=swapped(conference.participants, row, gone))
            call = replace(call, conferences=swapped(call.conferences, conference, room))
    return call


def is_agents_leg(call: Call, event: CallRead) -> bool:
    """The adopted SID turned out to be an agent's leg, so it is no call.

    An agent's device is one, and a child leg, unless an agent's device dialled it (that child is a customer's). Media
    streams of ours are on customers' legs only, so a leg that carries one is a customer's whatever else it looks like.
    """
    has_carried_stream = any(stream.sid is not None for stream in call.streams)
    if call.progress is not Progress.UNKNOWN or has_carried_stream:
        return False
    profile = event.profile or call.profile
    if is_device(profile, event.customer_number):
        return True
    return event.parent is not None and not is_device(profile, event.parent_identity)


def call_read(call: Call, event: CallRead) -> Call:
    if is_agents_leg(call, event):
        return _dropped(call, event.at, "an agent's leg")
    match event.status:
        case "in-progress":
            numbers = replace(
                without_reading(_verified(call, event), "call"),
                missing_reads=0,
                customer_number=call.customer_number or event.customer_number,
                called_number=call.called_number or event.called_number,
            )
            return numbers if call.is_ended else replace(numbers, progress=Progress.IN_PROGRESS)
        case "ended" if _is_unverified(call):
            return _dropped(call, event.at, "found ended")
        case "ended":
            return ended(without_reading(call, "call"), event.at, event.reason or "found ended")
        case "missing":
            return _missing(replace(without_reading(call, "call"), missing_reads=call.missing_reads + 1), event.at)
        case "ringing":
            call = without_reading(call, "call")
            return with_reading(call, "call", event.at + _SECOND_LOOK_MS) if _is_unverified(call) else call
        case _:
            return with_reading_failed(call, "call", event.at)


def _is_unverified(call: Call) -> bool:
    return call.progress is Progress.UNKNOWN


def _verified(call: Call, event: CallRead) -> Call:
    """An adopted call is real: its own profile counts from now on, and who dialled it is its agent."""
    if not _is_unverified(call):
        return call
    call = _with_profile(call, event.profile, event.at)
    if event.parent is None or not matches_identity(call, event.parent_identity):
        return call
    return with_agent_leg(call, event.parent, identity=event.parent_identity, is_answered=event.is_parent_live)


def _missing(call: Call, at: int) -> Call:
    """Twilio does not know the SID: believed at the second look, since reads may trail behind."""
    if call.missing_reads < _MISSING_READS_TO_END:
        return with_reading(call, "call", at + _SECOND_LOOK_MS, "second look")
    if call.direction == "adopted":
        return _dropped(call, at, "not known to Twilio")
    return ended(call, at, "not known to Twilio")


def _dropped(call: Call, at: int, reason: str) -> Call:
    """Never a call of ours, or one of long ago that a replayed callback told of: nothing is done for it any more."""
    off = replace(call.transcription, state=TranscriptionState.OFF)
    return replace(ended(call, at, reason), progress=Progress.DROPPED, transcription=off)


def ended(call: Call, at: int, reason: str) -> Call:
    """The end is absorbing for what is wanted; outcomes are still awaited. Twilio ends the streams with the call."""
    if call.is_ended:
        return call
    streams = tuple(
        replace(stream, state=StreamState.STOPPED, ended_at=at, may_live=False) if stream.may_live else stream
        for stream in call.streams
    )
    return replace(call, progress=Progress.ENDED, ended_at=at, end_reason=reason, streams=streams, readings=())


def leg_read(call: Call, event: LegRead) -> Call:
    """Who an unlabelled leg is. Not readable: asked again later; nobody until then."""
    key = f"leg:{event.leg}"
    if event.identity is None:
        return with_reading_failed(call, key, event.at)
    call = without_reading(call, key)
    if matches_identity(call, event.identity):
        return with_agent_leg(call, event.leg, identity=event.identity)
    if event.is_child_of_call:
        return with_agent_leg(call, event.leg)
    return _named_as_other(call, event.leg)


def _named_as_other(call: Call, leg: str) -> Call:
    """Nobody's agent: the leg is not asked about again."""
    for conference in call.conferences:
        row = conference.participant(leg)
        if row is not None:
            named = replace(row, label=row.label or OTHER_LABEL)
            room = replace(conference, participants=swapped(conference.participants, row, named))
            call = replace(call, conferences=swapped(call.conferences, conference, room))
    return call
