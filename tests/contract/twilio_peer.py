"""The other side of the Twilio emulator in tests: a web service and a WebSocket server, recorded.

Both run in one thread of their own. ``Peer.documents`` maps a path to the TwiML (or status) it answers.
"""

import asyncio
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import requests
import trustme
from aiohttp import web
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

SID, TOKEN, NUMBER, CALLER = "AC" + "1" * 32, "fake-token", "+15555550100", "+15555550101"
EVENTS = "start end join leave hold mute"

Answer = str | int | dict[str, Any]


@dataclass(frozen=True)
class Received:
    path: str
    query: str
    params: dict[str, str]
    headers: dict[str, str]
    method: str = "POST"
    body: str = ""


@dataclass
class Socket:
    path: str
    query: str
    headers: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    is_closed: bool = False
    close: Callable[[], None] = lambda: None

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]


class Peer:
    def __init__(self, folder: Path) -> None:
        self.documents: dict[str, Answer | list[Answer]] = {}
        self.requests: list[Received] = []
        self.sockets: list[Socket] = []
        self.refuse_sockets_with = 0
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._tls)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.url = self.wss_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def at(self, path: str, **wanted: str) -> list[Received]:
        """Requests to a path with these parameters, in the order of their arrival."""
        found = [request for request in self.requests if request.path == path]
        return [r for r in found if all(r.params.get(name) == value for name, value in wanted.items())]

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/media/{token}", self._media)
        app.router.add_route("*", "/{path:.*}", self._webhook)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        plain, secure = (address[1] for address in self._runner.addresses)
        self.url, self.wss_url = f"http://127.0.0.1:{plain}", f"wss://127.0.0.1:{secure}"

    async def _webhook(self, request: web.Request) -> web.Response:
        is_json = request.content_type == "application/json"
        posted = {} if is_json else await request.post()
        body = await request.text() if is_json else ""
        params = {name: str(value) for name, value in posted.items()} or dict(request.query)
        headers = dict(request.headers)
        received = Received(request.path, request.query_string, params, headers, request.method, body)
        self.requests.append(received)
        answer = self.documents.get(request.path, 204)
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, dict):
            return web.json_response(answer)
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(text=answer, content_type="text/xml")

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_sockets_with:
            return web.Response(status=self.refuse_sockets_with)
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        loop = asyncio.get_running_loop()
        socket = Socket(request.path, request.query_string, dict(request.headers))
        socket.close = lambda: asyncio.run_coroutine_threadsafe(_close(answer), loop).result(5)
        self.sockets.append(socket)
        async for message in answer:
            socket.messages.append(message.json())
        socket.is_closed = True
        return answer


async def _close(answer: web.WebSocketResponse) -> None:
    await answer.close(code=1011)


class Emulator:
    def __init__(self, url: str) -> None:
        self.url = url
        self.client = Client(SID, TOKEN, http_client=TwilioHttpClient(timeout=10))
        self.client.api.base_url = url

    def get(self, path: str) -> Any:
        return requests.get(f"{self.url}/_emulator/{path}", timeout=10).json()

    def post(self, path: str, body: Any = None) -> requests.Response:
        return requests.post(f"{self.url}/_emulator/{path}", json=body or {}, timeout=20)

    def number(self, **settings: str) -> None:
        assert self.post("numbers", {"phone_number": NUMBER, **settings}).status_code == 201

    def ring(self, **more: Any) -> str:
        return str(self.post("calls", {"from": CALLER, "to": NUMBER, **more}).json()["sid"])

    def act(self, sid: str, action: str, **body: Any) -> Any:
        answer = self.post(f"calls/{sid}/{action}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, sid: str) -> Any:
        return self.get(f"calls/{sid}")

    def is_over(self, sid: str) -> bool:
        return self.call(sid)["status"] in {"completed", "failed", "busy", "no-answer", "canceled"}


@contextmanager
def running(peer: "Peer", *options: str) -> Iterator[Emulator]:
    """Run the emulator as a process for the length of a test."""
    command = [sys.executable, "-m", "orchestrator.emulators.twilio.main", "--account-sid", SID]
    command += ["--auth-token", TOKEN, "--api-key", "SK1:fake-secret", "--speed", "5"]
    command += ["--ca-file", str(peer.ca_file), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] == "twilio"
        emulator = Emulator(ready["url"])
        yield emulator
        emulator.client.http_client.session.close()
    finally:
        process.terminate()
        assert process.wait(5) == 0
        if process.stdout is not None:
            process.stdout.close()


def document(peer: Peer, dial: str, name: str = "asapp-1") -> str:
    """A document that starts a stream and then dials."""
    return (
        f'<Response><Start><Stream name="{name}" url="{peer.wss_url}/media/token-1?dropped=1" '
        f'track="both_tracks" statusCallback="{peer.url}/stream"/></Start>{dial}</Response>'
    )


def conference(peer: Peer, more: str = "") -> str:
    return (
        f'<Dial {more}><Conference participantLabel="customer" endConferenceOnExit="true" '
        f'statusCallback="{peer.url}/conference" statusCallbackEvent="{EVENTS}">room</Conference></Dial>'
    )


def wait_for(look: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Poll until ``look`` finds something and return it; fail at the deadline."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("nothing came before the deadline")
