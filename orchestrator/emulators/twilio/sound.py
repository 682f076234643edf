"""What each track of a leg carries at a moment, decided by the state of the call alone.

Inbound is the leg's own microphone, outbound is what Twilio plays to it (Twilio: Stream, track; Participant,
Hold). A held participant is out of the mix both ways, and its microphone is still in its own stream.
"""

from orchestrator.emulators.audio import Kind, tone
from orchestrator.emulators.twilio.model import Leg, Member, Role, Room


def inbound(leg: Leg, now: float) -> bytes:
    """Return the frame of the leg's microphone."""
    return _microphone(leg, now) or tone(Kind.SILENCE)


def outbound(leg: Leg, now: float) -> bytes:
    """Return the frame that the leg hears."""
    if leg.playing is not None:
        return tone(leg.playing)
    member = leg.member
    if leg.room is None or member is None:
        return tone(Kind.SILENCE)
    if member.held:
        return tone(Kind.SILENCE if member.hold_is_silent else Kind.HOLD_MUSIC)
    if leg.room.is_waiting:
        return tone(Kind.QUEUE_MUSIC)
    return _mix(leg.room, member, now)


def _mix(room: Room, listener: Member, now: float) -> bytes:
    for member in room.members:
        if member is listener or member.held or member.muted:
            continue
        if member.coaching and member.coached_sid != listener.leg.sid:
            continue
        frame = _microphone(member.leg, now)
        if frame is not None:
            return frame
    return tone(Kind.SILENCE)


def _microphone(leg: Leg, now: float) -> bytes | None:
    if leg.room is not None:
        leg.room.conversation.advance(leg.room, now)
    if leg.speech is None:
        return None
    return leg.speech.frame(_kind(leg), now)


def _kind(leg: Leg) -> Kind:
    member = leg.member
    if leg.role is Role.CUSTOMER:
        return Kind.HELD_CUSTOMER if member is not None and member.held else Kind.CUSTOMER_SPEECH
    if leg.room is None or member is None or member.coaching or member.held:
        return Kind.CONSULT
    heard = any(other.leg.role is Role.CUSTOMER and not other.held for other in leg.room.members)
    return Kind.AGENT_SPEECH if heard else Kind.CONSULT
