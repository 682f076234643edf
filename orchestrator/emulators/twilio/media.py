"""Media streams: a fork of a leg's audio over a WebSocket (Twilio: Stream, Media Streams).

`open_stream` dials in the background and returns at once. While it lives, a stream sends a frame of each
of its tracks every 20 ms of emulated time by a clock that does not drift: late frames are sent late, and
none is left out. The call never depends on its streams.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from orchestrator.emulators.twilio import signature, sound
from orchestrator.emulators.twilio.formats import iso8601, sid, utc_now
from orchestrator.emulators.twilio.speech import FRAME_S
from orchestrator.emulators.twilio.webhooks import Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

TRACKS: Final[dict[str, tuple[str, ...]]] = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}
MOST_TRACKS: Final = 4
_FRAME_MS: Final = 20
_BATCH_S: Final = 0.01
_CONNECT_S: Final = 5.0
_CLOSE_S: Final = 1.0
_SOUNDS: Final[dict[str, Callable[["Leg", float], bytes]]] = {
    "inbound": sound.inbound,
    "outbound": sound.outbound,
}


class State(StrEnum):
    """How far a stream is."""

    CONNECTING = "connecting"
    LIVE = "live"
    STOPPED = "stopped"
    FAILED = "failed"


class StreamRefusedError(Exception):
    """The stream cannot be had: ``reason`` is ``name`` or ``tracks``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Order:
    """What is asked for, in the vendor's words."""

    url: str
    name: str = ""
    track: str = "inbound_track"
    callback_url: str = ""
    callback_method: str = "POST"
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class MediaStream:
    """One stream of one leg. ``settled`` is set once it is live or has failed."""

    account: "Account"
    leg: "Leg"
    order: Order
    sid: str = field(default_factory=lambda: sid("MZ"))
    state: State = State.CONNECTING
    updated: datetime = field(default_factory=utc_now)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    frames_sent: int = 0
    task: "asyncio.Task[None] | None" = None

    @property
    def name(self) -> str:
        return self.order.name or self.sid

    @property
    def is_running(self) -> bool:
        return self.state in {State.CONNECTING, State.LIVE}

    def stop(self) -> None:
        """End the stream in good order: no frame after this call, then `stop` and the callback."""
        if self.is_running:
            self._become(State.STOPPED)

    def cut(self, mode: str, code: int = 31921, detail: str = "the WebSocket was closed") -> None:
        """End the stream as a fault; ``mode`` is a value of the switch ``stream-break``."""
        if not self.is_running:
            return
        self._become(State.FAILED)
        self.account.alert(code, self.leg.sid, detail)
        told = {"stopped": ("stream-stopped", ""), "error": ("stream-error", f"{code} - {detail}")}
        for word in mode.removesuffix("-only").split("-then-"):
            if word in told:
                self._tell(*told[word])

    async def run(self) -> None:
        """Dial, send until the end, close. Never raises for what the other side does."""
        try:
            await self._run()
        finally:
            self.settled.set()

    async def _run(self) -> None:
        url = self._dialed_url()
        if url is None or not await self._may_dial():
            return
        headers = {
            "User-Agent": "Twilio.TmeWs/1.0",
            signature.HEADER: signature.sign(self.account.settings.auth_token, url),
        }
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                opening = session.ws_connect(
                    URL(url, encoded=True),
                    headers=headers,
                    ssl=self.account.tls(),
                    autoping=True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                )
                await self._stream(await asyncio.wait_for(opening, _CONNECT_S))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as trouble:
            code, detail = _trouble(trouble)
            mode = "stream-break" if self.settled.is_set() else "stream-connect-failure"
            self.cut(self.account.switches[mode], code, detail)

    def _dialed_url(self) -> str | None:
        """Return the URL as it is dialed, or None after a failure that needs no dialing."""
        how = self.account.switches["stream-connect-failure"]
        parts = urlsplit(self.order.url)
        if self.order.track not in TRACKS:
            # A wrong track is accepted, shows 31941 and nothing else (field report).
            self.account.alert(31941, self.leg.sid, f"no track {self.order.track!r}")
            self._become(State.FAILED)
        elif parts.scheme != "wss" or not parts.hostname:
            self.cut(how, 31922, f"the scheme of a stream is wss, not {parts.scheme!r}")
        elif parts.query and self.account.switches["stream-url-query"] == "refuse":
            self.cut(how, 31922, "a stream's URL has no query string")
        else:
            return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        return None

    async def _may_dial(self) -> bool:
        """Act out a fault of the operation ``stream-dial``: ``drop`` is the failure that nobody is told of."""
        rule = self.account.faults.take("stream-dial", {"call_sid": self.leg.sid, "name": self.name})
        if rule is None:
            return True
        await asyncio.sleep(rule.delay_ms / 1000)
        if rule.drop or rule.status is not None:
            how = "silent" if rule.drop else self.account.switches["stream-connect-failure"]
            self.cut(how, 31920, f"the upgrade was answered with {rule.status}")
        return not (rule.drop or rule.status is not None)

    async def _stream(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self.state is State.CONNECTING:
            self._become(State.LIVE)
            self._tell("stream-started")
        self.settled.set()
        listening = asyncio.create_task(self._listen(socket))
        try:
            await self._send(socket)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await socket.close()
            if self.state is State.STOPPED:
                self._tell("stream-stopped")

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str('{"event":"connected","protocol":"Call","version":"1.0.0"}')
        await socket.send_str(json.dumps(self._start_message()))
        sequence = await self._send_frames(socket)
        if self.state is State.STOPPED and not socket.closed:
            ending = {"accountSid": self.account.sid, "callSid": self.leg.sid}
            last = {"event": "stop", "sequenceNumber": str(sequence + 1), "streamSid": self.sid, "stop": ending}
            await socket.send_str(json.dumps(last))

    async def _send_frames(self, socket: aiohttp.ClientWebSocketResponse) -> int:
        """Send frames until the end and return the last sequence number."""
        clock, tracks = self.account.clock, TRACKS[self.order.track]
        # Faster than real, frames leave in small batches: one awakening for about 10 ms of real time.
        batch = max(1, round(_BATCH_S * clock.speed / FRAME_S))
        start, sequence, tick = clock.now(), 1, 0
        while await self._lives_until(start + (tick + batch) * FRAME_S):
            for _ in range(batch):
                if not self.is_running:
                    return sequence
                tick += 1
                for track in tracks:
                    sequence += 1
                    await socket.send_str(self._media_message(track, sequence, tick, start + tick * FRAME_S))
                self.frames_sent += 1
        return sequence

    def _media_message(self, track: str, sequence: int, tick: int, moment: float) -> str:
        chunk = tick if self.account.switches["chunk-numbering"] == "per-track" else sequence - 1
        payload = _payload(_SOUNDS[track](self.leg, moment))
        return (
            f'{{"event":"media","sequenceNumber":"{sequence}","streamSid":"{self.sid}",'
            f'"media":{{"track":"{track}","chunk":"{chunk}","timestamp":"{tick * _FRAME_MS}",'
            f'"payload":"{payload}"}}}}'
        )

    async def _lives_until(self, moment: float) -> bool:
        """Wait for a moment and tell whether the stream still lives then."""
        await self.account.clock.until(moment)
        return self.state is State.LIVE

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Notice that the other side closes; what it sends on a one-way stream is only noted."""
        async for message in socket:
            code = 31951 if message.type is aiohttp.WSMsgType.TEXT else 31950
            self.account.alert(code, self.leg.sid, "the server sent a message on a one-way stream")
        self.cut(self.account.switches["stream-break"], 31921, f"closed by the server ({socket.close_code})")

    def _start_message(self) -> dict[str, object]:
        return {
            "event": "start",
            "sequenceNumber": "1",
            "streamSid": self.sid,
            "start": {
                "accountSid": self.account.sid,
                "streamSid": self.sid,
                "callSid": self.leg.sid,
                "tracks": list(TRACKS[self.order.track]),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": self.order.parameters,
            },
        }

    def _become(self, state: State) -> None:
        self.state, self.updated = state, utc_now()

    def _tell(self, event: str, error: str = "") -> None:
        if not self.order.callback_url:
            return
        params = {
            "AccountSid": self.account.sid,
            "CallSid": self.leg.sid,
            "StreamSid": self.sid,
            "StreamName": self.name,
            "StreamEvent": event,
            "Timestamp": iso8601(utc_now()),
        }
        if error:
            params["StreamError"] = error
        honours = self.account.switches["stream-overrides"] == "honour"
        self.account.hooks.send(
            Webhook("stream-status", self.order.callback_url, params, self.order.callback_method, honours)
        )


def open_stream(account: "Account", leg: "Leg", order: Order) -> MediaStream:
    """Begin a stream, or raise `StreamRefusedError`. Names are unique among a call's running streams."""
    running = [stream for stream in leg.streams if stream.is_running]
    is_taken = order.name and any(stream.name == order.name for stream in running)
    if is_taken and account.switches["duplicate-stream-name"] == "refuse":
        raise StreamRefusedError("name", f"a stream named {order.name} is running on this call")
    tracks = sum(len(TRACKS.get(s.order.track, ())) for s in running) + len(TRACKS.get(order.track, ()))
    if tracks > MOST_TRACKS:
        raise StreamRefusedError("tracks", f"a call has at most {MOST_TRACKS} tracks streamed")
    stream = MediaStream(account, leg, order)
    leg.streams.append(stream)
    stream.task = asyncio.create_task(stream.run())
    return stream


def find_stream(leg: "Leg", sid_or_name: str) -> MediaStream | None:
    """Return the newest stream of that SID or name, running ones first."""
    found = [stream for stream in leg.streams if sid_or_name in {stream.sid, stream.name}]
    return next((s for s in reversed(found) if s.is_running), found[-1] if found else None)


@lru_cache(maxsize=4096)
def _payload(frame: bytes) -> str:
    return base64.b64encode(frame).decode()


def _trouble(trouble: Exception) -> tuple[int, str]:
    """Return the vendor's code for a WebSocket that could not be opened or broke."""
    match trouble:
        case aiohttp.WSServerHandshakeError():
            return 31920, f"the upgrade was answered with {trouble.status}"
        case TimeoutError():
            return 31901, "no answer in time"
        case aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return 31910, "TLS failed"
        case aiohttp.ClientConnectorError():
            return 31902, "connection refused"
        case ValueError():
            return 31923, "malformed URL"
        case _:
            return 31921, "the connection broke"
