"""What the far ends of a call can be told to do: ``POST /_emulator/calls/{sid}/{action}``.

``{sid}`` is the customer's call (any leg will do). An action that makes no sense now raises a 409.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.twilio import calls, placing, rooms
from orchestrator.emulators.twilio.model import Conference, Leg, Member, Role
from orchestrator.emulators.twilio.switches import SWITCHES

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]
_CONFERENCE_WITHIN_S = 10.0
_LOOKS = 2000
_DECLINED = frozenset({"busy", "no-answer", "failed", "canceled"})
_BREAKS = frozenset(SWITCHES["stream-break"])


def conflict(message: str) -> web.HTTPConflict:
    return web.HTTPConflict(text=message)


def others(leg: Leg) -> list[Leg]:
    """Return the other legs of a call: those it dialed and those in its room."""
    in_room = [member.leg for member in leg.room.members if member.leg is not leg] if leg.room else []
    return [*leg.children, *(other for other in in_room if other not in leg.children)]


async def _conference_of(leg: Leg) -> Conference:
    """Return the leg's conference, waiting a little for a call that is on its way into one."""
    deadline = asyncio.get_running_loop().time() + _CONFERENCE_WITHIN_S
    while not isinstance(leg.room, Conference):
        if leg.is_over or asyncio.get_running_loop().time() > deadline:
            raise conflict("the call is in no conference")
        await asyncio.sleep(0.02)
    return leg.room


async def _joins(account: "Account", leg: Leg, given: Json, **more: str) -> Json:
    """Let an agent's device join the conference of the call, and wait until it is in.

    ``status_callback`` and ``status_callback_events`` are its own, and in vain unless it is the first there.
    """
    room = await _conference_of(leg)
    label = str(given.get("label", ""))
    agent = placing.device(str(given.get("client") or label or "agent"))
    attributes = {
        "participantLabel": label,
        "beep": "false",
        "statusCallback": str(given.get("status_callback", "")),
        "statusCallbackEvent": str(given.get("status_callback_events", "")),
    }
    placing.into_conference(account, agent, room, attributes | more)
    for _ in range(_LOOKS):
        if agent.room is room or agent.is_over:
            break
        await asyncio.sleep(_CONFERENCE_WITHIN_S / _LOOKS)
    if agent.room is not room:
        raise conflict("the agent was not let in")
    return {"sid": agent.sid}


async def _agent_joins(account: "Account", leg: Leg, given: Json) -> Json:
    return await _joins(account, leg, given)


async def _coach_joins(account: "Account", leg: Leg, given: Json) -> Json:
    """Let a coach join, heard by one agent only: ``leg``, else the first."""
    room = await _conference_of(leg)
    agents = [member.leg for member in room.members if member.leg.role is Role.AGENT and not member.coaching]
    coached = str(given.get("leg") or (agents[0].sid if agents else ""))
    if not coached:
        raise conflict("there is no agent to coach")
    return await _joins(account, leg, given, coach=coached)


async def _agent_leaves(account: "Account", leg: Leg, given: Json) -> Json:
    """Let an agent hang up: the one of ``leg`` or ``label``, else the last to come."""
    agent = _agent(account, leg, given)
    calls.finish(account, agent, "completed", "hung-up")
    return {"sid": agent.sid}


def _agent(account: "Account", leg: Leg, given: Json) -> Leg:
    there = [other for other in others(leg) if not other.is_over]
    if given.get("leg"):
        return account.legs[str(given["leg"])]
    if given.get("label"):
        room = leg.room.members if leg.room else []
        there = [member.leg for member in room if member.label == given["label"]]
    agents = [other for other in there if other.role is Role.AGENT]
    if not agents:
        raise conflict("no such agent is connected")
    return agents[-1]


def _member(account: "Account", leg: Leg, given: Json) -> Member:
    wanted = account.legs.get(str(given.get("leg") or leg.sid), leg)
    member = wanted.member
    if member is None or not isinstance(wanted.room, Conference):
        raise conflict("the leg is in no conference")
    return member


async def _hold(account: "Account", leg: Leg, given: Json) -> Json:
    rooms.set_flags(account, _member(account, leg, given), held=True)
    return {}


async def _unhold(account: "Account", leg: Leg, given: Json) -> Json:
    rooms.set_flags(account, _member(account, leg, given), held=False)
    return {}


async def _hangup(account: "Account", leg: Leg, given: Json) -> Json:
    """Let the far end of this leg hang up."""
    status = "completed" if leg.is_in_progress else str(given.get("status", "canceled"))
    calls.finish(account, leg, status, "hung-up")
    return {}


async def _say(account: "Account", leg: Leg, given: Json) -> Json:
    """Let somebody on the call speak now: ``text``, ``role`` (customer) or ``leg``, ``kind`` where not speech."""
    role = Role(given.get("role", "customer"))
    speaker = leg if leg.role is role else next((o for o in others(leg) if o.role is role), None)
    speaker = account.legs.get(str(given.get("leg")), speaker)
    if speaker is None:
        raise conflict(f"nobody on the call is {role}")
    kind = Kind(given["kind"]) if given.get("kind") else None
    conversation = speaker.room.conversation if speaker.room else account.conversation()
    spoken = conversation.say(speaker, str(given["text"]), account.clock.now(), kind)
    return {"utterance": spoken.number, "seconds": round(spoken.end - spoken.start, 3)}


async def _break_stream(_account: "Account", leg: Leg, given: Json) -> Json:
    """Cut the newest live stream; ``mode`` says which callbacks follow."""
    mode = str(given.get("mode", "error-then-stopped"))
    if mode not in _BREAKS:
        raise web.HTTPBadRequest(text=f"mode is one of {', '.join(sorted(_BREAKS))}")
    stream = next((s for s in reversed(leg.streams) if s.state == "live"), None)
    if stream is None:
        raise conflict("no stream is live")
    stream.cut(mode)
    return {"sid": stream.sid, "name": stream.name}


async def _agent_answers(account: "Account", leg: Leg, given: Json) -> Json:
    """Let a ringing leg that this call dials answer (or this very leg, if it is the one that rings)."""
    return await _pick_up(account, leg, given, "answered")


async def _agent_declines(account: "Account", leg: Leg, given: Json) -> Json:
    """Let a ringing leg decline: ``status`` busy (default), no-answer, failed or canceled."""
    status = str(given.get("status", "busy"))
    if status not in _DECLINED:
        raise web.HTTPBadRequest(text=f"status is one of {', '.join(sorted(_DECLINED))}")
    return await _pick_up(account, leg, given, status)


async def _pick_up(account: "Account", leg: Leg, given: Json, outcome: str) -> Json:
    deadline = asyncio.get_running_loop().time() + _CONFERENCE_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        for ringing in _may_ring(account, leg):
            future = ringing.picked_up
            is_wanted = given.get("leg") in {None, ringing.sid}
            if is_wanted and future is not None and not future.done():
                future.set_result(outcome)
                return {"sid": ringing.sid}
        await asyncio.sleep(0.02 / max(1.0, account.clock.speed))
    raise conflict("nothing rings")


def _may_ring(account: "Account", leg: Leg) -> list[Leg]:
    """Return the legs that may ring for a call: itself, those it dials, workers who are called for it."""
    task = account.router.task_of(leg)
    workers = [reservation.leg for reservation in task.reservations if reservation.leg] if task else []
    return [leg, *leg.children, *workers]


ACTIONS: dict[str, Callable[["Account", Leg, Json], Awaitable[Json]]] = {
    "agent-joins": _agent_joins,
    "agent-leaves": _agent_leaves,
    "hold": _hold,
    "unhold": _unhold,
    "hangup": _hangup,
    "say": _say,
    "break-stream": _break_stream,
    "agent-answers": _agent_answers,
    "agent-declines": _agent_declines,
    "coach-joins": _coach_joins,
}
