"""One sentence for each event of a timeline: what became known, what was asked of a vendor, what it answered.

No phone number beyond its last four digits. An event that this release does not know is named as it is.
"""

from __future__ import annotations

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.log import clean_text

_VERDICTS = {
    Verdict.DONE: "done",
    Verdict.ALREADY: "it was so already",
    Verdict.BUSY: "another request for this call is under way",
    Verdict.NO_STREAM: "no media stream is known there",
    Verdict.NOT_IN_PROGRESS: "the call is not in progress",
    Verdict.NOT_FOUND: "there is no such thing",
    Verdict.REFUSED_FOR_NOW: "refused for now",
    Verdict.FAILED: "an error; it may have been carried out",
    Verdict.UNKNOWN: "no answer in time; it may have been carried out",
    Verdict.TERMINAL: "refused for good",
}
_NOTED = {
    "pause-overdue": "The pause has lasted longer than the profile allows",
    "stop-unconfirmed": "Transcription is still not confirmed off, and the media stream not down",
    "restarts-exhausted": "The media stream was rebuilt too often in too short a time: given up until a retry",
    "stop-written-off": "The call ended long ago: transcription counts as off",
    "handed-over": "The after-call work was made due",
    "held-back": "Waited, because a vendor is not well",
    "parked": "No worker could work on this call: parked",
    "unparked": "A worker could work on this call again",
    "utterances-quarantined": "Words heard outside the conversation were kept out of the transcript",
    "quarantine-lifted": "No words were heard outside the conversation after all",
}
_DESKTOP = {
    e.HoldReported: "reported a hold",
    e.UnholdReported: "reported the end of the hold",
    e.ConsentGiven: "reported that the customer consents",
    e.ConsentWithdrawn: "reported that the customer no longer consents",
    e.CallEndReported: "reported the end of the call; Twilio is asked",
    e.SurveyTransferRequested: "sent the customer to the survey",
    e.RetryRequested: "asked to try again what was given up",
}
_PEOPLE = {
    e.ParticipantJoined: "joined the conference",
    e.ParticipantLeft: "left the conference",
    e.ParticipantHeld: "was put on hold",
    e.ParticipantUnheld: "was taken off hold",
    e.ParticipantModified: "was changed in the conference",
}
_SHOWN = 6


def sentence(event: e.Event | None, name: str, call_sid: str) -> str:
    """The event in words, with a capital and without a full stop; `name` is said of one that is not known."""
    if event is None:
        return f"Something that this release does not know: {name}"
    return clean_text(_told(event, call_sid))


def _told(event: e.Event, call_sid: str) -> str:  # noqa: C901, PLR0912 - a table of kinds, one line each
    match event:
        case e.ParticipantNews():
            return _participant(event, call_sid)
        case e.DesktopEvent():
            return _desktop(event)
        case e.TaskNews():
            return _task(event)
        case e.ActionIntended():
            return f"Asked {_action(event.action)}{_again(event)}"
        case e.ActionEnded():
            return f"{_vendor(event.action)}: {_outcome(event.outcome)} ({a.name_of(event.action)})"
        case e.ActionAbandoned():
            return f"The worker that made attempt {event.attempt} is gone; what became of it is not known"
        case e.StreamStarted() | e.StreamStopped() | e.StreamFailed():
            return _stream(event)
        case e.CallArrived() | e.CallAdopted():
            return _beginning(event)
        case e.LegAnswered() | e.LegEnded() | e.LegRead() | e.CallRead():
            return _leg(event, call_sid)
        case e.ConferenceStarted():
            return "The conference began"
        case e.ConferenceEnded():
            return "The conference ended"
        case e.ParticipantsRead():
            return _participants(event, call_sid)
        case e.TimePassed():
            return _noted(event)
        case _:
            return _rest(event)


def _rest(event: e.Event) -> str:
    match event:
        case e.DialEnded():
            goes = "; the survey follows" if event.goes_to_survey else ""
            return f"The dial or queue ended: {event.outcome}{goes}"
        case e.SurveyReached():
            return "The caller reached the survey"
        case e.TranscriptionDoubted():
            return "A stop was sent while Redis was away: what ASAPP does is not known"
        case e.UtterancesHeard():
            return "Words had been heard lately, so ASAPP was not asked whether it still hears the call"
        case e.AuditRequested():
            lost = "; the start of a transcription may have been forgotten" if event.is_forgetful else ""
            return f"Everything is to be read from Twilio again{_because(event.why)}{lost}"
        case _:
            return e.name_of(event)


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _who(leg: str, label: str | None, call_sid: str) -> str:
    if leg == call_sid:
        return "The customer"
    return _label(label) if label else f"Leg {leg[:2]}...{leg[-_SHOWN:]}"


def _label(label: str) -> str:
    kind, _, name = label.partition("-")
    return f"Agent {name}" if kind == "agent" and name else f"Participant {label}"


def _participant(event: e.ParticipantNews, call_sid: str) -> str:
    did = _PEOPLE.get(type(event), "was changed")
    held = ", held" if event.is_held and isinstance(event, e.ParticipantJoined) else ""
    coaching = ", as a coach" if event.is_coaching else ""
    return f"{_who(event.leg, event.label, call_sid)} {did}{held}{coaching}"


def _participants(event: e.ParticipantsRead, call_sid: str) -> str:
    if not event.is_readable:
        return "Twilio could not be asked who is in the conference"
    people = [_who(each.leg, each.label, call_sid) + (" (held)" if each.is_held else "") for each in event.participants]
    return f"Twilio says who is in the conference: {', '.join(people) or 'nobody'}"


def _desktop(event: e.DesktopEvent) -> str:
    source = f"Desktop {event.source}" if event.source else "The desktop"
    match event:
        case e.AgentConnected():
            return f"{source} reported agent {event.agent_id} as connected"
        case e.AgentDisconnected():
            return f"{source} reported agent {event.agent_id or event.agent_leg or '(the last one)'} as gone"
        case e.PauseRequested():
            return f"{source} paused transcription: {event.reason}"
        case e.PauseLifted():
            return f"{source} took the pause away: {event.reason}"
        case _:
            return f"{source} {_DESKTOP.get(type(event), 'reported something')}"


def _task(event: e.TaskNews) -> str:
    match event:
        case e.ReservationAccepted():
            return f"TaskRouter: {event.worker} accepted the task"
        case e.ReservationEnded():
            return f"TaskRouter: the part of {event.worker} is over"
        case e.WorkerLegNamed():
            return f"TaskRouter named a worker's leg, {event.leg[:2]}...{event.leg[-_SHOWN:]}"
        case _:
            return "TaskRouter: the task is over"


def _stream(event: e.StreamStarted | e.StreamStopped | e.StreamFailed) -> str:
    match event:
        case e.StreamStarted():
            return f"Media stream {event.name} started"
        case e.StreamStopped():
            return f"Media stream {event.name} stopped"
        case _:
            return f"Media stream {event.name} failed{_because(event.error)}"


def _beginning(event: e.CallArrived | e.CallAdopted) -> str:
    if isinstance(event, e.CallAdopted):
        return f"The call became known in the middle of it, by {event.via}"
    if event.direction == "outbound":
        return "The customer answered an agent's call"
    stream = "" if event.has_stream_url else "; no stream URL was at hand"
    route = event.profile.route.partition(":")[0]
    return f"The customer called{f', and was answered with the route {route}' if route else ''}{stream}"


def _leg(event: e.LegAnswered | e.LegEnded | e.LegRead | e.CallRead, call_sid: str) -> str:
    match event:
        case e.LegAnswered():
            return f"{_leg_name(event.leg, event.identity, call_sid)} answered"
        case e.LegEnded():
            return f"{_leg_name(event.leg, None, call_sid)} ended: {event.reason}"
        case e.LegRead():
            return f"Twilio says whose a leg is: {event.identity or 'not readable'}"
        case _:
            status = {"missing": "there is no such call", "unreadable": "no usable answer"}.get(
                event.status, event.status
            )
            return f"Twilio says of the call: {status}{_because(event.reason)}"


def _leg_name(leg: str, identity: str | None, call_sid: str) -> str:
    return "The customer's leg" if leg == call_sid else identity or f"Leg {leg[:2]}...{leg[-_SHOWN:]}"


def _noted(event: e.TimePassed) -> str:
    return f"{_NOTED.get(event.what, f'Noted: {event.what}')}{_because(event.subject)}"


def _vendor(action: a.Action) -> str:
    return "ASAPP" if isinstance(action, a.StartTranscription | a.StopTranscription) else "Twilio"


def _action(action: a.Action) -> str:  # noqa: C901 - a table of kinds, one line each
    match action:
        case a.StartTranscription(purpose="probe"):
            return "ASAPP whether it still hears the call, by a start"
        case a.StartTranscription():
            return f"ASAPP to transcribe for agent {action.agent_id} on {action.stream}"
        case a.StopTranscription(purpose="reset"):
            return "ASAPP to stop transcribing, before a start"
        case a.StopTranscription(purpose="assert"):
            return "ASAPP once more to stop, in case a late start arrived"
        case a.StopTranscription():
            return "ASAPP to stop transcribing"
        case a.CreateStream():
            return f"Twilio for media stream {action.name}"
        case a.StopStream(purpose="cut"):
            return f"Twilio to cut media stream {action.name}, because the stop is not confirmed"
        case a.StopStream():
            return f"Twilio to end media stream {action.name}"
        case a.RedirectToSurvey():
            return "Twilio to send the caller to the survey"
        case a.CompleteConference():
            return "Twilio to end the conference in which the customer was left alone"
        case _:
            return f"for {a.name_of(action)}"


def _again(event: e.ActionIntended) -> str:
    return f" (attempt {event.attempt})"


def _outcome(outcome: Outcome) -> str:
    detail = ", ".join(part for part in (outcome.code, outcome.detail) if part)
    audio = f", {outcome.duration_ms / 1000:g} s of audio" if outcome.duration_ms else ""
    return f"{_VERDICTS[outcome.verdict]}{f' [{detail}]' if detail else ''}{audio}"
