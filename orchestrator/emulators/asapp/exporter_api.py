"""The seven endpoints of the File Exporter, its presigned links, and planting.

Operations for scripted faults: ``listfeeds`` ... ``getfeedfile`` (as the endpoints are named) and ``feed-download``
(``status``, ``delay_ms``, ``hang``, or ``drop_after``: half of the file, then the line is cut).

Control: ``POST /_emulator/feeds`` ``{"date": "2026-11-21", "rows": [{"call_sid", "message_id", "text", "role",
"at", "sender_id", "has_state"}], "generate": 0, "lacks": []}``.
``lacks``: what of the day is not there yet, ``states`` (all of that feed), ``success`` (the mark, where it is listed).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from aiohttp import web

from orchestrator.emulators.asapp.exporter import FileId, Lack, known_feeds
from orchestrator.emulators.asapp.exporter_rows import Date, Said
from orchestrator.emulators.asapp.state import EMULATOR, Emulator, Recorded
from orchestrator.emulators.asapp.vendor import json_answer, perform
from orchestrator.emulators.asapp.wire import Refusal

_VERSION: Final = "1"
_HANG_POLL_S: Final = 0.05
routes = web.RouteTableDef()


class _Asked(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the endpoints take; all values are text, each endpoint insists on its own."""

    feed: str = ""
    version: str = ""
    format: str = ""
    date: str = ""
    interval: str = ""
    file_name: str = ""


class _Planted(msgspec.Struct, forbid_unknown_fields=True):
    date: Date
    rows: list[Said] = []
    generate: Annotated[int, msgspec.Meta(ge=0)] = 0
    lacks: list[Lack] = []


Tell = Callable[[Emulator, _Asked], dict[str, object]]
_FIELDS: Final = ("feed", "version", "format", "date")


def _checked(emulator: Emulator, asked: _Asked, depth: int) -> FileId:
    """Refuse what is missing or not exactly as listed; return plain values."""
    feeds, given = emulator.feeds, msgspec.structs.asdict(asked)
    there = (known_feeds(emulator.switches), [_VERSION], feeds.formats(), feeds.dates(emulator.clock.now(), asked.feed))
    plain = {}
    for field, values in list(zip(_FIELDS, there, strict=True))[:depth]:
        if not given[field]:
            raise Refusal(400, "400-01", f"{field} is required")
        plain[field] = feeds.plain(field, given[field], values)
    if asked.interval:
        feeds.plain("interval", asked.interval, feeds.intervals())
    return FileId(
        feed=plain.get("feed", ""),
        form=plain.get("format", ""),
        date=plain.get("date", ""),
        interval=asked.interval,
        name=asked.file_name,
    )


def _shown(emulator: Emulator, field: str, values: list[str]) -> list[str]:
    return [emulator.feeds.shown(field, each) for each in values]


def _list_files(emulator: Emulator, asked: _Asked) -> dict[str, object]:
    file = _checked(emulator, asked, 4)
    return {"files": emulator.feeds.files(file.feed, file.form, file.date, file.interval)}


def _tell_dates(emulator: Emulator, asked: _Asked) -> dict[str, object]:
    _checked(emulator, asked, 3)
    return {"dates": _shown(emulator, "date", emulator.feeds.dates(emulator.clock.now(), asked.feed))}


def _tell_versions(emulator: Emulator, asked: _Asked) -> dict[str, object]:
    _checked(emulator, asked, 1)
    return {"versions": _shown(emulator, "version", [_VERSION])}


def _tell_formats(emulator: Emulator, asked: _Asked) -> dict[str, object]:
    _checked(emulator, asked, 2)
    return {"formats": _shown(emulator, "format", emulator.feeds.formats())}


def _tell_intervals(emulator: Emulator, asked: _Asked) -> dict[str, object]:
    _checked(emulator, asked, 4)
    return {"intervals": emulator.feeds.intervals()}


_TELL: Final[dict[str, Tell]] = {
    "listfeeds": lambda emulator, _: {"feeds": list(known_feeds(emulator.switches))},
    "listfeedversions": _tell_versions,
    "listfeedformats": _tell_formats,
    "listfeeddates": _tell_dates,
    "listfeedintervals": _tell_intervals,
    "listfeedfiles": _list_files,
}


@routes.post("/fileexporter/v1/static/{endpoint}{tail:/?}")
async def static(request: web.Request) -> web.Response:
    emulator, endpoint = request.app[EMULATOR], request.match_info["endpoint"]
    try:
        asked = msgspec.json.decode(await request.read() or b"{}", type=_Asked)
    except msgspec.DecodeError as error:
        raise Refusal(400, "400-01", str(error)) from error
    if endpoint != "getfeedfile" and endpoint not in _TELL:
        raise web.HTTPNotFound

    def work() -> dict[str, object]:
        if endpoint == "getfeedfile":
            told: dict[str, object] = {"url": _link(emulator, asked, request)}
        else:
            told = _TELL[endpoint](emulator, asked)
        return {**msgspec.to_builtins(asked), **told}

    return await perform(request, endpoint, work)


def _link(emulator: Emulator, asked: _Asked, request: web.Request) -> str:
    file = _checked(emulator, asked, 4)
    if not file.name:
        raise Refusal(400, "400-01", "fileName is required")
    if file.name not in emulator.feeds.files(file.feed, file.form, file.date, file.interval):
        raise Refusal(404, "404-01", "no such file")
    scheme = "http://" if emulator.switches.word("feed-link-scheme") == "present" else ""
    return f"{scheme}{request.host}{emulator.feeds.link(file, emulator.clock.now())}"


@routes.get("/presigned/{token}/{name}")
async def download(request: web.Request) -> web.StreamResponse:
    """Give the file to whoever has the link; an object store knows nothing of ASAPP's headers."""
    emulator = request.app[EMULATOR]
    record = Recorded(time.time(), request.method, f"/presigned/{request.match_info['name']}", {})
    emulator.requests.append(record)
    file = emulator.feeds.linked(
        request.match_info["token"], request.query.get("X-Signature", ""), emulator.clock.now()
    )
    rule = emulator.faults.take("feed-download", {"name": request.match_info["name"]})
    if rule is not None:
        await asyncio.sleep(rule.delay_ms / 1000)
    has_secret = any(name.lower().startswith("asapp-") for name in request.headers)
    record.status = 400 if has_secret else 403 if file is None else rule.status if rule and rule.status else 200
    if record.status != 200 or file is None:  # noqa: PLR2004 - HTTP's OK
        return web.Response(status=record.status, text="<Error><Code>AccessDenied</Code></Error>")
    answer = web.StreamResponse(headers={"Content-Type": "binary/octet-stream"})
    await answer.prepare(request)
    for number, piece in enumerate(emulator.feeds.content(file)):
        if rule is not None and (rule.drop_after or rule.hang):
            await answer.write(piece[: len(piece) // 2])
            await _break_off(request, hangs=rule.hang)
            return answer
        await answer.write(piece)
        if number % 16 == 0:
            await asyncio.sleep(0)
    await answer.write_eof()
    return answer


async def _break_off(request: web.Request, *, hangs: bool) -> None:
    await asyncio.sleep(_HANG_POLL_S)
    while hangs and request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(_HANG_POLL_S)
    if request.transport is not None:
        request.transport.abort()


@routes.post("/_emulator/feeds")
async def plant(request: web.Request) -> web.Response:
    try:
        planted = msgspec.json.decode(await request.read(), type=_Planted)
    except msgspec.DecodeError as error:
        text = msgspec.json.encode({"error": str(error)}).decode()
        raise web.HTTPBadRequest(text=text, content_type="application/json") from error
    request.app[EMULATOR].feeds.plant(planted.date, planted.rows, planted.generate, planted.lacks)
    return json_answer({"dates": request.app[EMULATOR].feeds.dates(request.app[EMULATOR].clock.now())})
