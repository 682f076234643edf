"""The vendor's HTTP endpoints: stream URL, start, stop, messages, health.

Operations for scripted faults: ``stream-url``, ``start-streaming``, ``stop-streaming``, ``messages``,
``health`` (variant ``failed``). Start and stop know the variants ``is-ok-false`` (nothing is done),
``participant-<code>``, ``customer-<code>`` and ``agent-<code>`` (done, one participant not 1000).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from orchestrator.emulators.asapp import conversations
from orchestrator.emulators.asapp.state import EMULATOR, Emulator
from orchestrator.emulators.asapp.vendor import perform
from orchestrator.emulators.asapp.wire import Refusal

TAIL = "{tail:/?}"
routes = web.RouteTableDef()


@routes.get(f"/mg-autotranscribe/v1/twilio-media-stream-url{TAIL}")
async def stream_url(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]

    def work() -> dict[str, object]:
        ttl_s = emulator.switches.number("stream-url-ttl-s")
        token = emulator.tokens.issue(emulator.clock.now(), ttl_s)
        host = f"wss://{emulator.switches.word('stream-url-host')}:{emulator.media_port}"
        if emulator.switches.word("stream-url-form") == "query":
            return {"streamingUrl": f"{host}/twilio-media?token={token}"}
        return {"streamingUrl": f"{host}/mg-twilio-autotranscribe/twilio-media/{token}"}

    return await perform(request, "stream-url", work)


@routes.post(f"/mg-autotranscribe/v1/start-streaming{TAIL}")
async def start_streaming(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    order = emulator.gateway.parse_start(await _json_body(request))

    def work() -> dict[str, object]:
        call = emulator.calls.get(order.guid)
        body, cut_short = emulator.gateway.start(call, order, emulator.clock.now())
        if call:
            emulator.publish(call, cut_short)
        return body

    with _alone(emulator, order.guid):
        return await perform(request, "start-streaming", work, order.guid)


@routes.post(f"/mg-autotranscribe/v1/stop-streaming{TAIL}")
async def stop_streaming(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    order = emulator.gateway.parse_stop(await _json_body(request))

    def work() -> dict[str, object]:
        call = emulator.calls.get(order.guid)
        body, cut_short = emulator.gateway.stop(call, emulator.clock.now())
        if call:
            emulator.publish(call, cut_short)
        return body

    with _alone(emulator, order.guid):
        return await perform(request, "stop-streaming", work, order.guid)


@routes.get(f"/conversation/v1/conversation/messages{TAIL}")
async def messages(request: web.Request) -> web.Response:
    emulator = request.app[EMULATOR]
    guid = request.query.get("externalId")
    if not guid:
        raise Refusal(400, "400-01", "externalId is required")

    def work() -> dict[str, object]:
        call = emulator.calls.get(guid)
        return conversations.listed(call, emulator.clock.now(), emulator.switches, emulator.clock.speed)

    return await perform(request, "messages", work, guid)


@routes.get(f"/v1/health{TAIL}")
async def health(request: web.Request) -> web.Response:
    return await perform(request, "health", lambda: {"healthCheck": "SUCCESS"})


@contextmanager
def _alone(emulator: Emulator, guid: str) -> Iterator[None]:
    """Refuse a second start or stop of a call while one is pending."""
    if guid in emulator.pending_guids:
        raise Refusal(409, "409-202", "Another API request for the same guid is pending")
    emulator.pending_guids.add(guid)
    try:
        yield
    finally:
        emulator.pending_guids.discard(guid)


async def _json_body(request: web.Request) -> bytes:
    if request.content_type != "application/json":
        raise Refusal(400, "400-01", "Content-Type must be application/json")
    return await request.read()
