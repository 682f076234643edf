"""The control interface under ``/_emulator/``: what the far ends of the calls do, and what was seen.

No credentials. Bodies and answers are JSON; an action that makes no sense now is refused with 409.
"""

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.faults import BadRulesError
from orchestrator.emulators.twilio import actions, answers, calls, moving, placing, taskrouter_control
from orchestrator.emulators.twilio.actions import conflict, others
from orchestrator.emulators.twilio.formats import rfc2822
from orchestrator.emulators.twilio.keys import ACCOUNT
from orchestrator.emulators.twilio.model import Conference, Leg, Number, Role
from orchestrator.emulators.twilio.switches import UnknownSwitchError

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]
ACTIONS = actions.ACTIONS | moving.ACTIONS | taskrouter_control.ACTIONS
_RESET_WITHIN_S = 2.0


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
        web.post(f"{base}/credentials", _rotate),
        web.post(f"{base}/numbers", _number),
        web.get(f"{base}/calls", _list_calls),
        web.post(f"{base}/calls", _place_call),
        web.get(f"{base}/calls/{{call}}", _read_call),
        web.post(f"{base}/calls/{{call}}/{{action}}", _act),
        *taskrouter_control.routes(),
    ]


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
    """End every call without a word and forget everything but the numbers, the workspace and its workers."""
    account = request.app[ACCOUNT]
    account.hooks.is_mute = True
    account.router.forget()
    legs = list(account.legs.values())
    for leg in legs:
        calls.finish(account, leg, "completed", "reset")
    tasks = [task for leg in legs for task in (leg.task, *(stream.task for stream in leg.streams)) if task]
    await asyncio.wait([*tasks, asyncio.create_task(asyncio.sleep(0))], timeout=_RESET_WITHIN_S)
    account.hooks.is_mute = False
    account.faults.clear()
    account.switches.reset()
    for kept in (account.requests, account.alerts, account.hooks.deliveries):
        kept.clear()
    account.legs.clear()
    account.conferences.clear()
    account.queues.waiting.clear()
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


async def _rotate(request: web.Request) -> web.Response:
    """From now on requests are signed with this `auth_token`, and REST wants it; the one before is worth nothing.

    With a `shared_key` (`name:secret`) webhooks are signed with that instead. `api_keys` (SID to secret) are all that
    REST takes beside the token.
    """
    account, given = request.app[ACCOUNT], await request.json()
    if "auth_token" in given:
        account.settings = dataclasses.replace(account.settings, auth_token=str(given["auth_token"]))
        account.hooks.token = account.settings.auth_token
    if "api_keys" in given:
        account.settings = dataclasses.replace(account.settings, api_keys=dict(given["api_keys"]))
    if "shared_key" in given:
        name, _, secret = str(given["shared_key"]).partition(":")
        account.hooks.shared_key = (name, secret) if secret else None
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
    """Let somebody call: ``from``, ``to``, ``number`` (whose settings apply; default ``to``).

    More: ``sip_headers`` for a call over SIP; ``params`` to be added to its webhooks; ``role`` of the caller where
    its address does not tell; ``enqueue_outcome`` (a value of the switch ``enqueue-outcome``) for this call alone.
    """
    account, given = request.app[ACCOUNT], await request.json()
    if not given.get("from") or not given.get("to"):
        raise web.HTTPBadRequest(text="from and to are required")
    asides = placing.sip_params(given["from"], given["to"], given.get("sip_headers", {})) | given.get("params", {})
    settings = placing.settings_for(account, given.get("number") or given["to"])
    role = Role(given["role"]) if given.get("role") else None
    leg = placing.incoming(account, given["from"], given["to"], asides, settings, role)
    leg.enqueue_outcome = str(given.get("enqueue_outcome", ""))
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
        "legs": [{"sid": other.sid, "status": other.status, "role": other.role} for other in others(leg)],
        "streams": [
            {"sid": s.sid, "name": s.name, "state": s.state.value, "frames_sent": s.frames_sent} for s in leg.streams
        ],
        "conference": _conference(leg),
        "queued": account.queues.of(leg) is not None,
        "playing": leg.playing.value if leg.playing else None,
        "twiml_position": leg.position,
        "ended_by": leg.ended_by or None,
        "started_at": rfc2822(leg.started),
        "duration_s": leg.duration_s,
    }


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
    name = request.match_info["action"]
    action = ACTIONS.get(name)
    if action is None:
        raise web.HTTPNotFound(text=f"no such action; there are: {', '.join(ACTIONS)}")
    given = await request.json() if request.can_read_body else {}
    leg = _leg(request)
    if leg.is_over and name not in taskrouter_control.AFTER_THE_CALL:
        raise conflict("the call is over")
    return web.json_response(await action(request.app[ACCOUNT], leg, given))
