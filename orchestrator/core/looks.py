"""The rules that look after a call: probes, reads of Twilio, the hand-over at its end, pauses that were forgotten.

Each is a rule of `reconcile`: the action to take now, the time (ms) to look again, or None.
"""

from __future__ import annotations

from orchestrator.core.actions import (
    Action,
    HandOverTranscript,
    NoteTime,
    ReadCall,
    ReadLeg,
    ReadParticipants,
    StartTranscription,
)
from orchestrator.core.call import Call, Progress, TranscriptionState
from orchestrator.core.desired import Desired
from orchestrator.core.people import is_stopped, pause_reason, seat

Step = Action | int | None
"""What a rule returns."""


def probe_silence(call: Call, want: Desired, now: int) -> Step:
    """Nobody is that quiet: a start sent again answers whether the stream still arrives."""
    running = call.transcription
    if want.agent_id is None or running.state is not TranscriptionState.ON or call.profile.silence_probe_s == 0:
        return None
    due = max(call.last_heard_at, running.since) + call.profile.silence_probe_s * 1_000
    if due > now:
        return due
    return StartTranscription(agent_id=running.agent_id or want.agent_id, stream=running.stream or "", purpose="probe")


def hand_over(call: Call, _want: Desired, _now: int) -> Step:
    """The end of a call makes its after-call work due, once."""
    return HandOverTranscript() if call.progress is Progress.ENDED and not call.is_handed_over else None


def read(call: Call, _want: Desired, now: int) -> Step:
    """Reads of Twilio that something made due, the earliest first."""
    reading = min(call.readings, key=lambda each: each.not_before, default=None)
    if reading is None:
        return None
    if reading.not_before > now:
        return reading.not_before
    kind, _, sid = reading.key.partition(":")
    match kind:
        case "leg":
            return ReadLeg(leg=sid)
        case "conference":
            return ReadParticipants(conference=sid, why=reading.why)
        case _:
            return ReadCall(why=reading.why)


def audit(call: Call, _want: Desired, now: int) -> Step:
    """Nothing is believed for ever: the conference, or else the leg, is read from Twilio at times."""
    if call.audit_at is None:
        return None
    if call.audit_at > now:
        return call.audit_at
    room = seat(call, call.call_sid)
    return ReadCall(why="audit") if room is None else ReadParticipants(conference=room[0].sid, why="audit")


def note_overdue_pause(call: Call, _want: Desired, now: int) -> Step:
    """A forgotten pause is told to people; it does not end by itself. A stop for good was not forgotten."""
    since = _paused_since(call)
    is_told = any(problem.id == "pause-overdue" for problem in call.problems)
    if since is None or is_told or call.is_ended or call.survey is not None or is_stopped(call):
        return None
    due = since + call.profile.max_pause_s * 1_000
    return due if due > now else NoteTime(what="pause-overdue", subject=pause_reason(call) or "")


def _paused_since(call: Call) -> int | None:
    """Of all that stands the oldest. A named reason stands with or without an agent, a hold only with one.

    A hold within a payment pause, or after it, does not begin the pause anew. A consent that nobody has given yet is
    not forgotten before there is somebody to ask for it.
    """
    named = [pause.since for pause in call.pauses if pause.source != "profile"]
    return min([*named, *_stretch_since(call)], default=None)


def _stretch_since(call: Call) -> list[int]:
    if not call.paused or call.paused[-1].end is not None:
        return []
    since = call.paused[-1].start
    for earlier in reversed(call.paused[:-1]):
        if earlier.end != since:
            break
        since = earlier.start
    return [since]
