"""What people see of a call, so that only changes of that are told to those who follow it.

Most commits change what nobody sees: audits, attempts, times to look again.
"""

from __future__ import annotations

from operator import attrgetter

from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.core.people import (
    connected_agents,
    current_agent,
    is_agent_held,
    is_customer_connected,
    is_customer_held,
    pause_reason,
    present_since,
)

_facts = attrgetter(
    "progress",
    "ended_at",
    "conferences",
    "agents",
    "customer_id",
    "pauses",
    "paused",
    "survey",
    "transcription",
    "streams",
    "is_cut",
    "trouble",
    "segments",
    "problems",
)
"""Everything that `_sight` looks at and that can change."""


def is_seen_to_change(before: Call, after: Call) -> bool:
    """Whether anybody who looks at the call sees something else than before (`version` and `updated_at` aside)."""
    return _facts(before) != _facts(after) and _sight(before) != _sight(after)


def _sight(call: Call) -> tuple[object, ...]:
    agent, stream, transcription = current_agent(call), call.current_stream, call.transcription
    return (
        state_of(call),
        call.progress,
        call.ended_at,
        call.customer_id,
        (transcription.state, transcription.agent_id, transcription.since),
        stream and (stream.name, stream.state),
        call.pauses,
        pause_reason(call),
        call.paused[-1:],
        agent and (agent.id, agent.leg, agent.connected_since, is_agent_held(call, agent)),
        [each.id for each in connected_agents(call)],
        is_customer_connected(call),
        is_customer_held(call),
        present_since(call),
        [(each.agent_id, each.start, each.end) for each in call.segments],
        call.problem,
    )
