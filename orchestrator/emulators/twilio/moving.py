"""Control actions that move legs between rooms: what agents' desktops do over the vendor's interfaces.

``agent-opens`` begins a conference from the agent's side, ``customer-moves`` redirects the customer's leg into a
conference (a transfer), ``coaching`` changes a coach's flags, ``leaves-queue`` lets a waiting caller leave by
`<Leave>`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from orchestrator.emulators.twilio import interpreter, placing, rooms
from orchestrator.emulators.twilio.actions import conflict
from orchestrator.emulators.twilio.model import Leg

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]
_WITHIN_S = 5.0


def _conference_attributes(given: Json, label: str) -> dict[str, str]:
    return {
        "participantLabel": label,
        "beep": "false",
        "endConferenceOnExit": str(bool(given.get("end_conference_on_exit"))).lower(),
        "statusCallback": str(given.get("status_callback", "")),
        "statusCallbackEvent": str(given.get("status_callback_events", "start end join leave mute hold")),
    }


async def _agent_opens(account: "Account", leg: Leg, given: Json) -> Json:
    """Let an agent's device join ``conference`` (default: the call's SID), there or not, before the customer."""
    name, label = str(given.get("conference") or leg.sid), str(given.get("label", ""))
    agent = placing.device(str(given.get("client") or label or "agent"))
    agent.status = "ringing"
    account.add(agent)
    interpreter.launch(account, agent, placing.conference_step(name, _conference_attributes(given, label)))
    await _until_in(agent, name)
    return {"sid": agent.sid}


async def _customer_moves(account: "Account", leg: Leg, given: Json) -> Json:
    """Redirect this leg into ``conference`` as ``label`` (customer); whoever it was connected with goes on alone."""
    if not leg.is_in_progress:
        raise conflict("the call is not in progress")
    name, label = str(given.get("conference") or f"transfer-{leg.sid}"), str(given.get("label", "customer"))
    attributes = _conference_attributes({"end_conference_on_exit": True} | given, label)
    interpreter.redirect(account, leg, placing.conference_step(name, attributes))
    await _until_in(leg, name)
    return {"conference": name}


async def _until_in(leg: Leg, name: str) -> None:
    deadline = asyncio.get_running_loop().time() + _WITHIN_S
    while leg.room is None:
        if leg.is_over or asyncio.get_running_loop().time() > deadline:
            raise conflict(f"not let into {name}")
        await asyncio.sleep(0.005)


async def _coaching(account: "Account", leg: Leg, given: Json) -> Json:
    """Set ``coaching`` and ``coached`` (a Call SID) of the participant ``leg``; false lets a coach barge in."""
    coach = account.legs.get(str(given.get("leg") or leg.sid), leg)
    if coach.member is None:
        raise conflict("the leg is in no conference")
    coach.member.coaching = bool(given.get("coaching"))
    coach.member.coached_sid = str(given.get("coached", "")) if coach.member.coaching else ""
    rooms.modified(account, coach.member)
    return {}


async def _leaves_queue(account: "Account", leg: Leg, _given: Json) -> Json:
    waiting = account.queues.of(leg)
    if waiting is None or not account.queues.remove(waiting):
        raise conflict("the call waits in no queue")
    waiting.taken.set_result(None)
    return {}


ACTIONS: dict[str, Callable[["Account", Leg, Json], Awaitable[Json]]] = {
    "agent-opens": _agent_opens,
    "customer-moves": _customer_moves,
    "coaching": _coaching,
    "leaves-queue": _leaves_queue,
}
