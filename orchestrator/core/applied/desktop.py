"""What the agent desktop reports and asks, survey and dial ends. Pause reasons stand until taken away by name."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.common import first, swapped, with_reading
from orchestrator.core.call import Call, Pause, Survey
from orchestrator.core.events import (
    AgentConnected,
    AgentDisconnected,
    CallEndReported,
    ConsentGiven,
    ConsentWithdrawn,
    DesktopEvent,
    DialEnded,
    HoldReported,
    PauseLifted,
    PauseRequested,
    RetryRequested,
    SurveyReached,
    SurveyTransferRequested,
    UnholdReported,
)
from orchestrator.core.people import STOPPED

DESKTOP_HOLD = "hold:desktop"
CONSENT = "consent"
_KEPT_EVENT_IDS = 64


def is_repeat(call: Call, event: DesktopEvent) -> bool:
    """The same `event_id` again, or overtaken by a higher `sequence` of the same key about the same thing."""
    if event.event_id is not None and event.event_id in call.seen_event_ids:
        return True
    if event.sequence is None:
        return False
    return any(event.sequence <= call.sequences.get(key, -1) for key in _attributes(event))


def remembered(call: Call, event: DesktopEvent) -> Call:
    """The call that knows this event's id and sequence, so that a repeat changes nothing."""
    if event.event_id is not None:
        call = replace(call, seen_event_ids=(*call.seen_event_ids, event.event_id)[-_KEPT_EVENT_IDS:])
    if event.sequence is not None:
        call = replace(call, sequences={**call.sequences, **dict.fromkeys(_attributes(event), event.sequence)})
    return call


def _attributes(event: DesktopEvent) -> list[str]:
    """What the event is about; order matters only among events about the same thing from the same key."""
    match event:
        case HoldReported() | UnholdReported():
            about = ["hold"]
        case PauseRequested(reason=reason) | PauseLifted(reason=reason):
            about = [f"pause:{reason}"]
        case ConsentGiven() | ConsentWithdrawn():
            about = [f"pause:{CONSENT}"]
        case AgentConnected(agent_id=agent_id, agent_leg=leg) | AgentDisconnected(agent_id=agent_id, agent_leg=leg):
            names = (("agent", agent_id), ("agent-leg", leg))
            about = [f"{kind}:{name}" for kind, name in names if name is not None] or ["agent"]
        case _:
            about = [str(event.__struct_config__.tag)]
    return [f"{event.source}/{each}" for each in about]


def with_pause(call: Call, reason: str, at: int, source: str) -> Call:
    if any(pause.reason == reason for pause in call.pauses):
        return call
    return replace(call, pauses=(*call.pauses, Pause(reason=reason, since=at, source=source)))


def without_pause(call: Call, reason: str) -> Call:
    return replace(call, pauses=tuple(pause for pause in call.pauses if pause.reason != reason))


def hold_reported(call: Call, event: HoldReported) -> Call:
    return with_pause(call, DESKTOP_HOLD, event.at, event.source)


def unhold_reported(call: Call, _event: UnholdReported) -> Call:
    return replace(without_pause(call, DESKTOP_HOLD), orphaned_hold=None)


def pause_requested(call: Call, event: PauseRequested) -> Call:
    return with_pause(call, event.reason, event.at, event.source)


def pause_lifted(call: Call, event: PauseLifted) -> Call:
    """Consent is given by `consent-given` alone; a stop for good is lifted by nothing."""
    return call if event.reason in {CONSENT, STOPPED} else without_pause(call, event.reason)


def consent_given(call: Call, _event: ConsentGiven) -> Call:
    return replace(without_pause(call, CONSENT), is_consent_given=True)


def consent_withdrawn(call: Call, event: ConsentWithdrawn) -> Call:
    return replace(with_pause(call, CONSENT, event.at, event.source), is_consent_given=False)


def call_end_reported(call: Call, event: CallEndReported) -> Call:
    """Not believed by itself: Twilio is asked, and answers for the customer's leg."""
    return call if call.is_ended else with_reading(call, "call", event.at, "the desktop says it has ended")


def survey_transfer_requested(call: Call, event: SurveyTransferRequested) -> Call:
    if call.is_ended or (call.survey is not None and call.survey.source == "api"):
        return call
    return replace(call, survey=Survey(source="api", since=event.at))


def survey_reached(call: Call, event: SurveyReached | DialEnded) -> Call:
    """Twilio runs the step in front of the survey. After our own redirect this is its echo."""
    if call.is_ended or call.survey is not None:
        return call
    return replace(call, survey=Survey(source="twiml", since=event.at))


def dial_ended(call: Call, event: DialEnded) -> Call:
    """Whoever was dialled is no longer with the customer, even if the news of that leg's end was lost."""
    agent = first(call.agents, lambda each: each.leg is not None and each.leg == event.child)
    if agent is not None:
        call = replace(call, agents=swapped(call.agents, agent, replace(agent, is_answered=False)))
    return survey_reached(call, event) if event.goes_to_survey else call


def retry_requested(call: Call, _event: RetryRequested) -> Call:
    """Everything that was given up is tried again, from the first step of its ladder."""
    survey = call.survey
    if survey is not None and survey.redirect == "unknown":
        survey = replace(survey, redirect="none", failures=0, not_before=0)
    return replace(
        call,
        survey=survey,
        problems=tuple(each for each in call.problems if each.id == "pause-overdue"),
        has_given_up_streams=False,
        restarts=(),
        restart_failures=0,
        restart_not_before=0,
        transcription=replace(call.transcription, is_refused=False, failures=0, not_before=0),
    )
