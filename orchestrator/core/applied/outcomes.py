"""Intents and outcomes: what we asked of the vendors, and what became of it.

The intent is stored before the request; between intent and outcome the truth is unknown and counts as the worse
case. Only a confirmed answer makes transcription `off` or `on`. An outcome is applied whatever has become of the
lease or of the call; one of an attempt that is no longer the latest can only make the worse case known.
"""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.actions import (
    GONE,
    CompleteConference,
    CreateStream,
    Outcome,
    RedirectToSurvey,
    StartTranscription,
    StopStream,
    StopTranscription,
    Verdict,
)
from orchestrator.core.applied.common import (
    first,
    swapped,
    with_auth_problem,
    with_problem,
    with_reading,
    without_problems,
)
from orchestrator.core.applied.stream_outcomes import (
    create_ended,
    stop_stream_ended,
    with_forgotten_stream,
    with_requested_stream,
)
from orchestrator.core.applied.streams import stream_is_down, transcription_lost_its_stream, with_segment_closed
from orchestrator.core.backoff import (
    ASSERT_ALL_MS,
    ASSERT_FRESH_MS,
    BUSY_MS,
    FORGOTTEN_MS,
    REASSERT_MS,
    STOP_REQUEST_MS,
    STREAM_YOUNG_MS,
    doubling_ms,
    scattered,
    spread,
    start_wait_ms,
    stop_wait_ms,
)
from orchestrator.core.call import Call, InFlight, Segment, StreamState, TranscriptionState
from orchestrator.core.desired import desired
from orchestrator.core.events import ActionAbandoned, ActionEnded, ActionIntended, TranscriptionDoubted

_OFF = frozenset({Verdict.DONE, Verdict.ALREADY, Verdict.NO_STREAM})
_PERHAPS = frozenset({Verdict.UNKNOWN, Verdict.FAILED})
_DOUBT_MS = 2_000
_KEPT_SEGMENTS = 200


# --- intents -----------------------------------------------------------------------------------------------------


def action_intended(call: Call, event: ActionIntended) -> Call:
    action = event.action
    call = replace(
        call,
        attempts=event.attempt,
        in_flight=InFlight(action=action, attempt=event.attempt, since=event.at, worker=event.worker),
    )
    match action:
        case StartTranscription(purpose="probe"):
            return call
        case StartTranscription():
            return _transcription(
                call, TranscriptionState.STARTING, event.at, agent_id=action.agent_id, stream=action.stream
            )
        case StopTranscription(purpose="assert"):
            return replace(call, reassert_stop_at=None)
        case StopTranscription():
            return _transcription(call, TranscriptionState.STOPPING, event.at)
        case CreateStream():
            return with_requested_stream(call, action, event.at)
        case StopStream(purpose="cut"):
            return replace(call, is_cut=True)
        case RedirectToSurvey() if call.survey is not None:
            return replace(call, survey=replace(call.survey, redirect="asked"))
        case CompleteConference():
            return replace(call, completed_conference=action.conference)
        case _:
            return call


def _transcription(call: Call, state: TranscriptionState, at: int, **changes: object) -> Call:
    since = call.transcription.since if call.transcription.state is state else at
    return replace(call, transcription=replace(call.transcription, state=state, since=since, **changes))


# --- outcomes ----------------------------------------------------------------------------------------------------


def action_ended(call: Call, event: ActionEnded) -> Call:
    is_latest = call.in_flight is not None and call.in_flight.attempt == event.attempt
    if is_latest:
        call = replace(call, in_flight=None)
    match event.action:
        case StartTranscription() as start:
            if not is_latest:
                return _late_start(call, start, event)
            return _probe_ended(call, start, event) if start.purpose == "probe" else _start_ended(call, start, event)
        case StopTranscription() as stop:
            return _stop_ended(call, stop, event) if is_latest else _late_stop(call, event)
        case CreateStream() as create:
            return create_ended(call, create, event)
        case StopStream() as stop_stream:
            return stop_stream_ended(call, stop_stream, event)
        case RedirectToSurvey():
            return _redirect_ended(call, event) if is_latest else call
        case CompleteConference():
            return _complete_ended(call, event)
        case _:
            return call


def action_abandoned(call: Call, event: ActionAbandoned) -> Call:
    """Whoever asked is gone. Its request may still arrive: a wanted stop is asserted once more after that."""
    if call.in_flight is None or call.in_flight.attempt != event.attempt:
        return call
    lost = ActionEnded(
        at=event.at,
        action=call.in_flight.action,
        attempt=event.attempt,
        outcome=Outcome(verdict=Verdict.UNKNOWN, detail="whoever asked is gone"),
    )
    call = action_ended(call, lost)
    now = replace(call.transcription, not_before=min(call.transcription.not_before, event.at))
    return replace(call, transcription=now, reassert_stop_at=event.at + REASSERT_MS)


def transcription_doubted(call: Call, event: TranscriptionDoubted) -> Call:
    """What was on may be off. Wanted on, it waits until Twilio could be asked whether the pause still stands."""
    if call.transcription.state not in {TranscriptionState.ON, TranscriptionState.STARTING}:
        return call
    call = with_segment_closed(call, event.at)
    call = _transcription(call, TranscriptionState.UNKNOWN, event.at, not_before=event.at + _DOUBT_MS)
    return replace(call, trouble=call.trouble or "store-away")


def start_forgotten(call: Call, at: int) -> Call:
    """What is known to be off may be on: the store may have lost the intent of a start, and its outcome with it.

    That is likely where a start was due, so it is doubted there. All others are told to stop once more, each at its
    moment within a minute, for they may be many; sooner where a start was wanted until just now.
    """
    if call.transcription.state is not TranscriptionState.OFF or not call.profile.transcribe:
        return call
    call = with_forgotten_stream(call, at)
    if call.was_wanted:
        doubted = _transcription(call, TranscriptionState.UNKNOWN, at, not_before=at)
        return replace(doubted, trouble=call.trouble or "store-away")
    is_fresh = call.wanted_since is not None and at - call.wanted_since <= FORGOTTEN_MS
    within_ms = ASSERT_FRESH_MS if is_fresh else ASSERT_ALL_MS
    moment = at + scattered(call.call_sid, within_ms)
    return replace(call, reassert_stop_at=min(call.reassert_stop_at or moment, moment))  # each process may ask for it


# --- start-transcription -----------------------------------------------------------------------------------------


def _late_start(call: Call, action: StartTranscription, event: ActionEnded) -> Call:
    """A frozen worker's start went through after others went on: transcription may be on, for its agent."""
    running = call.transcription
    is_as_known = running.state is TranscriptionState.ON and running.agent_id == action.agent_id
    if event.outcome.verdict in _PERHAPS:
        return replace(call, reassert_stop_at=event.at + REASSERT_MS)
    if event.outcome.verdict not in {Verdict.DONE, Verdict.ALREADY} or is_as_known:
        return call
    if running.state in {TranscriptionState.OFF, TranscriptionState.ON}:
        return _transcription(call, TranscriptionState.UNKNOWN, event.at, not_before=event.at)
    # A stop may be under way that was served before this start: its "off" is not the last word.
    return replace(call, reassert_stop_at=event.at + STOP_REQUEST_MS)


def _start_ended(call: Call, action: StartTranscription, event: ActionEnded) -> Call:
    outcome, at = event.outcome, event.at
    match outcome.verdict:
        case Verdict.DONE:
            return _started(call, action, event)
        case Verdict.ALREADY:
            return _contested(_with_stream_confirmed(call, action.stream, at), at)
        case Verdict.NO_STREAM:
            return _start_without_stream(call, action, at)
        case Verdict.REFUSED_FOR_NOW:
            return _start_put_off(call, TranscriptionState.OFF, event)
        case Verdict.TERMINAL:
            state = TranscriptionState.UNKNOWN if outcome.may_be_done else TranscriptionState.OFF
            refused = _transcription(call, state, at, is_refused=True)
            detail = f"{outcome.code} {outcome.detail}".strip()
            return replace(with_problem(refused, "asapp-refused", at, detail, gave_up=True), trouble="asapp-refused")
        case Verdict.BUSY:
            waiting = _transcription(call, TranscriptionState.UNKNOWN, at, not_before=at + BUSY_MS)
            return replace(waiting, trouble=call.trouble or "asapp-busy")
        case _:
            return _start_put_off(replace(call, reassert_stop_at=at + REASSERT_MS), TranscriptionState.UNKNOWN, event)


def _probe_ended(call: Call, action: StartTranscription, event: ActionEnded) -> Call:
    """Already on: alive. No stream there: dead. Any other answer tells nothing; the next probe asks again."""
    match event.outcome.verdict:
        case Verdict.DONE:
            return _started(call, action, event)
        case Verdict.NO_STREAM:
            return _start_without_stream(call, action, event.at)
        case Verdict.UNKNOWN | Verdict.FAILED:
            return replace(call, last_heard_at=event.at, reassert_stop_at=event.at + REASSERT_MS)
        case _:
            return replace(call, last_heard_at=event.at)


def _started(call: Call, action: StartTranscription, event: ActionEnded) -> Call:
    call = _with_stream_confirmed(call, action.stream, event.at)
    call = _transcription(
        call,
        TranscriptionState.ON,
        event.at,
        agent_id=action.agent_id,
        stream=action.stream,
        failures=0,
        not_before=0,
    )
    segment = Segment(agent_id=action.agent_id, start=event.at, stream_ids=event.outcome.stream_ids)
    call = with_segment_closed(call, event.at)
    call = without_problems(call, "asapp-unauthorized", "asapp-refused", "asapp-daily-limit")
    call = replace(call, segments=(*call.segments, segment)[-_KEPT_SEGMENTS:], trouble="", last_heard_at=event.at)
    return call if _is_stream_up(call, action.stream) else transcription_lost_its_stream(call, event.at)


def _is_stream_up(call: Call, name: str) -> bool:
    return any(stream.name == name and stream.state is StreamState.LIVE for stream in call.streams)


def _with_stream_confirmed(call: Call, name: str, at: int) -> Call:
    """ASAPP hears it, so it lives, whether or not Twilio's callback came."""
    stream = first(call.streams, lambda each: each.name == name and each.may_live)
    if stream is None or stream.state not in {StreamState.REQUESTED, StreamState.UNKNOWN}:
        return call
    return replace(call, streams=swapped(call.streams, stream, replace(stream, state=StreamState.LIVE, live_at=at)))


def _contested(call: Call, at: int) -> Call:
    """Started already, with settings or for an agent that we do not know: stop, then start."""
    failures = call.transcription.failures + 1
    wait_ms = 0 if failures == 1 else spread(call.call_sid, start_wait_ms("5xx", failures))
    return _transcription(call, TranscriptionState.UNKNOWN, at, failures=failures, not_before=at + wait_ms)


def _start_without_stream(call: Call, action: StartTranscription, at: int) -> Call:
    """ASAPP knows no stream: normal within 3 s of its start, later the stream is dead."""
    call = _transcription(call, TranscriptionState.OFF, at, not_before=at + BUSY_MS)
    call = with_segment_closed(call, at)
    stream = first(call.streams, lambda each: each.name == action.stream and each.may_live)
    is_young = stream is not None and stream.live_at is not None and at - stream.live_at < STREAM_YOUNG_MS
    if stream is None or is_young:
        return call
    return replace(stream_is_down(call, stream, StreamState.FAILED, at, may_live=True), trouble="stream-broken")


def _start_put_off(call: Call, state: TranscriptionState, event: ActionEnded) -> Call:
    outcome, at = event.outcome, event.at
    failures = call.transcription.failures + 1
    wait_ms = 0 if outcome.is_paced else spread(call.call_sid, start_wait_ms(outcome.family or "5xx", failures))
    call = _transcription(call, state, at, failures=failures, not_before=at + wait_ms)
    if outcome.family == "daily-limit":
        call = with_problem(call, "asapp-daily-limit", at, outcome.detail)
    return replace(
        with_auth_problem(call, "asapp-unauthorized", event), trouble=f"asapp-{outcome.family or 'no-answer'}"
    )


# --- stop-transcription ------------------------------------------------------------------------------------------


def _stop_ended(call: Call, action: StopTranscription, event: ActionEnded) -> Call:
    outcome, at = event.outcome, event.at
    if outcome.verdict in _OFF:
        call = _transcription(call, TranscriptionState.OFF, at, failures=0, not_before=0, has_tried_stop=True)
        closed = with_segment_closed(call, at, outcome.promised, outcome.duration_ms)
        call = without_problems(closed, "stop-unconfirmed")
        return _with_stream_disproved(call, at) if outcome.verdict is Verdict.NO_STREAM else call
    if action.purpose == "assert":
        wait_ms = BUSY_MS if outcome.verdict is Verdict.BUSY else REASSERT_MS
        return replace(call, reassert_stop_at=at + wait_ms)
    is_wanted_on = desired(call).transcription
    failures = call.transcription.failures + 1
    if outcome.verdict is Verdict.BUSY:
        wait_ms = BUSY_MS
    elif is_wanted_on:
        wait_ms = 0 if outcome.is_paced else spread(call.call_sid, start_wait_ms(outcome.family or "5xx", failures))
    else:
        wait_ms = 0 if outcome.is_paced else stop_wait_ms(failures, is_exposed=call.may_be_heard)
    call = _transcription(
        call, TranscriptionState.STOPPING, at, failures=failures, not_before=at + wait_ms, has_tried_stop=True
    )
    call = replace(call, trouble=f"asapp-{outcome.family or 'no-answer'}") if is_wanted_on else call
    return with_auth_problem(call, "asapp-unauthorized", event)


def _late_stop(call: Call, event: ActionEnded) -> Call:
    """A frozen worker's stop went through after others went on: what was on since may be off."""
    is_news = event.outcome.verdict in _OFF or event.outcome.verdict in _PERHAPS
    if call.transcription.state is not TranscriptionState.ON or not is_news:
        return call
    call = _transcription(
        with_segment_closed(call, event.at), TranscriptionState.UNKNOWN, event.at, not_before=event.at
    )
    return replace(call, trouble=call.trouble or "asapp-no-answer")


def _with_stream_disproved(call: Call, at: int) -> Call:
    """A stop that finds no stream at ASAPP tells that ours does not arrive there, unless it has only just begun."""
    stream = call.current_stream
    if stream is None or not stream.may_live or call.is_ended:
        return call
    is_old = stream.live_at is not None and at - stream.live_at >= STREAM_YOUNG_MS
    if stream.state is StreamState.UNKNOWN or (stream.state is StreamState.LIVE and is_old):
        return stream_is_down(call, stream, StreamState.FAILED, at, may_live=True)
    return call


# --- the call itself ---------------------------------------------------------------------------------------------


def _redirect_ended(call: Call, event: ActionEnded) -> Call:
    survey, outcome, at = call.survey, event.outcome, event.at
    if survey is None:
        return call
    if outcome.verdict is Verdict.DONE:
        call = without_problems(call, "survey-transfer", "twilio-unauthorized")
        return replace(call, survey=replace(survey, redirect="done"))
    if outcome.verdict in {Verdict.REFUSED_FOR_NOW, Verdict.NOT_IN_PROGRESS, Verdict.NOT_FOUND}:
        failures = survey.failures + 1
        wait_ms = doubling_ms(500, failures - 1, 5_000)
        again = replace(survey, redirect="none", failures=failures, not_before=at + wait_ms)
        call = with_auth_problem(replace(call, survey=again), "twilio-unauthorized", event)
        return with_reading(call, "call", at, "the redirect was refused")
    # Not repeated blindly: a survey must not start twice. A person sees it and may retry.
    call = replace(call, survey=replace(survey, redirect="unknown"))
    detail = f"{outcome.verdict.value} {outcome.code}".strip()
    return with_problem(call, "survey-transfer", at, detail, gave_up=True)


def _complete_ended(call: Call, event: ActionEnded) -> Call:
    if event.outcome.verdict in GONE:
        return call
    return replace(call, completed_conference=None, alone_since=event.at)
