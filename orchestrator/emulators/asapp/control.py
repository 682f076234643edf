"""What tests and demos ask and order, under ``/_emulator/``, without credentials.

``GET requests`` (``?path=``, ``?guid=``) · ``GET calls`` · ``GET calls/{guid}`` · ``GET webhooks`` (``?guid=``) ·
``GET switches`` · ``GET faults`` · ``GET ca`` (PEM) · ``POST reset`` · ``POST faults`` (a list, see
`orchestrator.emulators.faults`) · ``DELETE faults`` · ``POST switches`` ``{name: value}`` ·
``POST clock`` ``{"advance_s": n}`` · ``POST webhook`` ``{"url", "secret", "name", "place"}`` ·
``POST credentials`` ``{"api_id", "api_secret"}`` · ``POST calls/{guid}/drop-stream`` ``{"code": 1011}``.
"""

import dataclasses
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web

from orchestrator.emulators.asapp.state import EMULATOR
from orchestrator.emulators.asapp.switches import SWITCHES, UnknownSwitchError
from orchestrator.emulators.asapp.vendor import json_answer
from orchestrator.emulators.asapp.webhook import Target
from orchestrator.emulators.faults import BadRulesError

CA_PEM: Final = web.AppKey("ca-pem", bytes)
routes = web.RouteTableDef()
T = TypeVar("T")


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance_s: float


class _Drop(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1011


class _Credentials(msgspec.Struct, forbid_unknown_fields=True):
    api_id: str
    api_secret: str


async def _read(request: web.Request, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=shape)
    except msgspec.DecodeError as error:
        raise _bad(error) from error


def _bad(error: Exception) -> web.HTTPBadRequest:
    text = msgspec.json.encode({"error": str(error)}).decode()
    return web.HTTPBadRequest(text=text, content_type="application/json")


@routes.get("/_emulator/requests")
async def requests(request: web.Request) -> web.Response:
    path, guid = request.query.get("path"), request.query.get("guid")
    chosen = [
        each.as_dict()
        for each in request.app[EMULATOR].requests
        if (path is None or each.path.rstrip("/") == path) and (guid is None or each.guid == guid)
    ]
    return json_answer(chosen)


@routes.get("/_emulator/calls")
async def calls(request: web.Request) -> web.Response:
    return json_answer([call.as_dict() for call in request.app[EMULATOR].calls.values()])


@routes.get("/_emulator/calls/{guid}")
async def call(request: web.Request) -> web.Response:
    known = request.app[EMULATOR].calls.get(request.match_info["guid"])
    if known is None:
        raise web.HTTPNotFound(text="no media stream of this call was ever seen")
    return json_answer(known.as_dict())


@routes.post("/_emulator/calls/{guid}/drop-stream")
async def drop_stream(request: web.Request) -> web.Response:
    order = await _read(request, _Drop)
    known = request.app[EMULATOR].calls.get(request.match_info["guid"])
    streams = known.open_streams if known else []
    if not streams:
        raise web.HTTPNotFound(text="no open media stream of this call")
    await streams[-1].close(order.code)
    return json_answer({"stream_sid": streams[-1].stream_sid})


@routes.get("/_emulator/webhooks")
async def webhooks(request: web.Request) -> web.Response:
    guid = request.query.get("guid")
    sent = request.app[EMULATOR].pusher.deliveries
    return json_answer([each.as_dict() for each in sent if guid is None or each.guid == guid])


@routes.post("/_emulator/webhook")
async def webhook(request: web.Request) -> web.Response:
    request.app[EMULATOR].pusher.target = await _read(request, Target)
    return json_answer({})


@routes.post("/_emulator/credentials")
async def rotate(request: web.Request) -> web.Response:
    """From now on only these are accepted."""
    emulator, given = request.app[EMULATOR], await _read(request, _Credentials)
    emulator.settings = dataclasses.replace(emulator.settings, api_id=given.api_id, api_secret=given.api_secret)
    return json_answer({})


@routes.get("/_emulator/switches")
async def switches(request: web.Request) -> web.Response:
    values = request.app[EMULATOR].switches.as_dict()
    told = {
        name: {"value": values[name], "default": each.default, "allowed": each.allowed, "meaning": each.meaning}
        for name, each in SWITCHES.items()
    }
    return json_answer(told)


@routes.post("/_emulator/switches")
async def set_switches(request: web.Request) -> web.Response:
    chosen = await _read(request, dict[str, str | float])
    emulator = request.app[EMULATOR]
    try:
        emulator.switches.set({name: str(value) for name, value in chosen.items()})
    except UnknownSwitchError as error:
        raise _bad(error) from error
    return json_answer(emulator.switches.as_dict())


@routes.get("/_emulator/faults")
async def faults(request: web.Request) -> web.Response:
    return json_answer(request.app[EMULATOR].faults.rules())


@routes.post("/_emulator/faults")
async def add_faults(request: web.Request) -> web.Response:
    try:
        return json_answer({"rules": request.app[EMULATOR].faults.add(await request.read())})
    except BadRulesError as error:
        raise _bad(error) from error


@routes.delete("/_emulator/faults")
async def clear_faults(request: web.Request) -> web.Response:
    request.app[EMULATOR].faults.clear()
    return json_answer({})


@routes.post("/_emulator/clock")
async def clock(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    emulator.clock.advance((await _read(request, _Advance)).advance_s)
    return json_answer({"now": emulator.clock.now()})


@routes.post("/_emulator/reset")
async def reset(request: web.Request) -> web.Response:
    await request.app[EMULATOR].reset()
    return json_answer({})


@routes.get("/_emulator/ca")
async def ca(request: web.Request) -> web.Response:
    return web.Response(body=request.app[CA_PEM], content_type="application/x-pem-file")
