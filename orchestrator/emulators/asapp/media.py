"""The WebSocket that Twilio sends a call's audio to.

The token is judged once, before the handshake is answered. Messages are read strictly (Twilio: Media
Streams WebSocket messages); what is wrong ends the stream with a status of ASAPP's family: 4040 format,
4051 encoding, 4053 sample rate, 4056 order, 4083 idle, 4090 too long.

Operations for scripted faults: ``websocket`` at the handshake (status, delay_ms, hang, drop_after),
``websocket-start`` once the call is known, so that ``match`` may name its guid: ``code`` closes the
stream with that number, ``drop_after`` cuts it, ``hang`` goes on reading but hears nothing.
"""

import asyncio
import base64
import binascii
import time
from typing import Final

import msgspec
from aiohttp import WSMsgType, web

from orchestrator.emulators.asapp.calls import Call, Stream
from orchestrator.emulators.asapp.state import EMULATOR, Emulator, Recorded
from orchestrator.emulators.asapp.vendor import envelope
from orchestrator.emulators.asapp.wire import Connected, Media, Message, Refusal, Start, Stop, read_message

CLOSE_FORMAT: Final = 4040
CLOSE_ENCODING: Final = 4051
CLOSE_SAMPLE_RATE: Final = 4053
CLOSE_ORDER: Final = 4056
CLOSE_IDLE: Final = 4083
CLOSE_TOO_LONG: Final = 4090
_CLOSE_TOKEN: Final = 1008
_CLOSE_NORMAL: Final = 1000
_CLOSE_ERROR: Final = 1011
_CLOSE_WAIT_S: Final = 1.0
_HANDSHAKE_PATIENCE_S: Final = 600

routes = web.RouteTableDef()


class StreamError(Exception):
    """The peer's stream is not as it must be; ``code`` is the WebSocket status that ends it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@routes.get("/mg-twilio-autotranscribe/twilio-media/{token}")
async def by_path(request: web.Request) -> web.StreamResponse:
    return await _open(request, request.match_info["token"])


@routes.get("/twilio-media")
async def by_query(request: web.Request) -> web.StreamResponse:
    return await _open(request, request.query.get("token", ""))


async def _open(request: web.Request, token: str) -> web.StreamResponse:
    emulator = request.app[EMULATOR]
    record = Recorded(time.time(), request.method, request.path, dict(request.query))
    emulator.requests.append(record)
    refused = await _refused(request, emulator, token)
    if refused is not None:
        record.status = refused.status
        return refused
    socket = web.WebSocketResponse(compress=False, timeout=_CLOSE_WAIT_S)
    await socket.prepare(request)
    record.status, record.answered_at = socket.status, time.time()
    if not emulator.tokens.is_good(token, emulator.clock.now()):
        await socket.close(code=_CLOSE_TOKEN, message=b"invalid or expired token")
        return socket
    await _Listener(emulator, socket, record, request).run()
    return socket


async def _refused(request: web.Request, emulator: Emulator, token: str) -> web.Response | None:
    rule = emulator.faults.take("websocket", {})
    if rule is not None:
        await asyncio.sleep(_HANDSHAKE_PATIENCE_S if rule.hang else rule.delay_ms / 1000)
        if rule.drop_after and request.transport is not None:
            request.transport.abort()
        if rule.replaces_the_answer or rule.drop_after:
            status = rule.status or 503
            return envelope(emulator, Refusal(status, str(rule.code or f"{status}-01"), "scripted fault"))
    if emulator.tokens.is_good(token, emulator.clock.now()):
        return None
    answer = emulator.switches.word("bad-token")
    if answer == "close-1008":
        return None
    return envelope(emulator, Refusal(int(answer), f"{answer}-01", "invalid or expired token"))


class _Listener:
    """Reads one WebSocket from its first message to its end."""

    def __init__(
        self, emulator: Emulator, socket: web.WebSocketResponse, record: Recorded, request: web.Request
    ) -> None:
        self._emulator = emulator
        self._socket = socket
        self._record = record
        self._request = request
        self._is_connected = False
        self._is_deaf = False
        self._is_stopped = False
        self._call: Call | None = None
        self._stream: Stream | None = None

    async def run(self) -> None:
        code = _CLOSE_NORMAL
        try:
            await self._read_all()
        except StreamError as error:
            code = error.code
        finally:
            self._closed()
        if not self._socket.closed:
            await self._socket.close(code=code)

    async def _read_all(self) -> None:
        limit_s = self._emulator.switches.number("max-stream-s")
        longest = self._emulator.clock.real_s(limit_s) if limit_s else None
        try:
            async with asyncio.timeout(longest) as longest_scope:
                while not self._is_stopped and await self._read_one():
                    pass
        except TimeoutError:
            is_long = longest_scope.expired()
            raise StreamError(CLOSE_TOO_LONG if is_long else CLOSE_IDLE, "stream over its limit") from None

    async def _read_one(self) -> bool:
        idle_s = self._emulator.switches.number("idle-timeout-s")
        message = await self._socket.receive(self._emulator.clock.real_s(idle_s) if idle_s else None)
        if message.type is WSMsgType.BINARY:
            raise StreamError(CLOSE_FORMAT, "binary message")
        if message.type is not WSMsgType.TEXT:
            return False
        try:
            read = read_message(message.data)
        except msgspec.DecodeError as error:
            raise StreamError(CLOSE_FORMAT, str(error)) from error
        await self._take(read)
        return True

    async def _take(self, message: Message) -> None:
        match message:
            case Media() if self._stream is not None and self._call is not None:
                self._hear(self._call, self._stream, message)
            case Connected() if not self._is_connected:
                self._is_connected = True
            case Start() if self._is_connected and self._stream is None:
                await self._begin(message)
            case Stop() if self._stream is not None:
                self._check_sid(message.stream_sid)
                self._is_stopped = True
            case _:
                raise StreamError(CLOSE_ORDER, f"{type(message).__name__} out of order")

    def _hear(self, call: Call, stream: Stream, message: Media) -> None:
        self._check_sid(message.stream_sid)
        if message.media.track not in stream.tracks:
            raise StreamError(CLOSE_FORMAT, f"track {message.media.track} was not announced")
        try:
            audio = base64.b64decode(message.media.payload, validate=True)
        except binascii.Error as error:
            raise StreamError(CLOSE_FORMAT, "payload is not base64") from error
        if self._is_deaf or not stream.is_open:
            return
        spoken = call.receive(stream, message.media.track, audio, self._emulator.clock.now())
        if spoken is not None:
            self._emulator.publish(call, [spoken])

    async def _begin(self, message: Start) -> None:
        body = message.start
        _check_format(message)
        emulator = self._emulator
        self._record.guid = body.call_sid
        call = emulator.call(body.call_sid)
        await self._settle_with_others(call)
        stream = Stream(
            message.stream_sid,
            body.custom_parameters.get("name"),
            tuple(dict.fromkeys(body.tracks)),
            emulator.clock.now(),
            self._close,
        )
        emulator.gateway.stream_opened(call, stream)
        call.streams.append(stream)
        self._call, self._stream = call, stream
        self._suffer(call.guid)

    async def _settle_with_others(self, call: Call) -> None:
        policy = self._emulator.switches.word("second-stream")
        if policy == "refuse" and call.open_streams:
            raise StreamError(CLOSE_ORDER, "the call has a media stream")
        if policy == "replace":
            for other in call.open_streams:
                await other.close(_CLOSE_NORMAL)

    def _suffer(self, guid: str) -> None:
        rule = self._emulator.faults.take("websocket-start", {"guid": guid})
        if rule is None:
            return
        self._is_deaf = rule.hang
        if rule.drop_after and self._request.transport is not None:
            self._request.transport.abort()
        if rule.code is not None:
            raise StreamError(int(rule.code), "scripted fault")

    async def _close(self, code: int) -> None:
        """Close from the server's side, without hearing another frame."""
        self._closed()
        await self._socket.close(code=code)

    def _closed(self) -> None:
        call, stream = self._call, self._stream
        if call is None or stream is None or not stream.is_open:
            return
        stream.closed_at = self._emulator.clock.now()
        self._emulator.publish(call, self._emulator.gateway.stream_closed(call, stream.closed_at))

    def _check_sid(self, stream_sid: str) -> None:
        if self._stream is not None and stream_sid != self._stream.stream_sid:
            raise StreamError(CLOSE_FORMAT, "streamSid of another stream")


def _check_format(message: Start) -> None:
    body = message.start
    if body.stream_sid != message.stream_sid or not body.tracks:
        raise StreamError(CLOSE_FORMAT, "start contradicts itself")
    if body.media_format.encoding != "audio/x-mulaw" or body.media_format.channels != 1:
        raise StreamError(CLOSE_ENCODING, "only audio/x-mulaw with one channel")
    if body.media_format.sample_rate != 8000:  # noqa: PLR2004 - the one rate that Twilio documents
        raise StreamError(CLOSE_SAMPLE_RATE, "only 8000 Hz")
