"""The control interface under ``/_emulator/``: what the far ends of the calls do, and what was seen.

No credentials. Bodies and answers are JSON; an action that makes no sense now is refused with 409.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.faults import BadRulesError
from orchestrator.emulators.twilio import answers, calls, placing, rooms
from orchestrator.emulators.twilio.formats import rfc2822
from orchestrator.emulators.twilio.keys import ACCOUNT
from orchestrator.emulators.twilio.model import Conference, Leg, Member, Number, Role
from orchestrator.emulators.twilio.switches import SWITCHES, UnknownSwitchError

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]
_CONFERENCE_WITHIN_S = 10.0
_LOOKS = 2000
_BREAKS = frozenset(SWITCHES["stream-break"])


def routes() -> list[web.RouteDef]:
    base = "/_emulator"
    return [
        web.get(f"{base}/requests", _requests),
        web.get(f"{base}/deliveries", _deliveries),
        web.get(f"{base}/alerts", _alerts),
        web.post(f"{base}/reset", _reset),
        web.get(f"{base}/faults", _list_faults),
        web.post(f"{base}/faults", _add_faults),
        web.delete(f"{base}/faults", _clear_faults),
        web.get(f"{base}/switches", _list_switches),
        web.post(f"{base}/switches", _set_switches),
        web.post(f"{base}/numbers", _number),
        web.get(f"{base}/calls", _list_calls),
        web.post(f"{base}/calls", _place_call),
        web.get(f"{base}/calls/{{call}}", _read_call),
        web.post(f"{base}/calls/{{call}}/{{action}}", _act),
    ]


def conflict(message: str) -> web.HTTPConflict:
    return web.HTTPConflict(text=message)


async def _requests(request: web.Request) -> web.Response:
    return web.json_response(_filtered(request, list(request.app[ACCOUNT].requests)))


async def _deliveries(request: web.Request) -> web.Response:
    return web.json_response(_filtered(request, list(request.app[ACCOUNT].hooks.deliveries)))


async def _alerts(request: web.Request) -> web.Response:
    return web.json_response(_filtered(request, list(request.app[ACCOUNT].alerts)))


def _filtered(request: web.Request, rows: list[Json]) -> list[Json]:
    """Keep the rows whose fields (or parameters) are those of the query, such as ``?kind=voice``."""
    wanted = request.query.items()
    return [row for row in rows if all(str(_field(row, name)) == value for name, value in wanted)]


def _field(row: Json, name: str) -> object:
    return row[name] if name in row else row.get("params", {}).get(name)


async def _reset(request: web.Request) -> web.Response:
    """End every call without a word and forget everything but the numbers."""
    account = request.app[ACCOUNT]
    for leg in account.live_legs():
        leg.callbacks = []
        calls.finish(account, leg, "completed", "reset")
    account.faults.clear()
    account.switches.reset()
    for kept in (account.requests, account.alerts, account.hooks.deliveries):
        kept.clear()
    account.legs.clear()
    account.conferences.clear()
    return web.Response(status=204)


async def _list_faults(request: web.Request) -> web.Response:
    rules = request.app[ACCOUNT].faults.rules()
    return web.json_response([{"operation": rule.operation, "times": rule.times} for rule in rules])


async def _add_faults(request: web.Request) -> web.Response:
    try:
        count = request.app[ACCOUNT].faults.add(await request.read())
    except BadRulesError as problem:
        raise web.HTTPBadRequest(text=str(problem)) from problem
    return web.json_response({"rules": count}, status=201)


async def _clear_faults(request: web.Request) -> web.Response:
    request.app[ACCOUNT].faults.clear()
    return web.Response(status=204)


async def _list_switches(request: web.Request) -> web.Response:
    return web.json_response(request.app[ACCOUNT].switches.as_dict())


async def _set_switches(request: web.Request) -> web.Response:
    account, given = request.app[ACCOUNT], await request.json()
    try:
        account.switches.set(given)
    except UnknownSwitchError as problem:
        raise web.HTTPBadRequest(text=str(problem)) from problem
    return web.json_response(account.switches.as_dict())


async def _number(request: web.Request) -> web.Response:
    """Create a number of the account, or set it anew; the settings have their REST names."""
    account, given = request.app[ACCOUNT], await request.json()
    wanted = given.pop("phone_number", "")
    unknown = set(given) - set(answers.NUMBER_SETTINGS)
    if not wanted or unknown:
        raise web.HTTPBadRequest(text=f"phone_number is required; unknown: {sorted(unknown)}")
    number = account.numbers.setdefault(wanted, Number(wanted, {}))
    number.settings.update(given)
    return web.json_response(answers.number(account, number), status=201)


async def _place_call(request: web.Request) -> web.Response:
    """Let somebody call: ``from``, ``to``; ``sip_headers`` for a call over SIP; ``params`` to be added."""
    account, given = request.app[ACCOUNT], await request.json()
    if not given.get("from") or not given.get("to"):
        raise web.HTTPBadRequest(text="from and to are required")
    asides = {f"SipHeader_{name}": value for name, value in given.get("sip_headers", {}).items()}
    if given["to"].startswith("sip:"):
        asides["SipDomain"] = given["to"].rpartition("@")[2]
    settings = placing.settings_for(account, given.get("number") or given["to"])
    leg = placing.incoming(account, given["from"], given["to"], asides | given.get("params", {}), settings)
    return web.json_response({"sid": leg.sid}, status=201)


async def _list_calls(request: web.Request) -> web.Response:
    account = request.app[ACCOUNT]
    return web.json_response([_call(account, leg) for leg in account.legs.values()])


async def _read_call(request: web.Request) -> web.Response:
    return web.json_response(_call(request.app[ACCOUNT], _leg(request)))


def _leg(request: web.Request) -> Leg:
    leg = request.app[ACCOUNT].legs.get(request.match_info["call"])
    if leg is None:
        raise web.HTTPNotFound(text="no such call")
    return leg


def _call(account: "Account", leg: Leg) -> Json:
    return {
        "sid": leg.sid,
        "from": leg.sender,
        "to": leg.to,
        "role": leg.role.value,
        "direction": leg.direction,
        "status": leg.status,
        "legs": [{"sid": other.sid, "status": other.status, "role": other.role} for other in _others(leg)],
        "streams": [
            {"sid": s.sid, "name": s.name, "state": s.state.value, "frames_sent": s.frames_sent} for s in leg.streams
        ],
        "conference": _conference(leg),
        "queued": any(waiting.leg is leg for row in account.queues.waiting.values() for waiting in row),
        "playing": leg.playing.value if leg.playing else None,
        "twiml_position": leg.position,
        "ended_by": leg.ended_by or None,
        "started_at": rfc2822(leg.started),
        "duration_s": leg.duration_s,
    }


def _others(leg: Leg) -> list[Leg]:
    in_room = [member.leg for member in leg.room.members if member.leg is not leg] if leg.room else []
    return [*leg.children, *(other for other in in_room if other not in leg.children)]


def _conference(leg: Leg) -> Json | None:
    if not isinstance(leg.room, Conference):
        return None
    return {
        "sid": leg.room.sid,
        "name": leg.room.name,
        "status": leg.room.status,
        "participants": [
            {"sid": m.leg.sid, "label": m.label, "hold": m.held, "muted": m.muted, "coaching": m.coaching}
            for m in leg.room.members
        ],
    }


async def _act(request: web.Request) -> web.Response:
    action = _ACTIONS.get(request.match_info["action"])
    if action is None:
        raise web.HTTPNotFound(text=f"no such action; there are: {', '.join(_ACTIONS)}")
    given = await request.json() if request.can_read_body else {}
    leg = _leg(request)
    if leg.is_over:
        raise conflict("the call is over")
    return web.json_response(await action(request.app[ACCOUNT], leg, given))


async def _conference_of(leg: Leg) -> Conference:
    """Return the leg's conference, waiting a little for a call that is on its way into one."""
    deadline = asyncio.get_running_loop().time() + _CONFERENCE_WITHIN_S
    while not isinstance(leg.room, Conference):
        if leg.is_over or asyncio.get_running_loop().time() > deadline:
            raise conflict("the call is in no conference")
        await asyncio.sleep(0.02)
    return leg.room


async def _joins(account: "Account", leg: Leg, given: Json, **more: str) -> Json:
    """Let an agent's device join the conference of the call, and wait until it is in."""
    room = await _conference_of(leg)
    label = str(given.get("label", ""))
    agent = placing.device(str(given.get("client") or label or "agent"))
    placing.into_conference(account, agent, room, {"participantLabel": label, "beep": "false", **more})
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
    others = [other for other in _others(leg) if not other.is_over]
    if given.get("leg"):
        return account.legs[str(given["leg"])]
    if given.get("label"):
        room = leg.room.members if leg.room else []
        others = [member.leg for member in room if member.label == given["label"]]
    agents = [other for other in others if other.role is Role.AGENT]
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
    """Let somebody on the call speak now: ``text``, ``role`` (customer), ``kind`` where it is not speech."""
    role = Role(given.get("role", "customer"))
    speaker = leg if leg.role is role else next((o for o in _others(leg) if o.role is role), None)
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
    """Let a ringing leg decline: ``status`` busy (default), no-answer or failed."""
    return await _pick_up(account, leg, given, str(given.get("status", "busy")))


async def _pick_up(account: "Account", leg: Leg, given: Json, outcome: str) -> Json:
    deadline = asyncio.get_running_loop().time() + _CONFERENCE_WITHIN_S
    while asyncio.get_running_loop().time() < deadline:
        for ringing in [leg, *leg.children]:
            future = ringing.picked_up
            is_wanted = given.get("leg") in {None, ringing.sid}
            if is_wanted and future is not None and not future.done():
                future.set_result(outcome)
                return {"sid": ringing.sid}
        await asyncio.sleep(0.02 / max(1.0, account.clock.speed))
    raise conflict("nothing rings")


_ACTIONS: dict[str, Callable[["Account", Leg, Json], Awaitable[Json]]] = {
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
