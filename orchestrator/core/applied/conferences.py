"""Conferences: who is in, who is held. Ordered per conference, leg and attribute by Twilio's SequenceNumber.

Every participant callback tells presence, hold and coaching at once, so each one repairs what an overtaken or lost
one would have said. A hold is a property of being in the room and dies with leaving it.
"""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.agents import with_agent_leg
from orchestrator.core.applied.common import first, swapped, with_reading, with_reading_failed, without_reading
from orchestrator.core.call import Call, Conference, Participant
from orchestrator.core.events import (
    ConferenceEnded,
    ConferenceStarted,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantNews,
    ParticipantSnapshot,
    ParticipantsRead,
    ParticipantUnheld,
)
from orchestrator.core.people import seats

CUSTOMER_LABEL = "customer"
_GAP_GRACE_MS = 1_000
_DOUBT_MS = 2_000
_CLAMP_MS = 5_000
_SECOND_MS = 1_000


def participant_news(call: Call, event: ParticipantNews) -> Call:
    """A participant joined, left, was held, unheld or modified."""
    room, call = _room(call, event)
    row = room.participant(event.leg) or Participant(leg=event.leg)
    is_newest_of_hold = event.sequence > row.hold_sequence
    is_newest_of_presence = event.sequence > row.present_sequence
    changed = _with_news(row, event)
    if row.is_held and changed.is_present and not changed.is_held and room.read_at > _source_time(event):
        # Twilio has said since then that this leg is held: it is asked once more before anything is heard.
        changed = replace(changed, is_held=True)
        call = with_reading(call, f"conference:{room.sid}", event.at, "an unhold of before the last look")
    known = room.participant(event.leg)
    rows = (*room.participants, changed) if known is None else swapped(room.participants, known, changed)
    call = _put(call, room, replace(room, participants=rows))
    call = _unhold_clears_desktop_hold(call, event) if is_newest_of_hold else call
    call = _join_refutes_survey(call, event) if is_newest_of_presence else call
    return _with_identity(call, event.leg, event.label, event.at)


def _with_news(row: Participant, event: ParticipantNews) -> Participant:
    is_present = not isinstance(event, ParticipantLeft)
    if event.sequence > row.present_sequence:
        row = replace(
            row,
            is_present=is_present,
            present_sequence=event.sequence,
            since=event.at,
            label=event.label or row.label,
        )
    is_held = _held(event)
    if is_held is not None and event.sequence > row.hold_sequence:
        row = replace(row, is_held=is_held and row.is_present, hold_sequence=event.sequence, since=event.at)
    if event.is_coaching is not None and event.sequence > row.coaching_sequence:
        row = replace(row, is_coaching=event.is_coaching, coaching_sequence=event.sequence)
    return row


def _held(event: ParticipantNews) -> bool | None:
    """Leaving ends the hold; joining starts unheld unless the same news says otherwise."""
    if isinstance(event, ParticipantHeld):
        return True
    if isinstance(event, ParticipantUnheld | ParticipantLeft):
        return False
    if isinstance(event, ParticipantJoined):
        return bool(event.is_held)
    return event.is_held


def _room(call: Call, event: ParticipantNews | ConferenceStarted | ConferenceEnded) -> tuple[Conference, Call]:
    """The conference, made if new, with its sequence noted; a gap in the sequence makes a read of it due.

    Twilio's sequences begin at 0 or 1: a room first heard of later than that has a past that we do not know.
    """
    known = first(call.conferences, lambda each: each.sid == event.conference)
    room = known or Conference(sid=event.conference)
    sequence = event.sequence
    if sequence > max(room.last_sequence, 0) + 1:
        call = with_reading(call, f"conference:{room.sid}", event.at + _GAP_GRACE_MS, "gap in the sequence")
    news_at = event.at if sequence > room.last_sequence else room.news_at
    is_ours = room.is_ours if event.is_own_room is None else event.is_own_room
    noted = replace(room, last_sequence=max(room.last_sequence, sequence), news_at=news_at, is_ours=is_ours)
    rooms = (*call.conferences, noted) if known is None else swapped(call.conferences, known, noted)
    return noted, replace(call, conferences=rooms)


def _put(call: Call, old: Conference, new: Conference) -> Call:
    return replace(call, conferences=swapped(call.conferences, old, new))


def _with_identity(call: Call, leg: str, label: str | None, at: int) -> Call:
    """Labels tell agents; an unlabelled leg that is nobody yet is looked up once."""
    if leg == call.call_sid or label == CUSTOMER_LABEL:
        return call
    if label is not None and (label == "agent" or label.startswith("agent-")):
        return with_agent_leg(call, leg, label_id=label.removeprefix("agent").removeprefix("-") or None)
    is_agent = any(agent.leg == leg for agent in call.agents)
    is_named = label is not None or any(row.label is not None for _, row in seats(call, leg))
    if is_agent or is_named or call.is_ended:
        return call
    return with_reading(call, f"leg:{leg}", at, "unlabelled participant")


def _unhold_clears_desktop_hold(call: Call, event: ParticipantNews) -> Call:
    if event.leg != call.call_sid or not isinstance(event, ParticipantUnheld):
        return call
    unheld_at = _source_time(event)
    kept = tuple(pause for pause in call.pauses if pause.reason != "hold:desktop" or pause.since > unheld_at)
    orphaned = call.orphaned_hold
    is_over = orphaned is not None and orphaned.pause.since <= unheld_at
    return replace(call, pauses=kept, orphaned_hold=None if is_over else orphaned)


def _source_time(event: ParticipantNews) -> int:
    """The source's own time within 5 s of the receipt. Twilio tells whole seconds: the end of that second counts."""
    if event.occurred_at is None:
        return event.at
    return min(max(event.occurred_at + _SECOND_MS - 1, event.at - _CLAMP_MS), event.at)


def _join_refutes_survey(call: Call, event: ParticipantNews) -> Call:
    """A fetch of an action URL is only evidence of a survey: a customer who joins a conference is not in one."""
    if call.survey is None or call.survey.source != "twiml" or event.leg != call.call_sid:
        return call
    return replace(call, survey=None) if isinstance(event, ParticipantJoined) else call


def conference_started(call: Call, event: ConferenceStarted) -> Call:
    return _room(call, event)[1]


def conference_ended(call: Call, event: ConferenceEnded) -> Call:
    room, call = _room(call, event)
    return _put(call, room, replace(room, is_ended=True))


def participants_read(call: Call, event: ParticipantsRead) -> Call:
    """Twilio's own list compared with what the callbacks told; news that came after the question is newer."""
    key = f"conference:{event.conference}"
    if not event.is_readable:
        return with_reading_failed(call, key, event.at)
    call = without_reading(call, key)
    room = first(call.conferences, lambda each: each.sid == event.conference)
    if room is None or room.is_ended:
        return call
    if not event.participants and room.news_at > event.asked_at - _DOUBT_MS:
        return with_reading(call, key, event.at + _DOUBT_MS, "an empty list right after news")
    listed = {row.leg: row for row in event.participants}
    rows = tuple(_with_row(row, listed.get(row.leg), event) for row in room.participants)
    known = {row.leg for row in rows}
    fresh = tuple(_from_snapshot(listed[leg], event.at) for leg in listed if leg not in known)
    call = _put(call, room, replace(room, participants=(*rows, *fresh), read_at=event.asked_at))
    row = room.participant(call.call_sid)
    if row is not None and row.is_present and call.call_sid not in listed:
        call = with_reading(call, "call", event.at, "the customer is no longer in the conference")
    for snapshot in event.participants:
        call = _with_identity(call, snapshot.leg, snapshot.label, event.at)
    return call


def _with_row(row: Participant, listed: ParticipantSnapshot | None, event: ParticipantsRead) -> Participant:
    if row.since > event.asked_at:
        return row
    if listed is None:
        return replace(row, is_present=False, is_held=False) if row.is_present else row
    return replace(
        row,
        is_present=True,
        is_held=listed.is_held,
        is_coaching=listed.is_coaching,
        label=row.label or listed.label,
    )


def _from_snapshot(row: ParticipantSnapshot, at: int) -> Participant:
    return Participant(
        leg=row.leg, label=row.label, is_present=True, is_held=row.is_held, is_coaching=row.is_coaching, since=at
    )
