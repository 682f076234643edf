"""Both vendors in one small server that agrees to everything at once and remembers when it was asked.

For benchmarks of our own cost under load, where the emulators' audio would take the processor that is being measured.
`python benchmarks/stub_vendors.py --port P [--start-ms 100]`; `GET /_asked?part=stop-streaming` lists `[guid, time]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from aiohttp import web

_ONE = {"streamId": "fake-stream", "status": {"code": 1000, "description": "OK"}}
_STREAMING = {"isOk": True, "autotranscribeResponse": {"customer": _ONE, "agent": _ONE}}
_URL = {"streamingUrl": "wss://media.asapp.example/fake-path"}
_CALL = {"direction": "inbound", "from": "+15555550101", "to": "+15555550100", "parent_call_sid": None}
ASKED = web.AppKey("asked", dict)
START_S = web.AppKey("start_s", float)


async def _asapp(request: web.Request) -> web.Response:
    part = request.path.rpartition("/")[2]
    if part == "twilio-media-stream-url":
        return web.json_response(_URL)
    arrived, guid = time.time(), json.loads(await request.read())["guid"]
    request.app[ASKED].setdefault(part, []).append((guid, arrived))
    if part == "start-streaming":
        await asyncio.sleep(request.app[START_S])
    return web.json_response(_STREAMING)


async def _twilio(request: web.Request) -> web.Response:
    sid = request.path.rpartition("/")[2].removesuffix(".json")
    if sid == "Calls":
        return web.json_response({"calls": [], "next_page_uri": None})
    if sid == "Streams":
        return web.json_response({"sid": "MZ" + "3" * 32, "status": "in-progress"})
    return web.json_response({"sid": sid, "status": "in-progress", **_CALL})


async def _asked(request: web.Request) -> web.Response:
    return web.json_response(request.app[ASKED].get(request.query["part"], []))


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--start-ms", type=float, default=0, help="how long start-streaming takes")
    options = asked.parse_args()
    app = web.Application()
    app[ASKED], app[START_S] = {}, options.start_ms / 1000
    app.router.add_get("/_asked", _asked)
    app.router.add_route("*", "/mg-autotranscribe/v1/{tail:.*}", _asapp)
    app.router.add_route("*", "/2010-04-01/{tail:.*}", _twilio)
    web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
