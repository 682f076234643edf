"""Intents and outcomes of requests about media streams: created, stopped, and what a failover may have forgotten."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.actions import GONE, CreateStream, StopStream, Verdict
from orchestrator.core.applied.common import (
    first,
    swapped,
    with_auth_problem,
    with_problem,
    with_reading,
    without_problems,
)
from orchestrator.core.applied.streams import generation_of, next_stream_name, stream_is_down
from orchestrator.core.backoff import create_wait_ms, doubling_ms, spread
from orchestrator.core.call import DOWN, Call, MediaStream, Progress, StreamState
from orchestrator.core.events import ActionEnded
from orchestrator.core.restarts import recent_restarts

_KEPT_STREAMS = 12


def with_requested_stream(call: Call, action: CreateStream, at: int) -> Call:
    stream = MediaStream(
        name=action.name, generation=generation_of(action.name), state=StreamState.REQUESTED, requested_at=at
    )
    streams = (*call.streams, stream)
    settled = [each for each in streams if not each.may_live]
    while len(streams) > _KEPT_STREAMS and settled:
        forgotten = settled.pop(0)
        streams = tuple(each for each in streams if each is not forgotten)
    return replace(call, streams=streams)


def with_forgotten_stream(call: Call, at: int) -> Call:
    """With the start its media stream may be forgotten, where none is up: the next one counts as created and failed.

    So it is stopped by its name, and that name is not used again.
    """
    stream = call.current_stream
    if call.progress is not Progress.IN_PROGRESS or (stream is not None and stream.state not in DOWN):
        return call
    call = with_requested_stream(call, CreateStream(name=next_stream_name(call)), at)
    (*others, forgotten) = call.streams
    return replace(call, streams=(*others, replace(forgotten, state=StreamState.FAILED, ended_at=at)))


def create_ended(call: Call, action: CreateStream, event: ActionEnded) -> Call:
    outcome, at = event.outcome, event.at
    stream = first(call.streams, lambda each: each.name == action.name)
    if stream is None:
        return call
    match outcome.verdict:
        case Verdict.DONE:
            # Of a stream that was not found when it was to be stopped the request may have come later.
            may_live = stream.may_live or (stream.sid is None and not call.is_ended)
            known = replace(stream, sid=stream.sid or outcome.sid, may_live=may_live)
            restarts = (*recent_restarts(call, at), at)
            call = replace(call, streams=swapped(call.streams, stream, known), restarts=restarts)
            return without_problems(call, "twilio-unauthorized")
        case Verdict.UNKNOWN | Verdict.FAILED:
            return _create_failed(call, stream, event, may_live=True)
        case Verdict.NOT_IN_PROGRESS | Verdict.NOT_FOUND:
            return with_reading(_create_failed(call, stream, event), "call", at, "Twilio says it is not in progress")
        case Verdict.TERMINAL if not _is_refused_again(call, stream, outcome.code):
            return _create_failed(call, stream, event, may_live=True)
        case Verdict.TERMINAL:
            failed = replace(_create_failed(call, stream, event), has_given_up_streams=True)
            detail = f"{outcome.code} {outcome.detail}".strip()
            return with_problem(failed, "twilio-refused-stream", at, detail, gave_up=True)
        case _:
            return with_auth_problem(_create_failed(call, stream, event), "twilio-unauthorized", event)


def _is_refused_again(call: Call, stream: MediaStream, code: str) -> bool:
    """The one before was refused for the same reason. Once, the name may be in use: by a stream that was forgotten.

    What Twilio says of a name that is taken is not documented.
    """
    before = next((each for each in call.streams if each.generation == stream.generation - 1), None)
    return before is not None and before.state is StreamState.FAILED and before.error == code


def _create_failed(call: Call, stream: MediaStream, event: ActionEnded, *, may_live: bool = False) -> Call:
    """Not created, or perhaps created without our being told: that one is stopped by its name before the next."""
    if stream.state is not StreamState.REQUESTED:
        return call  # its callback came first and knows better
    failures = call.restart_failures + 1
    family = event.outcome.family
    wait_ms = 0 if event.outcome.is_paced else create_wait_ms(family, failures)
    failed = replace(stream, state=StreamState.FAILED, ended_at=event.at, may_live=may_live, error=event.outcome.code)
    return replace(
        call,
        streams=swapped(call.streams, stream, failed),
        restart_failures=failures,
        restart_not_before=event.at + spread(call.call_sid, wait_ms),
        trouble=f"twilio-{family or 'no-answer'}" if family != "no-url" else "no-stream-url",
    )


def stop_stream_ended(call: Call, action: StopStream, event: ActionEnded) -> Call:
    stream = first(call.streams, lambda each: each.name == action.name and each.sid == action.sid) or first(
        call.streams, lambda each: each.name == action.name
    )
    if stream is None or not stream.may_live:
        return call
    if event.outcome.verdict not in GONE:
        failures = stream.failures + 1
        # A cut is repeated every second for as long as somebody may be heard who must not be.
        wait_ms = 1_000 if action.purpose == "cut" else doubling_ms(1_000, max(0, failures - 3), 60_000)
        again = replace(stream, failures=failures, not_before=event.at + wait_ms)
        call = replace(call, streams=swapped(call.streams, stream, again))
        return with_auth_problem(call, "twilio-unauthorized", event)
    call = without_problems(call, "twilio-unauthorized")
    if stream.state is StreamState.FAILED:
        gone = replace(stream, may_live=False)
        call = replace(call, streams=swapped(call.streams, stream, gone))
    else:
        restarts = (call.restart_failures, call.restart_not_before)
        call = stream_is_down(call, stream, StreamState.STOPPED, event.at)
        call = replace(call, restart_failures=restarts[0], restart_not_before=restarts[1])
    if event.outcome.verdict is Verdict.DONE:
        return call
    return with_reading(call, "call", event.at, "Twilio says it is not in progress")
