"""`transition(call, event) -> call`: what an event makes known, applied. Total: it never raises and never refuses.

A late, repeated or impossible event returns a call that is right all the same. Time comes from the event.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from orchestrator.core import events as e
from orchestrator.core.applied import agents, conferences, desktop, legs, outcomes, streams
from orchestrator.core.applied.common import with_problem, with_reading, without_problems
from orchestrator.core.applied.streams import with_segment_closed
from orchestrator.core.call import SCHEMA, Call, TranscriptionState
from orchestrator.core.settle import settle

CLOCK_RAN_BACK_MS = 5_000
"""What is received is never told so much later than something that was received after it, with clocks as they are."""

_TAKEN_BACK = {"unparked": "parked", "quarantine-lifted": "utterances-quarantined"}


def begin(event: e.CallArrived | e.CallAdopted) -> Call:
    """The call that this first event makes."""
    return replace(settle(None, legs.begin(event), event.at), schema=SCHEMA)


def transition(call: Call, event: e.Event) -> Call:
    """The call after this event; the very same object when nothing changed."""
    if isinstance(event, e.DesktopEvent):
        if desktop.is_repeat(call, event):
            return call
        applied = _applied(desktop.remembered(call, event), event)
    else:
        applied = _applied(call, event)
    is_clock_back = call.updated_at - event.at > CLOCK_RAN_BACK_MS
    changed = settle(call, _with_the_clock_back(applied, event.at) if is_clock_back else applied, event.at)
    if changed == call:
        return call
    return replace(changed, updated_at=event.at if is_clock_back else max(call.updated_at, event.at), schema=SCHEMA)


def _with_the_clock_back(call: Call, at: int) -> Call:
    """Redis's clock was put back: from now on this call's time is the new one, and a wanted stop is due by it."""
    since = call.off_wanted_at
    return call if since is None else replace(call, off_wanted_at=min(since, at))


def _applied(call: Call, event: e.Event) -> Call:  # noqa: C901, PLR0912 - one line per event is the clearest table
    match event:
        case e.CallArrived():
            return legs.call_arrived(call, event)
        case e.CallAdopted():
            return call
        case e.LegAnswered():
            return legs.leg_answered(call, event)
        case e.LegEnded():
            return legs.leg_ended(call, event)
        case e.CallRead():
            is_told = event.status != "unreadable"
            return _read(_audited(legs.call_read(call, event), event.at), event, is_told=is_told)
        case e.LegRead():
            return _read(legs.leg_read(call, event), event, is_told=event.identity is not None)
        case e.StreamStarted():
            return streams.stream_started(call, event)
        case e.StreamStopped():
            return streams.stream_stopped(call, event)
        case e.StreamFailed():
            return streams.stream_failed(call, event)
        case (
            e.ParticipantJoined()
            | e.ParticipantLeft()
            | e.ParticipantHeld()
            | e.ParticipantUnheld()
            | e.ParticipantModified()
        ):
            return conferences.participant_news(call, event)
        case e.ConferenceStarted():
            return conferences.conference_started(call, event)
        case e.ConferenceEnded():
            return conferences.conference_ended(call, event)
        case e.ParticipantsRead():
            audited = _audited(conferences.participants_read(call, event), event.at)
            return _read(audited, event, is_told=event.is_readable)
        case e.ReservationAccepted():
            return agents.reservation_accepted(call, event)
        case e.ReservationEnded():
            return agents.reservation_ended(call, event)
        case e.WorkerLegNamed():
            return agents.worker_leg_named(call, event)
        case e.TaskEnded():
            return agents.task_ended(call, event)
        case e.DialEnded():
            return desktop.dial_ended(call, event)
        case e.SurveyReached():
            return desktop.survey_reached(call, event)
        case e.AgentConnected():
            return agents.agent_connected(call, event)
        case e.AgentDisconnected():
            return agents.agent_disconnected(call, event)
        case e.HoldReported():
            return desktop.hold_reported(call, event)
        case e.UnholdReported():
            return desktop.unhold_reported(call, event)
        case e.PauseRequested():
            return desktop.pause_requested(call, event)
        case e.PauseLifted():
            return desktop.pause_lifted(call, event)
        case e.ConsentGiven():
            return desktop.consent_given(call, event)
        case e.ConsentWithdrawn():
            return desktop.consent_withdrawn(call, event)
        case e.CallEndReported():
            return desktop.call_end_reported(call, event)
        case e.SurveyTransferRequested():
            return desktop.survey_transfer_requested(call, event)
        case e.RetryRequested():
            return desktop.retry_requested(call, event)
        case e.ActionIntended():
            return outcomes.action_intended(call, event)
        case e.ActionEnded():
            return outcomes.action_ended(call, event)
        case e.ActionAbandoned():
            return outcomes.action_abandoned(call, event)
        case e.TimePassed():
            return _time_passed(call, event)
        case e.TranscriptionDoubted():
            return outcomes.transcription_doubted(_audit_requested(call, _why_doubted(event)), event)
        case e.UtterancesHeard():
            return replace(call, last_heard_at=max(call.last_heard_at, event.until))
        case e.AuditRequested():
            return _audit_requested(call, event)
        case _:
            assert_never(event)


def _audited(call: Call, at: int) -> Call:
    """An answer from Twilio puts the next regular look off."""
    due = call.audit_at is not None and call.audit_at <= at
    return replace(call, audit_at=None) if due else call


def _read(call: Call, event: e.CallRead | e.LegRead | e.ParticipantsRead, *, is_told: bool) -> Call:
    """Whoever cannot look is told to people: what callbacks lose stays lost until somebody sets that right."""
    if event.refusal:
        return with_problem(call, "twilio-unreadable", event.at, event.refusal)
    return without_problems(call, "twilio-unreadable") if is_told else call


def _why_doubted(event: e.TranscriptionDoubted) -> e.AuditRequested:
    """Whatever made somebody send that stop could not be stored: Twilio is asked who is held."""
    return e.AuditRequested(at=event.at, why="a stop was sent with Redis away")


def _audit_requested(call: Call, event: e.AuditRequested) -> Call:
    if call.is_ended:
        return call
    call = with_reading(call, "call", event.at, event.why)
    for conference in call.conferences:
        if not conference.is_ended:
            call = with_reading(call, f"conference:{conference.sid}", event.at, event.why)
    call = replace(call, audit_at=None)
    return outcomes.start_forgotten(call, event.at) if event.is_forgetful else call


def _time_passed(call: Call, event: e.TimePassed) -> Call:
    match event.what:
        case "pause-overdue":
            return with_problem(call, "pause-overdue", event.at, event.subject)
        case "stop-unconfirmed":
            return with_problem(call, "stop-unconfirmed", event.at, event.subject)
        case "utterances-quarantined":
            return with_problem(call, "utterances-quarantined", event.at, event.subject)
        case "restarts-exhausted":
            given_up = replace(call, has_given_up_streams=True)
            return with_problem(given_up, "stream-restarts-exhausted", event.at, event.subject, gave_up=True)
        case "held-back":
            is_on = call.transcription.state is TranscriptionState.ON
            return call if is_on or call.trouble else replace(call, trouble=event.subject)
        case "parked":
            return with_problem(call, "parked", event.at, event.subject, gave_up=True)
        case "unparked" | "quarantine-lifted":
            return without_problems(call, _TAKEN_BACK[event.what])
        case "handed-over":
            return replace(call, is_handed_over=True)
        case "stop-written-off":
            off = replace(call.transcription, state=TranscriptionState.OFF, since=event.at)
            return replace(with_segment_closed(call, call.ended_at or event.at), transcription=off, in_flight=None)
        case _:
            return call
