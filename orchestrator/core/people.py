"""Who is connected and who is held, derived from a call's facts. Nothing here is stored."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from orchestrator.core.call import Agent, Call, Conference, Participant, Progress
from orchestrator.core.profile import Profile

STOPPED = "stopped"
"""The pause that somebody asked for who wants this call transcribed no more."""


def seats(call: Call, leg: str) -> Iterator[tuple[Conference, Participant]]:
    """Every conference row that is about this leg, present or not."""
    for conference in call.conferences:
        participant = conference.participant(leg)
        if participant is not None:
            yield conference, participant


def seat(call: Call, leg: str) -> tuple[Conference, Participant] | None:
    """The conference that this leg is in now; a leg is in one only, so where a leaving was lost the newest counts."""
    present = (row for row in seats(call, leg) if row[1].is_present and not row[0].is_ended)
    return max(present, key=lambda row: row[1].since, default=None)


def is_customer_connected(call: Call) -> bool:
    """In a conference once one was seen with the customer; before that, as long as the leg is in progress."""
    if call.progress is not Progress.IN_PROGRESS:
        return False
    if any(True for _ in seats(call, call.call_sid)):
        return seat(call, call.call_sid) is not None
    return True


def present_since(call: Call) -> int:
    """When the customer came into the conference, or the call began."""
    row = seat(call, call.call_sid)
    return call.created_at if row is None else row[1].since


def is_customer_held(call: Call) -> bool:
    row = seat(call, call.call_sid)
    return row is not None and row[1].is_held


def is_agent_connected(call: Call, agent: Agent) -> bool:
    """With a known leg, once a conference was seen: being in the customer's. Else as callbacks and reports say."""
    if call.is_ended:
        return False
    if agent.leg is not None and call.conferences:
        row = seat(call, agent.leg)
        customer = seat(call, call.call_sid)
        together = customer is None or row is None or customer[0].sid == row[0].sid
        return row is not None and together and not row[1].is_coaching
    if agent.is_answered is False or (agent.leg is None and _is_customer_left_alone(call)):
        return False
    return bool(agent.is_answered if agent.is_reported is None else agent.is_reported)


def _is_customer_left_alone(call: Call) -> bool:
    """The customer's conference had others, and all of them have left: a report without a leg cannot be true."""
    row = seat(call, call.call_sid)
    others = [] if row is None else [each for each in row[0].participants if each.leg != call.call_sid]
    return bool(others) and not any(each.is_present for each in others)


def has_company(call: Call) -> bool:
    """Whether the customer is with anybody: an agent, or whoever else is in that conference, named or not."""
    row = seat(call, call.call_sid)
    others = () if row is None else row[0].participants
    return bool(connected_agents(call)) or any(each.is_present and each.leg != call.call_sid for each in others)


def is_agent_held(call: Call, agent: Agent) -> bool:
    row = None if agent.leg is None else seat(call, agent.leg)
    return row is not None and row[1].is_held


def connected_agents(call: Call) -> list[Agent]:
    return [agent for agent in call.agents if is_agent_connected(call, agent)]


def current_agent(call: Call) -> Agent | None:
    """The longest connected agent who is not held; ASAPP's `agentId` is this one's id."""
    free = [agent for agent in connected_agents(call) if not is_agent_held(call, agent)]
    return min(free, key=lambda agent: agent.connected_since or call.updated_at, default=None)


def pause_reason(call: Call) -> str | None:
    """Why a conversation is paused, for people: a named reason, else a hold; None when it is not paused."""
    return next(_pause_reasons(call), None)


def _pause_reasons(call: Call) -> Iterator[str]:
    yield from (pause.reason for pause in call.pauses)
    if is_customer_held(call):
        yield "hold"
    agents = connected_agents(call)
    if agents and all(is_agent_held(call, agent) for agent in agents):
        yield "agent-hold"


def is_stopped(call: Call) -> bool:
    """Stopped for good: nothing but the end of the call ends this pause."""
    return any(pause.reason == STOPPED for pause in call.pauses)


def has_stream_cutting_pause(call: Call) -> bool:
    """A reason stands for which not even audio may leave; consent not yet given, and a stop for good, always are.

    `hold` stands for every hold of the customer, `hold:desktop` for those that the desktop told of.
    """
    if is_stopped(call) or any(pause.reason == "consent" and pause.source == "profile" for pause in call.pauses):
        return True
    named = call.profile.cut_stream_on
    return any(reason in named or reason.partition(":")[0] in named for reason in _pause_reasons(call))


def had_agent(call: Call) -> bool:
    """Whether an agent was ever connected on this call."""
    return bool(call.segments) or any(agent.has_been_connected for agent in call.agents)


def matches_identity(call: Call, identity: str | None) -> bool:
    """Whether this client or SIP identity is an agent's device by the profile's patterns."""
    return is_device(call.profile, identity)


def is_device(profile: Profile, identity: str | None) -> bool:
    """The same of a profile. A SIP address counts without its port and parameters, too."""
    if identity is None or not identity.startswith(("client:", "sip:", "sips:")):
        return False
    scheme, _, rest = identity.partition(":")
    user, at, host = rest.partition(";")[0].rpartition("@")
    bare = f"{scheme}:{user}{at}{host.partition(':')[0]}"
    names = {identity, identity if scheme == "client" else bare}
    return any(fnmatchcase(name, each) for name in names for each in profile.agent_identities)
