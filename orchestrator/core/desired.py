"""What should be true of a call now. Derived at each look, never stored, so it cannot drift."""

from __future__ import annotations

import msgspec

from orchestrator.core.call import Call, StreamState, TranscriptionState
from orchestrator.core.people import (
    connected_agents,
    current_agent,
    has_stream_cutting_pause,
    is_customer_connected,
    pause_reason,
)

SETTLED_REDIRECTS = frozenset({"done", "unknown"})


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """`agent_id` is set exactly when transcription is wanted."""

    stream: bool
    transcription: bool
    agent_id: str | None
    survey_redirect: bool


def desired(call: Call) -> Desired:
    """Which media stream should be up, whether and for whom to transcribe, whether to redirect to the survey."""
    in_conversation = call.profile.transcribe and not call.is_ended and call.survey is None
    agent = current_agent(call) if in_conversation and is_customer_connected(call) else None
    wants_transcription = agent is not None and pause_reason(call) is None
    return Desired(
        stream=in_conversation and not _is_stream_cut(call) and _has_stream_begun(call),
        transcription=wants_transcription,
        agent_id=agent.id if agent is not None and wants_transcription else None,
        survey_redirect=wants_redirect(call),
    )


def wants_redirect(call: Call) -> bool:
    """The desktop asked for the survey transfer, there is a place to go, and it has not been done."""
    return (
        not call.is_ended
        and call.survey is not None
        and call.survey.source == "api"
        and call.profile.survey_url is not None
        and call.survey.redirect not in SETTLED_REDIRECTS
    )


def _is_stream_cut(call: Call) -> bool:
    return call.is_cut or has_stream_cutting_pause(call)


def _has_stream_begun(call: Call) -> bool:
    return call.profile.stream_from == "call-start" or bool(connected_agents(call))


def state_of(call: Call) -> str:
    """The one word that desktops see; the first match of the call model's table."""
    if call.is_ended:
        return "ended"
    if call.survey is not None:
        return "survey"
    if not call.profile.transcribe:
        return "not-transcribed"
    want = desired(call)
    transcription = call.transcription.state
    if not want.transcription:
        if transcription is not TranscriptionState.OFF:
            return "pausing"
        return "waiting" if pause_reason(call) is None else "paused"
    if transcription is TranscriptionState.ON:
        return "transcribing"
    return "interrupted" if call.trouble else "starting"


def is_converged(call: Call) -> bool:
    """What is true equals what is wanted. Audits and deadlines of the future do not count as left to do."""
    if call.in_flight is not None:
        return False
    want = desired(call)
    if not want.transcription:
        streams_right = want.stream or call.is_ended or not call.may_be_heard
        return call.transcription.state is TranscriptionState.OFF and streams_right and not want.survey_redirect
    stream = call.current_stream
    return (
        call.transcription.state is TranscriptionState.ON
        and call.transcription.agent_id == want.agent_id
        and stream is not None
        and stream.state is StreamState.LIVE
    )
