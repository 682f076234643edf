"""Conferences and bridges: joining, leaving, holding, and what their callback is told.

Twilio: `<Conference>` and the Participant resource. The first to join fixes the callback and its events.
"""

from typing import TYPE_CHECKING, Final

from orchestrator.emulators.twilio.formats import rfc2822, utc_now, yes_no
from orchestrator.emulators.twilio.model import Callback, Conference, Leg, Member, Room
from orchestrator.emulators.twilio.webhooks import Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

EVENTS: Final = frozenset(["start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"])
_SUBSCRIPTIONS: Final = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-mute": "mute",
    "participant-unmute": "mute",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-modify": "modify",
}
_TWO: Final = 2
DUPLICATE_LABEL: Final = 16025


def bridge(account: "Account", *legs: Leg) -> list[Member]:
    """Connect legs with one another, outside of any conference."""
    room = Room(account.conversation())
    for leg in legs:
        leave(account, leg, "participant_updated_via_api")
        leg.playing, leg.room = None, room
        room.members.append(Member(leg))
    return list(room.members)


def join(account: "Account", leg: Leg, name: str, member: Member, callback: Callback | None) -> bool:
    """Put a leg into the conference of that name, which begins if there is none.

    False when its label is taken there (16025): the leg is not added.
    """
    room = conference(account, name)
    if member.label and any(other.label == member.label for other in room.members):
        account.alert(DUPLICATE_LABEL, leg.sid, f"the label {member.label} is taken in {name}")
        return False
    if not room.members and room.callback is None:
        room.callback = callback
    leave(account, leg, "participant_updated_via_api")
    leg.playing, leg.room = None, room
    room.members.append(member)
    _tell(account, room, "participant-join", member)
    is_ready = len(room.members) >= _TWO and any(m.start_on_enter for m in room.members)
    if room.status == "init" and is_ready:
        room.status, room.updated = "in-progress", utc_now()
        _tell(account, room, "conference-start")
    return True


def conference(account: "Account", name: str) -> Conference:
    """Return the open conference of that name; it begins if there is none."""
    return account.open_conference(name) or _begin(account, name)


def leave(account: "Account", leg: Leg, reason: str) -> None:
    """Take a leg out of its room; the last one out, or one that ends the conference, ends it."""
    room, member = leg.room, leg.member
    leg.room = None
    if room is None or member is None:
        return
    room.members.remove(member)
    member.gone.set()
    if not isinstance(room, Conference):
        for other in list(room.members):
            leave(account, other.leg, reason)
        return
    _tell(account, room, "participant-leave", member, _parting(leg, reason))
    kicked = "kicked" if reason == "participant_updated_via_api" else "left"
    if member.end_on_exit:
        ended = f"participant-with-end-conference-on-exit-{kicked}"
        _end(account, room, "moderator_ended_conference", ended, member)
    elif not room.members:
        _end(account, room, reason, f"last-participant-{kicked}", member)


def end(account: "Account", room: Conference) -> None:
    """End a conference by REST; the legs go on with their documents."""
    _end(account, room, "conference_ended_via_api", "conference-ended-via-api", None)


def set_flags(
    account: "Account",
    member: Member,
    *,
    held: bool | None = None,
    muted: bool | None = None,
    has_hold_url: bool = False,
) -> None:
    """Hold, unhold, mute or unmute; only a change is told. What is heard on hold is decided when it begins."""
    room = member.leg.room
    if not isinstance(room, Conference):
        return
    member.updated = utc_now()
    if held is not None and held != member.held:
        member.held = held
        member.hold_is_silent = held and not has_hold_url and account.switches["hold-without-url"] == "silence"
        _tell(account, room, "participant-hold" if held else "participant-unhold", member)
    if muted is not None and muted != member.muted:
        member.muted = muted
        _tell(account, room, "participant-mute" if muted else "participant-unmute", member)


def modified(account: "Account", member: Member) -> None:
    """Tell that other flags of a participant were changed."""
    if isinstance(member.leg.room, Conference):
        member.updated = utc_now()
        _tell(account, member.leg.room, "participant-modify", member)


def callback_of(url: str, method: str, events: str | None, default: frozenset[str]) -> Callback | None:
    """Build the callback of a conference from the words of TwiML or REST; None without a URL."""
    named = frozenset((events or "").split())
    return Callback(url, method or "POST", named & EVENTS if named else default) if url else None


def _begin(account: "Account", name: str) -> Conference:
    first = int(account.switches["conference-first-sequence"])
    room = Conference(account.conversation(), name=name, sequence=first)
    account.conferences[room.sid] = room
    return room


def _end(account: "Account", room: Conference, parting: str, reason: str, by: Member | None) -> None:
    if room.status == "completed":
        return
    room.status, room.updated, room.reason_ended = "completed", utc_now(), reason
    room.ended_by_sid = by.leg.sid if by else None
    for member in list(room.members):
        room.members.remove(member)
        member.leg.room = None
        _tell(account, room, "participant-leave", member, _parting(member.leg, parting))
        member.gone.set()
    extra = {"ReasonConferenceEnded": reason, "Reason": reason}
    if by is not None:
        extra["CallSidEndingConference"] = by.leg.sid
        extra |= {"ParticipantLabelEndingConference": by.label} if by.label else {}
    _tell(account, room, "conference-end", None, extra)


def _parting(leg: Leg, reason: str) -> dict[str, str]:
    return {"ParticipantCallStatus": leg.status, "ReasonParticipantLeft": reason}


def _tell(
    account: "Account",
    room: Conference,
    event: str,
    member: Member | None = None,
    extra: dict[str, str] | None = None,
) -> None:
    callback = room.callback
    if callback is None or _SUBSCRIPTIONS[event] not in callback.events:
        return
    sequence, room.sequence = room.sequence, room.sequence + 1
    params = {
        "AccountSid": account.sid,
        "ConferenceSid": room.sid,
        "FriendlyName": room.name,
        "SequenceNumber": str(sequence),
        "StatusCallbackEvent": event,
        "Timestamp": rfc2822(utc_now()) or "",
        **(_member_params(member) if member else {}),
        **(extra or {}),
    }
    account.hooks.send(Webhook("conference-status", callback.url, params, callback.method))


def _member_params(member: Member) -> dict[str, str]:
    params = {
        "CallSid": member.leg.sid,
        "Muted": yes_no(member.muted),
        "Hold": yes_no(member.held),
        "Coaching": yes_no(member.coaching),
        "EndConferenceOnExit": yes_no(member.end_on_exit),
        "StartConferenceOnEnter": yes_no(member.start_on_enter),
    }
    return params | ({"ParticipantLabel": member.label} if member.label else {})
