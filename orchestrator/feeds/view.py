"""What a follower wants to see, and a call as it is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.core.people import connected_agents

CALL, UTTERANCE = "call", "utterance"
CHANGE = "change"
"""For pages that ask for themselves again: only that something has changed, a few times a second at most."""
KINDS = frozenset((CALL, UTTERANCE))
Render = Callable[[Call], dict[str, Any]]


class Seen(msgspec.Struct, frozen=True):
    """A call as it is told. `once`: every agent it ever knew. `body`: its JSON."""

    call_sid: str
    version: int
    state: str
    is_over: bool
    agents: frozenset[str]
    once: frozenset[str]
    body: bytes


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls, and what of them; all that is None does not restrict."""

    call_sid: str | None = None
    agent_id: str | None = None
    state: str | None = None
    kinds: frozenset[str] = KINDS

    def has(self, seen: Seen) -> bool:
        return (
            self.call_sid in {None, seen.call_sid}
            and self.state in {None, seen.state}
            and (self.agent_id is None or self.agent_id in seen.agents)
        )

    def may_have_had(self, seen: Seen) -> bool:
        """Whether an earlier state of the call may have been in this view; never true of another agent's call."""
        return self.call_sid in {None, seen.call_sid} and (self.agent_id is None or self.agent_id in seen.once)


def agents_of(call: Call) -> frozenset[str]:
    """Connected now or, of a call without any, transcribed once."""
    ids = {agent.id for agent in connected_agents(call)}
    return frozenset(ids or {segment.agent_id for segment in call.segments})


def seen(call: Call, render: Render) -> Seen:
    return Seen(
        call.call_sid,
        call.version,
        state_of(call),
        call.is_ended,
        agents_of(call),
        frozenset({agent.id for agent in call.agents} | {segment.agent_id for segment in call.segments}),
        msgspec.json.encode(render(call)),
    )
