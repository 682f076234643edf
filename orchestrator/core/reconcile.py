"""`reconcile(call, now) -> Plan`: the next single step toward what is desired, or when to look again.

Rules are small functions in the order of their rank. Each returns an action, or the time (ms) at which it wants to
be asked again, or None. The first action wins; without one the earliest time does. A call whose rules all return
None is converged.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2

import msgspec
from msgspec.structs import replace

from orchestrator.core import looks
from orchestrator.core.actions import (
    Action,
    CompleteConference,
    CreateStream,
    NoteTime,
    ReadCall,
    ReadLeg,
    ReadParticipants,
    RedirectToSurvey,
    StartTranscription,
    StopStream,
    StopTranscription,
)
from orchestrator.core.applied.streams import next_stream_name
from orchestrator.core.backoff import (
    HEAD_START_MS,
    READ_WHILE_HEARD_MS,
    RESTARTS_LIMIT,
    STOP_DEADLINE_MS,
    STOP_REQUEST_MS,
    STOP_WRITE_OFF_MS,
    STOPPED_ALONE_MS,
    STREAM_DEADLINE_MS,
    STREAM_STOP_WHILE_HEARD_MS,
    SURVEY_STEP_MS,
)
from orchestrator.core.call import DOWN, Call, MediaStream, Progress, StreamState, Survey, TranscriptionState
from orchestrator.core.desired import Desired, desired
from orchestrator.core.looks import Step
from orchestrator.core.people import is_customer_connected, pause_reason, seat
from orchestrator.core.restarts import recent_restarts

_SHORTEST_REQUEST_MS = 250
_LOST_BY_DOUBLING_MS = 4_700
_REPEATED_REQUEST_MS = 1_000
_SEEN_ALONE_MS = 10_000
"""So long Twilio's word that the customer is alone may be acted upon; more than a clock that was put back unnoticed."""
_NEEDS_RESET = frozenset({TranscriptionState.UNKNOWN, TranscriptionState.STOPPING, TranscriptionState.STARTING})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`action` to take now, or the time (ms since the epoch) to look again, or neither: converged.

    Beside an action `look_again_at` is when something that goes before it comes due, should it have to wait; and
    `meanwhile` is what may be done then.
    """

    action: Action | None = None
    look_again_at: int | None = None
    meanwhile: Action | None = None


Rule = Callable[[Call, Desired, int], Step]


def reconcile(call: Call, now: int) -> Plan:
    """The next step for this call. While an intent is in flight there is none: its outcome comes first.

    A call is never younger than what it knows: where Redis's clock was put back, a stop that was wanted a moment ago
    would otherwise wait until that moment comes again.
    """
    now = max(now, call.updated_at)
    if call.in_flight is not None:
        return Plan()
    want = desired(call)
    times: list[int] = []
    for rule in RULES:
        step = rule(call, want, now)
        if isinstance(step, int):
            times.append(step)
        elif step is not None:
            meanwhile = _look(call, want, now) if _serves_a_start(step) else None
            return Plan(action=_bounded(call, step), look_again_at=min(times, default=None), meanwhile=meanwhile)
    return Plan(look_again_at=min(times, default=None))


def _serves_a_start(action: Action) -> bool:
    match action:
        case StartTranscription() | StopTranscription(purpose="reset") | CreateStream():
            return True
        case _:
            return False


def _look(call: Call, want: Desired, now: int) -> Action | None:
    """A read that is due: what is wanted may have changed unheard of while a start waits."""
    steps = (rule(call, want, now) for rule in (looks.read, looks.audit))
    return next((_bounded(call, step) for step in steps if step is not None and not isinstance(step, int)), None)


def _bounded(call: Call, action: Action) -> Action:
    """While something may be transcribed nothing that can wait keeps the call for long: a stop may be next."""
    if call.transcription.state is TranscriptionState.OFF:
        return action
    match action:
        case ReadCall() | ReadLeg() | ReadParticipants():
            return replace(action, timeout_ms=min(action.timeout_ms, READ_WHILE_HEARD_MS))
        case StopStream(purpose="unwanted"):
            return replace(action, timeout_ms=min(action.timeout_ms, STREAM_STOP_WHILE_HEARD_MS))
        case _:
            return action


def is_urgent(call: Call, plan: Plan) -> bool:
    """A wanted stop, its repeats and what carries it out go before everything else."""
    if call.exposure_since is not None:
        return True
    match plan.action:
        case StopTranscription(purpose="wanted" | "assert") | StopStream(purpose="cut"):
            return True
        case _:
            return False


def head_start_ms(call: Call, now: int) -> int:
    """How much earlier than others a call counts as due, in a herd: the newer its talk, the more it has to lose.

    A minute at most, so that no call waits longer than that behind newer ones. It shrinks by the same amount whenever
    the talk's age doubles: to nothing within two hours. Without a talk there is none.
    """
    if not call.was_wanted or call.wanted_since is None:
        return 0
    doublings = log2(1 + max(0, now - call.wanted_since) / 1_000)
    return max(0, HEAD_START_MS - round(_LOST_BY_DOUBLING_MS * doublings))


# --- privacy: what must not be heard -----------------------------------------------------------------------------


def _verify_adopted(call: Call, _want: Desired, now: int) -> Step:
    """An adopted call acts only after Twilio said in-progress; if Twilio cannot say, stops are sent all the same."""
    if call.progress is not Progress.UNKNOWN:
        return None
    reading = next((each for each in call.readings if each.key == "call"), None)
    if reading is None:
        return ReadCall(why="adopted")
    return reading.not_before if reading.not_before > now else ReadCall(why=reading.why)


def _cut_stream(call: Call, want: Desired, now: int) -> Step:
    """Off is wanted and not confirmed in time: the media stream goes down, so that nothing more can be heard."""
    if call.off_wanted_at is None or want.transcription or call.progress is Progress.UNKNOWN:
        return None
    exposed = list(call.streams_that_may_live())
    if not exposed:
        return None
    due = call.off_wanted_at + STOP_DEADLINE_MS
    if due > now:
        return due
    stream = min(exposed, key=lambda each: each.not_before)
    if stream.not_before > now:
        return stream.not_before
    timeout_ms = 3_000 if stream.failures == 0 else _REPEATED_REQUEST_MS
    return StopStream(name=stream.name, sid=stream.sid, purpose="cut", timeout_ms=timeout_ms)


def _stop_transcription(call: Call, want: Desired, now: int) -> Step:
    """Off is wanted and not confirmed: stop, again and again; long after the end of the call it counts as off."""
    if want.transcription or call.transcription.state is TranscriptionState.OFF:
        return None
    if call.ended_at is not None and now >= call.ended_at + STOP_WRITE_OFF_MS:
        return NoteTime(what="stop-written-off")
    if call.progress is Progress.UNKNOWN and not _has_unanswered_reading(call):
        return None
    if call.transcription.not_before > now:
        return call.transcription.not_before
    timeout_ms = _before_survey(call, want, now, _stop_timeout_ms(call, now))
    return StopTranscription(timeout_ms=timeout_ms) if timeout_ms else None


def _has_unanswered_reading(call: Call) -> bool:
    return any(reading.key == "call" and reading.failures > 0 for reading in call.readings)


def _stop_timeout_ms(call: Call, now: int) -> int:
    """A stop must not outlast the moment of the cut; 0: too little time is left, the cut comes next."""
    if call.off_wanted_at is None or not call.may_be_heard:
        return STOP_REQUEST_MS
    left = call.off_wanted_at + STOP_DEADLINE_MS - now
    if left <= 0:
        return _REPEATED_REQUEST_MS
    return 0 if left < _SHORTEST_REQUEST_MS else min(left, STOP_REQUEST_MS)


def _note_unconfirmed(call: Call, want: Desired, now: int) -> Step:
    """People are told when audio may still be heard after the cut was due."""
    if call.exposure_since is None or want.transcription:
        return None
    due = call.exposure_since + 2 * STOP_DEADLINE_MS
    is_told = any(problem.id == "stop-unconfirmed" for problem in call.problems)
    if is_told:
        return None
    return due if due > now else NoteTime(what="stop-unconfirmed")


def _assert_stop(call: Call, want: Desired, now: int) -> Step:
    """A frozen worker's start may arrive late: the stop is sent once more after that could have happened.

    Not after the end, once no media stream lives: then whatever arrives hears nobody.
    """
    if call.reassert_stop_at is None or want.transcription or call.transcription.state is not TranscriptionState.OFF:
        return None
    if call.is_ended and not call.may_be_heard:
        return None
    return call.reassert_stop_at if call.reassert_stop_at > now else StopTranscription(purpose="assert")


def _stop_unwanted_streams(call: Call, want: Desired, now: int) -> Step:
    """Every stream but the newest wanted one goes down, after transcription was told to stop."""
    if call.is_ended or call.progress is Progress.UNKNOWN:
        return None
    is_stop_first = (
        not want.stream
        and call.transcription.state is not TranscriptionState.OFF
        and not call.transcription.has_tried_stop
    )
    if is_stop_first:
        return None  # that rule's own time applies
    keep = call.current_stream if want.stream else None
    if keep is not None and keep.state in DOWN:
        keep = None
    extra = [stream for stream in call.streams_that_may_live() if stream is not keep]
    if not extra:
        return None
    stream = min(extra, key=lambda each: each.not_before)
    due = max(stream.not_before, _document_stops_until(call))
    if due > now:
        return due
    return StopStream(name=stream.name, sid=stream.sid, timeout_ms=_before_survey(call, want, now, 3_000))


def _document_stops_until(call: Call) -> int:
    """The survey's own document stops the streams; whether `<Stop>` of one that is gone fails it is not documented.

    So ours waits for that document, and drops nobody from it; transcription is stopped at once all the same.
    """
    survey = call.survey
    return survey.since + SURVEY_STEP_MS if survey is not None and survey.source == "twiml" else 0


# --- survey and end ----------------------------------------------------------------------------------------------


def _redirect_to_survey(call: Call, want: Desired, now: int) -> Step:
    """After the stop and the stream's end, each bounded; then regardless of the vendors: the caller does not wait.

    Ranked first because it waits for the others by its own times and, once due, must not be starved by their retries.
    Never of a SID that Twilio has not told us about: it may be an agent's leg, and the talk would end.
    """
    survey, url = call.survey, call.profile.survey_url
    if not want.survey_redirect or survey is None or url is None or call.progress is Progress.UNKNOWN:
        return None
    due = max(_survey_steps_end(call, survey), survey.not_before)
    streams = tuple(stream.name for stream in call.streams_that_may_live())
    return due if due > now else RedirectToSurvey(survey_url=url, streams=streams)


def _survey_steps_end(call: Call, survey: Survey) -> int:
    """Until when the redirect waits for the stop and for the stream's end; 0: both are done."""
    steps = (call.transcription.state is not TranscriptionState.OFF) + call.may_be_heard
    return survey.since + steps * SURVEY_STEP_MS if steps else 0


def _before_survey(call: Call, want: Desired, now: int, timeout_ms: int) -> int:
    """A request under way must not keep the caller from the survey beyond the steps' own time."""
    if call.survey is None or not want.survey_redirect:
        return timeout_ms
    left = _survey_steps_end(call, call.survey) - now
    return timeout_ms if left <= 0 else min(timeout_ms, max(_SHORTEST_REQUEST_MS, left))


def _complete_conference(call: Call, _want: Desired, now: int) -> Step:
    """No customer sits alone for ever in a conference that we created.

    Twilio is asked just before: the news of somebody's coming may have been lost, and no talk may be cut off.
    """
    row = seat(call, call.call_sid)
    if call.alone_since is None or row is None or call.completed_conference == row[0].sid:
        return None
    room, due = row[0], call.alone_since + call.profile.agent_return_s * 1_000
    if due > now:
        return due
    if now - room.read_at <= _SEEN_ALONE_MS:
        return CompleteConference(conference=room.sid)
    if any(reading.key == f"conference:{room.sid}" for reading in call.readings):
        return None  # that rule's own time applies
    return ReadParticipants(conference=room.sid, why="the customer may be alone")


# --- transcription when it is wanted -----------------------------------------------------------------------------


def _reset_transcription(call: Call, want: Desired, now: int) -> Step:
    """Wanted on, and what ASAPP does is not known: stop first, by the start's ladder."""
    if not want.transcription or call.transcription.state not in _NEEDS_RESET:
        return None
    due = max(call.transcription.not_before, call.settle_until)
    return due if due > now else StopTranscription(purpose="reset")


def _change_agent(call: Call, want: Desired, now: int) -> Step:
    running = call.transcription
    if not want.transcription or running.state is not TranscriptionState.ON or running.agent_id == want.agent_id:
        return None
    return call.settle_until if call.settle_until > now else StopTranscription(purpose="reset")


def _start_transcription(call: Call, want: Desired, now: int) -> Step:
    """On its stream once that lives; an overdue one is tried by the start itself, which confirms or fails it."""
    running, stream = call.transcription, call.current_stream
    if want.agent_id is None or running.state is not TranscriptionState.OFF or running.is_refused or stream is None:
        return None
    due = max(running.not_before, call.settle_until)
    if stream.state is StreamState.REQUESTED:
        due = max(due, stream.requested_at + STREAM_DEADLINE_MS)
    elif stream.state in DOWN:
        return None
    if due > now:
        return due
    purpose = "start" if stream.state is StreamState.LIVE else "confirm"
    return StartTranscription(agent_id=want.agent_id, stream=stream.name, purpose=purpose)


def _rebuild_stream(call: Call, want: Desired, now: int) -> Step:
    """No stream is up that should be. Never while a stop is unconfirmed, nor during a pause."""
    is_busy = call.transcription.state is not TranscriptionState.OFF
    if not want.stream or call.has_given_up_streams or is_busy or call.progress is not Progress.IN_PROGRESS:
        return None
    if pause_reason(call) is not None or not (want.transcription or is_customer_connected(call)):
        return None
    stream = call.current_stream
    if stream is not None and stream.state not in DOWN:
        return None
    if len(recent_restarts(call, now)) >= RESTARTS_LIMIT:
        return NoteTime(what="restarts-exhausted", subject=f"{RESTARTS_LIMIT} within 5 minutes")
    due = max(call.restart_not_before, call.settle_until, _alone_until(stream))
    return due if due > now else CreateStream(name=next_stream_name(call))


def _alone_until(stream: MediaStream | None) -> int:
    """A stop that nobody asked for may be the first sign of a hang-up."""
    if stream is None or stream.state is not StreamState.STOPPED or stream.ended_at is None:
        return 0
    return stream.ended_at + STOPPED_ALONE_MS


RULES: tuple[Rule, ...] = (
    _verify_adopted,
    _redirect_to_survey,
    _cut_stream,
    _stop_transcription,
    _note_unconfirmed,
    _assert_stop,
    _stop_unwanted_streams,
    _reset_transcription,
    _change_agent,
    _start_transcription,
    _rebuild_stream,
    _complete_conference,
    looks.hand_over,
    looks.read,
    looks.note_overdue_pause,
    looks.probe_silence,
    looks.audit,
)
