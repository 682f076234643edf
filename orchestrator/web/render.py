"""How a call reads in the API: the JSON of the contract, with RFC 3339 times in milliseconds."""

from __future__ import annotations

from typing import Any

from orchestrator.core.call import Call, Problem, Segment
from orchestrator.core.desired import state_of
from orchestrator.core.people import (
    current_agent,
    is_agent_held,
    is_customer_connected,
    is_customer_held,
    pause_reason,
    present_since,
)
from orchestrator.log import clean
from orchestrator.shown import moment

Json = dict[str, Any]


def call_json(call: Call) -> Json:
    stream, transcription = call.current_stream, call.transcription
    return {
        "call_sid": call.call_sid,
        "state": state_of(call),
        "direction": call.direction,
        "created_at": moment(call.created_at),
        "updated_at": moment(call.updated_at or call.created_at),
        "ended_at": moment(call.ended_at),
        "transcription": {
            "state": str(transcription.state),
            "agent_id": transcription.agent_id,
            "since": moment(transcription.since or call.created_at),
        },
        "media_stream": {
            "name": stream.name if stream else None,
            "state": str(stream.state) if stream else "none",
        },
        "pauses": _pauses(call),
        "agent": _agent(call),
        "customer": {
            "id": str(clean("customer_id", call.customer_id)) if call.customer_id else call.call_sid,
            "is_connected": is_customer_connected(call),
            "is_held": is_customer_held(call),
        },
        "segments": [_segment(each) for each in call.segments],
        "problem": _problem(call.problem),
        "version": call.version,
    }


def _pauses(call: Call) -> list[Json]:
    """Named reasons as they stand; a hold in a conference beside them.

    A hold that interrupts no conversation counts from when the customer came into the conference.
    """
    pauses: list[Json] = [
        {"reason": pause.reason, "since": moment(pause.since), "source": pause.source} for pause in call.pauses
    ]
    hold = "hold" if is_customer_held(call) else pause_reason(call)
    if hold is not None and all(pause["reason"] != hold for pause in pauses):
        stretch = call.paused[-1] if call.paused and call.paused[-1].end is None else None
        since = stretch.start if stretch is not None else present_since(call)
        pauses.append({"reason": hold, "since": moment(since), "source": "conference"})
    return pauses


def _agent(call: Call) -> Json | None:
    agent = current_agent(call)
    if agent is None:
        return None
    return {
        "id": agent.id,
        "leg": agent.leg,
        "since": moment(agent.connected_since),
        "is_held": is_agent_held(call, agent),
    }


def _segment(segment: Segment) -> Json:
    return {"agent_id": segment.agent_id, "start": moment(segment.start), "end": moment(segment.end)}


def _problem(problem: Problem | None) -> Json | None:
    if problem is None:
        return None
    return {
        "id": problem.id,
        "since": moment(problem.since),
        "detail": problem.detail,
        "gave_up": problem.gave_up,
    }
