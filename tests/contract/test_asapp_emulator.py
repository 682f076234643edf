"""The ASAPP emulator as a process: HTTP, WebSocket, webhook, control."""

import asyncio
import base64
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from orchestrator.emulators.audio import Kind, frames, tone

API_ID, API_SECRET = "fake-id", "fake-secret"
CREDENTIALS = {"asapp-api-id": API_ID, "asapp-api-secret": API_SECRET}
GUID = "CA" + "1" * 32
START = "/mg-autotranscribe/v1/start-streaming"
STOP = "/mg-autotranscribe/v1/stop-streaming"
URL = "/mg-autotranscribe/v1/twilio-media-stream-url"
MESSAGES = "/conversation/v1/conversation/messages"
SPEED = 20


Result = TypeVar("Result")


def run(story: Awaitable[Result]) -> Result:
    """Run one story and let its TLS connections say goodbye (aiohttp: graceful shutdown)."""

    async def whole() -> Result:
        result = await story
        await asyncio.sleep(0.05)
        return result

    return asyncio.run(whole())


class Emulated:
    """A running emulator and a client of it."""

    def __init__(self, ready: dict[str, str], ca_file: Path) -> None:
        self.url = ready["url"]
        self.wss_url = ready["wss_url"]
        self.tls = ssl.create_default_context(cafile=str(ca_file))

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        options.setdefault("headers", CREDENTIALS)
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, self.url + path, json=body, **options) as answer,
        ):
            raw = await answer.read()
            return answer.status, json.loads(raw) if answer.content_type == "application/json" else raw

    async def control(self, path: str, body: object = None, method: str | None = None) -> Any:
        verb = method or ("GET" if body is None else "POST")
        status, answer = await self.ask(verb, f"/_emulator/{path}", body, headers={})
        assert status == 200, answer
        return answer

    async def stream_url(self) -> str:
        status, body = await self.ask("GET", URL)
        assert status == 200
        return str(body["streamingUrl"])

    async def start(self, guid: str = GUID, agent: str = "amy", **more: object) -> tuple[int, Any]:
        ids = {"namespace": "twilio", "guid": guid, "customerId": "cust-7", "agentId": agent}
        return await self.ask("POST", START, ids | more)

    async def stop(self, guid: str = GUID) -> tuple[int, Any]:
        return await self.ask("POST", STOP, {"namespace": "twilio", "guid": guid})

    async def call(self, guid: str = GUID) -> Any:
        return await self.control(f"calls/{guid}")


class TwilioPeer:
    """Sends a call's audio as Twilio does."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, guid: str, stream: str) -> None:
        self.socket = socket
        self.guid, self.stream = guid, "MZ" + stream * 32
        self._sequence = 0

    async def send(self, event: str, **fields: object) -> None:
        self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.stream, **fields}
        await self.socket.send_str(json.dumps(message))

    async def begin(self) -> None:
        await self.socket.send_str('{"event":"connected","protocol":"Call","version":"1.0.0"}')
        body = {
            "accountSid": "AC" + "0" * 32,
            "callSid": self.guid,
            "streamSid": self.stream,
            "tracks": ["inbound", "outbound"],
            "customParameters": {"name": "asapp-1"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }
        await self.send("start", start=body)

    async def speak(self, track: str, audio: Iterable[bytes]) -> None:
        for place, frame in enumerate(audio, 1):
            payload = base64.b64encode(frame).decode()
            media = {"track": track, "chunk": str(place), "timestamp": str(place * 20), "payload": payload}
            await self.send("media", media=media)

    async def end(self) -> None:
        await self.send("stop", stop={"accountSid": "AC" + "0" * 32, "callSid": self.guid})
        await self.socket.close()


@asynccontextmanager
async def twilio(asapp: Emulated, guid: str = GUID, stream: str = "a") -> AsyncIterator[TwilioPeer]:
    """Open a media stream whose audio has begun and is known."""
    url = await asapp.stream_url()
    async with aiohttp.ClientSession() as client, client.ws_connect(url, ssl=asapp.tls) as socket:
        peer = TwilioPeer(socket, guid, stream)
        await peer.begin()
        await peer.speak("inbound", [tone(Kind.QUEUE_MUSIC)])
        await until(lambda: is_received(asapp, guid, Kind.QUEUE_MUSIC))
        await asyncio.sleep(1 / SPEED)  # the gateway takes an emulated second to know a stream
        yield peer


async def is_received(asapp: Emulated, guid: str, kind: Kind, at_least_ms: int = 20) -> bool:
    for call in await asapp.control("calls"):
        if call["guid"] == guid and call["received_ms"].get(kind, 0) >= at_least_ms:
            return True
    return False


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def launch(ca_file: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    module = "orchestrator.emulators.asapp.main"
    arguments = ["--api-id", API_ID, "--api-secret", API_SECRET, "--ca-file", str(ca_file), *options]
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def finish(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    code = process.wait(10)
    if process.stdout is not None:
        process.stdout.close()
    return code


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    ca_file = tmp_path_factory.mktemp("asapp") / "ca.pem"
    process, ready = launch(ca_file, "--speed", str(SPEED))
    yield Emulated(ready, ca_file)
    assert finish(process) == 0


@pytest.fixture
def asapp(running: Emulated) -> Emulated:
    run(running.control("reset", {}))
    run(running.control("webhook", {}))
    return running


class Receiver:
    """Takes transcripts as our service would."""

    def __init__(self, status: int = 200) -> None:
        self.taken: list[tuple[dict[str, str], dict[str, str], Any]] = []
        self.url = ""
        self._status = status

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((dict(request.headers), dict(request.query), await request.json()))
        return web.Response(status=self._status)


@asynccontextmanager
async def receiver(status: int = 200) -> AsyncIterator[Receiver]:
    taker = Receiver(status)
    app = web.Application()
    app.router.add_post("/asapp/transcripts", taker.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}/asapp/transcripts"
    try:
        yield taker
    finally:
        await runner.cleanup()


def test_both_credentials_are_needed(asapp: Emulated) -> None:
    """A missing header is 401, an unknown pair 403, each in the error envelope."""

    async def story() -> None:
        status, body = await asapp.ask("GET", URL, headers={"asapp-api-id": API_ID})
        assert (status, body["error"]["code"]) == (401, "401-01")
        wrong = CREDENTIALS | {"asapp-api-secret": "not-it"}
        status, body = await asapp.ask("GET", "/v1/health", headers=wrong)
        assert (status, body["error"]["code"]) == (403, "403-01")
        assert set(body["error"]) == {"requestId", "message", "code"}

    run(story())


def test_health_and_unknown_paths(asapp: Emulated) -> None:
    """Health is SUCCESS, a trailing slash does no harm, an unknown path is a 404 envelope."""

    async def story() -> None:
        assert await asapp.ask("GET", "/v1/health/") == (200, {"healthCheck": "SUCCESS"})
        status, body = await asapp.ask("GET", "/v1/unheard-of")
        assert (status, body["error"]["code"]) == (404, "404-01")
        status, body = await asapp.ask("POST", START, data=b"x", headers=CREDENTIALS)
        assert (status, body["error"]["code"]) == (400, "400-01")

    run(story())


def test_a_call_is_heard_only_between_start_and_stop(asapp: Emulated) -> None:
    """Received audio counts as heard, and becomes text, only while transcription is on."""

    async def story() -> None:
        async with twilio(asapp) as peer:
            status, body = await asapp.start()
            assert (status, body["isOk"]) == (200, True)
            assert body["autotranscribeResponse"]["agent"]["status"] == {"code": 1000, "description": "OK"}
            await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, "I need help", 1))
            await peer.speak("outbound", frames(Kind.AGENT_SPEECH, "of course", 1))
            await until(lambda: is_received(asapp, GUID, Kind.AGENT_SPEECH, 640))
            status, body = await asapp.stop()
            assert status == 200
            summary = body["autotranscribeResponse"]["customer"]["summary"]
            assert summary == {
                "totalAudioBytes": 1020 * 16,
                "audioDurationMs": 1020,
                "streamingSeconds": 2,
                "transcripts": 1,
            }
            await peer.speak("outbound", [tone(Kind.HOLD_MUSIC)] * 10)
            await until(lambda: is_received(asapp, GUID, Kind.HOLD_MUSIC, 200))
            call = await asapp.call()
            assert call["heard_ms"] == {"customer-speech": 1020, "agent-speech": 680}
            assert call["received_ms"]["hold-music"] == 200
            texts = [(each["role"], each["text"]) for each in call["heard_text"]]
            assert texts == [("customer", "I need help"), ("agent", "of course")]
            assert call["streams"][0]["name"] == "asapp-1"
            assert call["transcribing"] is False

    run(story())


def test_transcripts_are_posted_with_their_secret(asapp: Emulated) -> None:
    """Each utterance is one POST with the secret header, digits masked, offsets from the session's start."""

    async def story() -> None:
        async with receiver() as taker, twilio(asapp) as peer:
            await asapp.control("webhook", {"url": taker.url, "secret": "fake", "name": "x-asapp-key"})
            _, started = await asapp.start()
            await peer.speak("inbound", [tone(Kind.SILENCE)] * 10)
            await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, "card 42", 1))
            await peer.speak("inbound", [tone(Kind.SILENCE)] * 16)
            await until(lambda: arrived(taker, 1))
            headers, _, body = taker.taken[0]
            assert headers["x-asapp-key"] == "fake"
            assert body == {
                "type": "transcript",
                "externalConversationId": GUID,
                "streamId": started["autotranscribeResponse"]["customer"]["streamId"],
                "sender": {"externalId": "cust-7", "role": "customer"},
                "autotranscribeResponse": {
                    "message": "transcript",
                    "start": 200 / SPEED,
                    "end": 880 / SPEED,
                    "utterance": [{"text": "card ##"}],
                },
            }
            await until(lambda: delivered(asapp, 200))

    run(story())


async def arrived(taker: Receiver, count: int) -> bool:
    return len(taker.taken) >= count


async def delivered(asapp: Emulated, status: int) -> bool:
    return [each["status"] for each in await asapp.control("webhooks")] == [status]


def test_a_failing_webhook_is_not_tried_again(asapp: Emulated) -> None:
    """An error answer is recorded and the message is gone; the secret may stand in the query."""

    async def story() -> None:
        async with receiver(503) as taker, twilio(asapp) as peer:
            await asapp.control("webhook", {"url": taker.url, "secret": "fake", "place": "query"})
            await asapp.start()
            await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, "hello", 1))
            await until(lambda: is_received(asapp, GUID, Kind.CUSTOMER_SPEECH, 340))
            await asapp.stop()
            await until(lambda: delivered(asapp, 503))
            assert [query for _, query, _ in taker.taken] == [{"asapp-webhook-secret": "fake"}]

    run(story())


def test_the_oldest_message_is_dropped_when_too_many_wait(asapp: Emulated) -> None:
    """A call's line holds as many messages as the switch says; what is pushed out is recorded as dropped."""

    async def story() -> None:
        await asapp.control("switches", {"webhook-queue": 2, "transcript-latency-max-ms": 20_000})
        await asapp.control("switches", {"transcript-latency-min-ms": 20_000})
        async with receiver() as taker, twilio(asapp) as peer:
            await asapp.control("webhook", {"url": taker.url})
            await asapp.start()
            for number, word in enumerate(["one", "two", "three", "four"]):
                await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, word, number))
            await until(lambda: is_received(asapp, GUID, Kind.CUSTOMER_SPEECH, 4 * 340))
            await asapp.stop()
            await until(lambda: arrived(taker, 2))
            said = [body["autotranscribeResponse"]["utterance"][0]["text"] for _, _, body in taker.taken]
            assert said == ["three", "four"]
            await until(lambda: has_statuses(asapp, ["dropped", "dropped", 200, 200]))

    run(story())


async def has_statuses(asapp: Emulated, expected: list[int | str]) -> bool:
    return [each["status"] for each in await asapp.control("webhooks")] == expected


def test_messages_of_a_call_may_be_doubled_or_lost(asapp: Emulated) -> None:
    """The operation ``webhook`` takes ``duplicate`` and ``drop``."""

    async def story() -> None:
        rules = [
            {"operation": "webhook", "match": {"guid": GUID}, "times": 1, "duplicate": 1},
            {"operation": "webhook", "times": 1, "drop": True},
        ]
        async with receiver() as taker, twilio(asapp) as peer:
            await asapp.control("webhook", {"url": taker.url})
            await asapp.control("faults", rules)
            await asapp.start()
            for number in (1, 2):
                await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, "hello", number))
            await until(lambda: is_received(asapp, GUID, Kind.CUSTOMER_SPEECH, 2 * 340))
            await asapp.stop()
            await until(lambda: has_statuses(asapp, [200, "dropped"]))
            assert len(taker.taken) == 2

    run(story())


def test_a_message_of_a_call_may_be_overtaken(asapp: Emulated) -> None:
    """The operation ``webhook`` takes ``reorder``: the next message goes first, one at a time though they go."""

    async def story() -> None:
        rules = [{"operation": "webhook", "match": {"guid": GUID}, "times": 1, "reorder": True}]
        async with receiver() as taker, twilio(asapp) as peer:
            await asapp.control("switches", {"webhook-in-flight": 1})
            await asapp.control("webhook", {"url": taker.url})
            await asapp.control("faults", rules)
            await asapp.start()
            for number, words in enumerate(("one", "two", "three"), start=1):
                await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, words, number))
            await until(lambda: is_received(asapp, GUID, Kind.CUSTOMER_SPEECH, 3 * 340))
            await asapp.stop()
            await until(lambda: arrived(taker, 3))
            said = [body["autotranscribeResponse"]["utterance"][0]["text"] for _, _, body in taker.taken]
            assert said == ["two", "one", "three"]

    run(story())


def test_start_without_a_stream_is_refused(asapp: Emulated) -> None:
    """Without a media stream start and stop are 400-203."""

    async def story() -> None:
        for status, body in [await asapp.start(), await asapp.stop()]:
            assert (status, body["error"]["code"]) == (400, "400-203")

    run(story())


def test_start_twice_and_stop_twice_are_conflicts(asapp: Emulated) -> None:
    """What is so already is 409-201; a resume gets new stream ids."""

    async def story() -> None:
        async with twilio(asapp):
            status, body = await asapp.stop()
            assert (status, body["error"]["code"]) == (409, "409-201")
            _, first = await asapp.start()
            status, body = await asapp.start(agent="bob")
            assert (status, body["error"]["code"]) == (409, "409-201")
            assert (await asapp.stop())[0] == 200
            status, body = await asapp.stop()
            assert (status, body["error"]["code"]) == (409, "409-201")
            status, second = await asapp.start(agent="bob")
            assert status == 200
            assert first["autotranscribeResponse"] != second["autotranscribeResponse"]
            sessions = (await asapp.call())["sessions"]
            assert [session["agent_id"] for session in sessions] == ["amy", "bob"]

    run(story())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"guid": GUID}, "400-201"),
        ({"namespace": "siprec", "guid": GUID, "customerId": "c", "agentId": "a"}, "400-201"),
        ({"namespace": "twilio", "guid": GUID, "customerId": "c"}, "400-201"),
        (
            {
                "namespace": "twilio",
                "guid": GUID,
                "customerId": "c",
                "agentId": "a",
                "autotranscribeParams": {"language": "de-DE"},
            },
            "400-202",
        ),
        (
            {
                "namespace": "twilio",
                "guid": GUID,
                "customerId": "c",
                "agentId": "a",
                "twilioParams": {"trackMap": {"inbound": "agent"}},
            },
            "400-201",
        ),
    ],
)
def test_wrong_parameters_are_refused(asapp: Emulated, body: dict[str, object], code: str) -> None:
    """Missing or wrong fields are 400-201, wrong settings 400-202."""
    status, answer = run(asapp.ask("POST", START, body))
    assert (status, answer["error"]["code"]) == (400, code)


def test_detailed_tokens_with_redaction_are_refused(asapp: Emulated) -> None:
    """The default redaction excludes detailedToken; the refusal may also come inside a 200."""

    async def story() -> None:
        params = {"detailedToken": True}
        async with twilio(asapp):
            status, body = await asapp.start(autotranscribeParams=params)
            assert (status, body["error"]["code"]) == (400, "400-202")
            await asapp.control("switches", {"redaction-refusal": "is-ok-false"})
            status, body = await asapp.start(autotranscribeParams=params)
            assert (status, body["isOk"]) == (200, False)

    run(story())


def test_one_request_at_a_time_for_a_call(asapp: Emulated) -> None:
    """While a start is pending, a stop of the same call is 409-202; of another call it is not."""

    async def story() -> None:
        await asapp.control("faults", [{"operation": "start-streaming", "times": 1, "delay_ms": 500}])
        async with twilio(asapp):
            pending = asyncio.create_task(asapp.start())
            await until(lambda: is_requested(asapp, START))
            status, body = await asapp.stop()
            assert (status, body["error"]["code"]) == (409, "409-202")
            status, body = await asapp.stop("CA" + "2" * 32)
            assert (status, body["error"]["code"]) == (400, "400-203")
            assert (await pending)[0] == 200

    run(story())


async def is_requested(asapp: Emulated, path: str) -> bool:
    return bool(await asapp.control(f"requests?path={path}"))


def test_an_expired_token_does_not_open_a_stream(asapp: Emulated) -> None:
    """A token opens many streams within its 300 s and none after; a running stream lives on."""

    async def story() -> None:
        url = await asapp.stream_url()
        async with aiohttp.ClientSession() as client:
            for wrong in [url + "x", url.rsplit("/", 1)[0] + "/not.a.token"]:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await client.ws_connect(wrong, ssl=asapp.tls)
                assert refused.value.status == 401
            async with twilio(asapp) as peer:
                await asapp.control("clock", {"advance_s": 299})
                socket = await client.ws_connect(url, ssl=asapp.tls)
                await socket.close()
                await asapp.control("clock", {"advance_s": 2})
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await client.ws_connect(url, ssl=asapp.tls)
                await peer.speak("inbound", [tone(Kind.IVR)])
                await until(lambda: is_received(asapp, GUID, Kind.IVR))

    run(story())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 4040),
        ('{"event":"connected","protocol":"Call","version":"1.0.0"}', 4056),
        ('{"event":"mark","streamSid":"MZ1","sequenceNumber":"2","mark":{"name":"x"}}', 4040),
        (json.dumps({"event": "media", "sequenceNumber": 2, "streamSid": "MZ" + "a" * 32}), 4040),
    ],
)
def test_what_twilio_would_not_send_ends_the_stream(asapp: Emulated, message: str, code: int) -> None:
    """A wrong message closes the WebSocket with a status of ASAPP's family."""

    async def story() -> None:
        async with twilio(asapp) as peer:
            await peer.socket.send_str(message)
            answer = await peer.socket.receive(5)
            assert (answer.type, answer.data) == (aiohttp.WSMsgType.CLOSE, code)

    run(story())


def test_a_dropped_stream_ends_transcription(asapp: Emulated) -> None:
    """After the stream broke nothing is heard until a new stream is there and start was sent again."""

    async def story() -> None:
        async with twilio(asapp) as peer:
            await asapp.start()
            await asapp.control(f"calls/{GUID}/drop-stream", {})
            answer = await peer.socket.receive(5)
            assert answer.data == 1011
        assert (await asapp.start())[1]["error"]["code"] == "400-203"
        async with twilio(asapp, stream="b") as peer:
            await peer.speak("inbound", [tone(Kind.IVR)] * 5)
            await until(lambda: is_received(asapp, GUID, Kind.IVR, 100))
            assert (await asapp.call())["heard_ms"] == {}
            assert (await asapp.start())[0] == 200
            call = await asapp.call()
            assert call["transcribing"] is True
            assert [stream["open"] for stream in call["streams"]] == [False, True]

    run(story())


def test_a_gateway_that_thinks_it_still_transcribes(asapp: Emulated) -> None:
    """By switch, start after a reconnect is 409-201 although nothing is heard until stop and start."""

    async def story() -> None:
        await asapp.control("switches", {"after-reconnect": "still-started"})
        async with twilio(asapp) as peer:
            await asapp.start()
            await peer.end()
        async with twilio(asapp, stream="b"):
            assert (await asapp.call())["transcribing"] is False
            assert (await asapp.start())[1]["error"]["code"] == "409-201"
            assert (await asapp.stop())[0] == 200
            assert (await asapp.start())[0] == 200
            assert (await asapp.call())["transcribing"] is True

    run(story())


def test_messages_after_the_call(asapp: Emulated) -> None:
    """The list is partial before the conversation is complete, whole for 7 days, then gone."""

    async def story() -> None:
        assert (await asapp.ask("GET", f"{MESSAGES}?externalId={GUID}"))[0] == 404
        async with twilio(asapp) as peer:
            await asapp.start()
            for number in range(1, 5):
                await peer.speak("inbound", frames(Kind.CUSTOMER_SPEECH, f"word-{number}", number))
            await until(lambda: is_received(asapp, GUID, Kind.CUSTOMER_SPEECH, 1360))
            await asapp.stop()
            _, body = await asapp.ask("GET", f"{MESSAGES}?externalId={GUID}")
            assert len(body["items"]) == 3
            await peer.end()
        await until(lambda: has_no_stream(asapp))
        await asapp.control("clock", {"advance_s": 30})
        _, body = await asapp.ask("GET", f"{MESSAGES}?externalId={GUID}")
        assert [item["text"] for item in body["items"]] == [
            f"word-{place}".replace(str(place), "#") for place in range(1, 5)
        ]
        assert set(body["items"][0]) == {"messageId", "text", "sender", "createdTimestamp", "clientTimestamp"}
        await asapp.control("clock", {"advance_s": 8 * 86400})
        assert (await asapp.ask("GET", f"{MESSAGES}?externalId={GUID}"))[0] == 404

    run(story())


async def has_no_stream(asapp: Emulated) -> bool:
    return not any(stream["open"] for stream in (await asapp.call())["streams"])


def test_scripted_faults(asapp: Emulated) -> None:
    """Statuses, bodies and variants are answered as scripted, for the calls that they are meant for."""

    async def story() -> None:
        rules = [
            {"operation": "start-streaming", "match": {"guid": GUID}, "times": 1, "status": 503, "code": "503-01"},
            {"operation": "start-streaming", "times": 1, "variant": "is-ok-false"},
            {"operation": "start-streaming", "times": 1, "variant": "participant-4094"},
            {"operation": "stream-url", "times": 1, "body": "<html>", "content_type": "text/html"},
        ]
        async with twilio(asapp):
            await asapp.control("faults", rules)
            assert (await asapp.start())[1]["error"]["code"] == "503-01"
            assert (await asapp.start())[1]["isOk"] is False
            assert (await asapp.call())["transcribing"] is False
            _, body = await asapp.start()
            assert body["autotranscribeResponse"]["customer"]["status"]["code"] == 4094
            assert (await asapp.call())["transcribing"] is True
            assert await asapp.ask("GET", URL) == (200, b"<html>")
            assert await asapp.control("faults") == []

    run(story())


def test_an_answer_may_be_lost_after_the_work_was_done(asapp: Emulated) -> None:
    """``drop_after`` cuts the connection although transcription has begun."""

    async def story() -> None:
        async with twilio(asapp):
            await asapp.control("faults", [{"operation": "start-streaming", "times": 1, "drop_after": True}])
            with pytest.raises(aiohttp.ClientError):
                await asapp.start()
            assert (await asapp.call())["transcribing"] is True

    run(story())


def test_a_hanging_request_leaves_no_lock(asapp: Emulated) -> None:
    """``hang`` never answers and does nothing; the call can be worked on meanwhile."""

    async def story() -> None:
        async with twilio(asapp):
            await asapp.control("faults", [{"operation": "start-streaming", "times": 1, "hang": True}])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asapp.start(), 0.3)
            assert (await asapp.call())["sessions"] == []
            assert (await asapp.start())[0] == 200

    run(story())


def test_a_scripted_handshake_failure(asapp: Emulated) -> None:
    """The WebSocket can be refused with any status, or closed once the call is known."""

    async def story() -> None:
        await asapp.control("faults", [{"operation": "websocket", "times": 1, "status": 503}])
        url = await asapp.stream_url()
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url, ssl=asapp.tls)
            assert refused.value.status == 503
            await asapp.control("faults", [{"operation": "websocket-start", "match": {"guid": GUID}, "code": 1011}])
            async with client.ws_connect(url, ssl=asapp.tls) as socket:
                await TwilioPeer(socket, GUID, "a").begin()
                assert (await socket.receive(5)).data == 1011

    run(story())


def test_requests_are_recorded_with_their_call(asapp: Emulated) -> None:
    """The record tells path, body, status and call of each vendor-side request, WebSockets included."""

    async def story() -> None:
        before = time.time()
        async with twilio(asapp):
            await asapp.start()
            seen = await asapp.control(f"requests?guid={GUID}")
            assert [(each["method"], each["status"]) for each in seen] == [("GET", 101), ("POST", 200)]
            assert seen[1]["path"] == START
            assert seen[1]["body"]["agentId"] == "amy"
            assert before < seen[1]["at"] <= seen[1]["answered_at"] < time.time()

    run(story())


def test_the_daily_limit_lasts_the_day(asapp: Emulated) -> None:
    """Over the limit an endpoint is 429 until the next day begins."""

    async def story() -> None:
        await asapp.control("switches", {"daily-limit": 2})
        statuses = [(await asapp.ask("GET", URL))[0] for _ in range(3)]
        assert statuses == [200, 200, 429]
        await asapp.control("clock", {"advance_s": 86400})
        assert (await asapp.ask("GET", URL))[0] == 200

    run(story())


def test_unknown_switches_and_rules_are_errors(asapp: Emulated) -> None:
    """A misspelt switch or fault is refused and nothing is set."""

    async def story() -> None:
        for path, body in [
            ("switches", {"stream-url-form": "query", "no-such": "x"}),
            ("switches", {"summary": "weekly"}),
            ("faults", [{"operation": "messages", "wrong": 1}]),
            ("faults", [{"operation": "messages"}, {"operation": "mesages"}]),
        ]:
            status, answer = await asapp.ask("POST", f"/_emulator/{path}", body, headers={})
            assert status == 400
            assert answer["error"]
        assert await asapp.control("faults") == []
        assert "?" not in await asapp.stream_url()
        await asapp.control("switches", {"stream-url-form": "query"})
        assert "/twilio-media?token=" in await asapp.stream_url()

    run(story())


def test_an_unknown_switch_ends_the_command(tmp_path: Path) -> None:
    """The command line refuses a switch that there is not."""
    command = [sys.executable, "-m", "orchestrator.emulators.asapp.main", "--switch", "no-such=1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=Path.cwd())  # noqa: S603 - our own module
    assert ended.returncode == 2
    assert "no-such" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_it_ends_at_once_with_streams_open(tmp_path: Path) -> None:
    """SIGTERM ends the process within two seconds although a stream is open."""
    process, ready = launch(tmp_path / "ca.pem", "--speed", str(SPEED))
    asapp = Emulated(ready, tmp_path / "ca.pem")

    async def story() -> float:
        async with twilio(asapp):
            began = time.monotonic()
            code = await asyncio.to_thread(finish, process)
            assert code == 0
            return time.monotonic() - began

    assert run(story()) < 2
