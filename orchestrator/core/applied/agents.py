"""Agents under all their names: from labels, legs, TaskRouter and the desktop. One agent is one, whoever reports."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core.applied.common import first, swapped
from orchestrator.core.call import Agent, Call
from orchestrator.core.events import (
    AgentConnected,
    AgentDisconnected,
    ReservationAccepted,
    ReservationEnded,
    TaskEnded,
    TaskNews,
    WorkerLegNamed,
)


def with_agent_leg(
    call: Call,
    leg: str,
    *,
    label_id: str | None = None,
    identity: str | None = None,
    is_answered: bool | None = None,
) -> Call:
    """The call with this leg known as an agent's, and what this source knows of it added."""
    known = first(call.agents, lambda agent: agent.leg == leg)
    agent = known or Agent(leg=leg)
    agent = replace(
        agent,
        label_id=label_id or agent.label_id,
        identity=identity or agent.identity,
        is_answered=agent.is_answered if is_answered is None else is_answered,
    )
    agents = (*call.agents, agent) if known is None else swapped(call.agents, known, agent)
    return replace(call, agents=merged(agents))


def merged(agents: tuple[Agent, ...]) -> tuple[Agent, ...]:
    """Agents that are one made one: the same leg, else the same id, else one without a leg and one without a name."""
    kept: list[Agent] = []
    for agent in agents:
        twin = next((each for each in kept if _is_same(each, agent)), None)
        if twin is None:
            kept.append(agent)
        else:
            kept[kept.index(twin)] = _combined(twin, agent)
    nameless = [agent for agent in kept if not _names(agent)]
    legless = [agent for agent in kept if agent.leg is None and (agent.is_reported or agent.is_accepted)]
    if len(nameless) == 1 and len(legless) == 1:
        # A report that tells no leg, and a leg that carries no name: with one of each they are the same person.
        kept = [each for each in kept if each is not legless[0]]
        kept[kept.index(nameless[0])] = _combined(nameless[0], legless[0])
    return tuple(kept)


def _names(agent: Agent) -> set[str]:
    bare_identity = agent.identity.split(":", 1)[-1] if agent.identity else None
    return {name for name in (agent.api_id, agent.label_id, agent.worker_name, bare_identity) if name}


def _is_same(one: Agent, other: Agent) -> bool:
    if one.leg is not None and other.leg is not None:
        return one.leg == other.leg
    return bool(_names(one) & _names(other))


def _combined(one: Agent, other: Agent) -> Agent:
    since = [each for each in (one.connected_since, other.connected_since) if each is not None]
    newer = one if one.reported_at >= other.reported_at else other
    latest = one if one.reservation_order > other.reservation_order else other
    by_task = latest if latest.reservation else (one if one.reservation else other)
    return Agent(
        leg=one.leg or other.leg,
        api_id=one.api_id or other.api_id,
        label_id=one.label_id or other.label_id,
        worker_name=one.worker_name or other.worker_name,
        identity=one.identity or other.identity,
        is_reported=newer.is_reported,
        is_answered=one.is_answered if one.is_answered is not None else other.is_answered,
        connected_since=min(since, default=None),
        has_been_connected=one.has_been_connected or other.has_been_connected,
        reported_at=newer.reported_at,
        task=by_task.task,
        reservation=by_task.reservation,
        reservation_order=by_task.reservation_order,
        is_accepted=by_task.is_accepted,
    )


def agent_connected(call: Call, event: AgentConnected) -> Call:
    leg = None if event.agent_leg == call.call_sid else event.agent_leg
    agent = Agent(leg=leg, api_id=event.agent_id, is_reported=True, reported_at=event.at)
    return replace(call, agents=merged((*_told(call, agent), agent)))


def agent_disconnected(call: Call, event: AgentDisconnected) -> Call:
    """By leg or id; told neither, the last one that the API reported."""
    if event.agent_leg is not None:
        leaving = first(call.agents, lambda agent: agent.leg == event.agent_leg)
    elif event.agent_id is not None:
        leaving = first(call.agents, lambda agent: event.agent_id in _names(agent))
    else:
        reported = [agent for agent in call.agents if agent.is_reported and agent.api_id is not None]
        leaving = max(reported, key=lambda agent: agent.reported_at, default=None)
    if leaving is None:
        return call
    gone = replace(leaving, is_reported=False, reported_at=event.at)
    return replace(call, agents=swapped(call.agents, leaving, gone))


def reservation_accepted(call: Call, event: ReservationAccepted) -> Call:
    """Names an agent; stands for being connected only where the profile says so.

    The task's attributes may still name the leg of whoever had the task before: that one is not this worker's.
    """
    known = _of_worker(call, event.worker, event.reservation)
    if known is not None and (_is_overtaken(event, known) or _is_same_reservation(event, known)):
        return call  # a reservation is accepted once: a repeat, or news that comes after its end
    counts = call.profile.accepted_is_connected
    agent = Agent(
        leg=None if _is_somebody_elses(call, event.leg, event.worker) else event.leg,
        worker_name=event.worker,
        is_reported=True if counts else None,
        reported_at=event.at if counts else 0,
        task=event.task,
        reservation=event.reservation,
        reservation_order=event.order,
        is_accepted=True,
    )
    return replace(call, agents=merged((*_told(call, agent), agent)))


def reservation_ended(call: Call, event: ReservationEnded) -> Call:
    """This worker's part of that reservation is over; remembered even where its beginning has not come (yet)."""
    known = _of_worker(call, event.worker, event.reservation)
    if known is None:
        ended = Agent(
            worker_name=event.worker, task=event.task, reservation=event.reservation, reservation_order=event.order
        )
        return replace(call, agents=merged((*call.agents, ended)))
    is_another = "" not in {known.reservation, event.reservation} and known.reservation != event.reservation
    if is_another or _is_overtaken(event, known):
        return call  # the same worker has taken another reservation since
    return replace(call, agents=swapped(call.agents, known, _without_task(call, known, event)))


def task_ended(call: Call, event: TaskEnded) -> Call:
    agents = tuple(
        _without_task(call, agent, event)
        if agent.is_accepted and agent.task == event.task and not _is_overtaken(event, agent)
        else agent
        for agent in call.agents
    )
    return replace(call, agents=agents)


def worker_leg_named(call: Call, event: WorkerLegNamed) -> Call:
    """An agent's leg. It is that of the one worker who has the task and no leg yet, unless this is older news."""
    if event.leg == call.call_sid or any(agent.leg == event.leg and agent.worker_name for agent in call.agents):
        return call
    waiting = [agent for agent in call.agents if agent.is_accepted and agent.leg is None and agent.task == event.task]
    if any(_is_overtaken(event, agent) for agent in waiting):
        return call
    if len(waiting) != 1:
        return with_agent_leg(call, event.leg)
    return replace(call, agents=merged(swapped(call.agents, waiting[0], replace(waiting[0], leg=event.leg))))


def _of_worker(call: Call, worker: str, reservation: str) -> Agent | None:
    """By reservation, else TaskRouter's latest news of this worker."""
    known = [agent for agent in call.agents if agent.worker_name == worker]
    same = [agent for agent in known if agent.reservation == reservation]
    return max(same or known, key=lambda agent: agent.reservation_order, default=None)


def _is_overtaken(event: TaskNews, agent: Agent) -> bool:
    return 0 < event.order < agent.reservation_order


def _is_same_reservation(event: ReservationAccepted, agent: Agent) -> bool:
    return event.reservation != "" and event.reservation == agent.reservation


def _without_task(call: Call, agent: Agent, event: TaskNews) -> Agent:
    """Who is there by their leg stays; a report of TaskRouter's ends where it counted."""
    agent = replace(agent, is_accepted=False, reservation_order=event.order)
    return replace(agent, is_reported=False, reported_at=event.at) if call.profile.accepted_is_connected else agent


def _is_somebody_elses(call: Call, leg: str | None, worker: str) -> bool:
    others = {agent.leg for agent in call.agents if agent.worker_name not in {None, worker}}
    return leg is not None and (leg == call.call_sid or leg in others)


def _told(call: Call, news: Agent) -> tuple[Agent, ...]:
    """A new leg of an agent whose old leg has gone: the id alone must not tie them (a second device, a rejoin)."""
    if news.leg is None:
        return call.agents
    return tuple(
        replace(agent, is_reported=False)
        if agent.leg not in {None, news.leg} and _names(agent) & _names(news)
        else agent
        for agent in call.agents
    )
