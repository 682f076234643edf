"""Every answer of ASAPP, and every lack of one, becomes one outcome."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.asapp.client import AsappClient, FetchedUrl
from orchestrator.asapp.day import DAY_IS_OVER, Reserved
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.profile import Profile
from orchestrator.http import Http
from tests.scripted_http import Script, ScriptedServer, answer

CALL = "CA" + "0" * 31 + "1"
PROFILE = Profile(route="conference", language="es-US", redaction="unredacted", detailed_tokens=True)
GATEWAY = "/mg-autotranscribe/v1"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[AsappClient]:
    http = Http(4)
    yield AsappClient(http, server.url + "/", lambda: ("fake-id", "fake-secret"))
    http.close()


def start(client: AsappClient, timeout_ms: int = 2000) -> Outcome:
    return client.start(CALL, customer_id="cust-7", agent_id="amy", profile=PROFILE, timeout_ms=timeout_ms)


def stop(client: AsappClient, timeout_ms: int = 2000) -> Outcome:
    return client.stop(CALL, timeout_ms=timeout_ms)


BOTH = pytest.mark.parametrize("ask", [start, stop])
Ask = Callable[..., Outcome]


def both(customer: int | str = 1000, agent: int | str = 1000, *, is_ok: object = True, **more: Any) -> dict[str, Any]:
    return {
        "isOk": is_ok,
        "autotranscribeResponse": {
            "customer": {"streamId": "aaaa-1", "status": {"code": customer, "description": "OK"}, **more},
            "agent": {"streamId": "bbbb-2", "status": {"code": agent, "description": "OK"}, **more},
        },
    }


def envelope(code: str | None, message: str = "told") -> dict[str, Any]:
    return {"error": {"requestId": "4c8f", "message": message, "code": code}}


def test_start_says_who_is_on_which_track(server: ScriptedServer, client: AsappClient) -> None:
    """A start names the call, both people, the tracks, and always the same four parameters."""
    server.script.append(answer(200, both()))
    got = start(client)
    assert got.verdict is Verdict.DONE
    assert got.stream_ids == {"customer": "aaaa-1", "agent": "bbbb-2"}
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", GATEWAY + "/start-streaming")
    assert (asked.headers["asapp-api-id"], asked.headers["asapp-api-secret"]) == ("fake-id", "fake-secret")
    assert asked.json == {
        "namespace": "twilio",
        "guid": CALL,
        "customerId": "cust-7",
        "agentId": "amy",
        "autotranscribeParams": {
            "language": "es-US",
            "detailedToken": True,
            "audioRecordingAllowed": False,
            "redactionOutput": "unredacted",
        },
        "twilioParams": {"trackMap": {"inbound": "customer", "outbound": "agent"}},
    }


def test_stop_tells_what_asapp_counted(server: ScriptedServer, client: AsappClient) -> None:
    """A stop's summary becomes the number of transcripts promised by role and the audio's length."""
    summary = {"totalAudioBytes": 1, "audioDurationMs": 83420, "streamingSeconds": 84, "transcripts": 2}
    server.script.append(answer(200, both(summary=summary)))
    got = stop(client)
    assert (got.verdict, got.promised, got.duration_ms) == (Verdict.DONE, {"customer": 2, "agent": 2}, 83420)
    assert server.asked[0].path == GATEWAY + "/stop-streaming"
    assert server.asked[0].json == {"namespace": "twilio", "guid": CALL}


def test_status_codes_may_be_text(server: ScriptedServer, client: AsappClient) -> None:
    """ASAPP's sibling product writes the same codes as strings."""
    server.script.append(answer(200, both("1000", "1000")))
    assert start(client).verdict is Verdict.DONE


@BOTH
@pytest.mark.parametrize(
    ("status", "code", "verdict", "family"),
    [
        (409, "409-201", Verdict.ALREADY, ""),
        (409, "409-202", Verdict.BUSY, ""),
        (400, "400-203", Verdict.NO_STREAM, ""),
        (409, "409-203", Verdict.TERMINAL, ""),
        (409, "409-01", Verdict.BUSY, ""),
        (400, "400-01", Verdict.TERMINAL, ""),
        (400, "400-201", Verdict.TERMINAL, ""),
        (400, "400-202", Verdict.TERMINAL, ""),
        (404, "404-01", Verdict.TERMINAL, ""),
        (413, "413-01", Verdict.TERMINAL, ""),
        (422, "422-01", Verdict.TERMINAL, ""),
        (429, "429-01", Verdict.REFUSED_FOR_NOW, "429"),
        (401, "401-01", Verdict.REFUSED_FOR_NOW, "auth"),
        (403, "403-01", Verdict.REFUSED_FOR_NOW, "auth"),
        (500, "500-201", Verdict.FAILED, "5xx"),
        (503, "503-01", Verdict.FAILED, "5xx"),
        (504, "504", Verdict.FAILED, "5xx"),
        (301, "301", Verdict.FAILED, "5xx"),
        (204, "204", Verdict.FAILED, "5xx"),
    ],
)
def test_refusals(
    server: ScriptedServer, client: AsappClient, ask: Ask, status: int, code: str, verdict: Verdict, family: str
) -> None:
    """Each status and subcode has its verdict, for starts and stops alike."""
    server.script.append(answer(status, envelope(code)))
    got = ask(client)
    assert (got.verdict, got.family, got.code) == (verdict, family, code)
    if status != 204:
        assert got.detail == "told"
    assert len(server.asked) == 1


@BOTH
@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"error": "x"}', b'{"error": {"code": 7}}'])
def test_refusals_without_the_envelope(server: ScriptedServer, client: AsappClient, ask: Ask, body: bytes) -> None:
    """A gateway's own page is judged by its status alone."""
    server.script.extend([Script(429, body, "text/html"), Script(502, body, "text/html"), Script(409, body)])
    assert [ask(client).verdict for _ in range(3)] == [Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.BUSY]


@BOTH
@pytest.mark.parametrize(
    ("code", "told", "verdict"),
    [
        ("409-01", "Transcription is already stopped for the call", Verdict.ALREADY),
        ("409-01", "Another API request for the same guid is pending", Verdict.BUSY),
        ("400-01", "No call with the given guid found", Verdict.NO_STREAM),
        ("400-01", "language is not supported", Verdict.TERMINAL),
        ("409-203", "already", Verdict.TERMINAL),
    ],
)
def test_generic_subcodes_are_told_apart_by_words(
    server: ScriptedServer, client: AsappClient, ask: Ask, code: str, told: str, verdict: Verdict
) -> None:
    """The gateway's own subcodes are not documented for Twilio; without them its words decide."""
    server.script.append(answer(int(code[:3]), envelope(code, told)))
    assert ask(client).verdict is verdict


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b"<html>maintenance</html>",
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"isOk": "true"}',
        b"\xff\xfe",
        b'{"isOk": true',
        b'{"isOk": true, "autotranscribeResponse": []}',
        b'{"isOk": true, "autotranscribeResponse": {"customer": 1}}',
        b'{"isOk": true, "a": ' + b"[" * 50_000 + b"]" * 10,
        b"x" * 70_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_unreadable_answers_failed(server: ScriptedServer, client: AsappClient, ask: Ask, body: bytes) -> None:
    """A 200 that cannot be read may have been carried out."""
    server.script.append(Script(200, body))
    got = ask(client)
    assert (got.verdict, got.family) == (Verdict.FAILED, "5xx")


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        both(is_ok=False),
        {"isOk": False, "errorMessage": "no"},
        {"isOk": True},
        {"isOk": True, "autotranscribeResponse": {"customer": {"status": {"code": 1000}}}},
        {"isOk": True, "autotranscribeResponse": {"customer": {"status": {"code": 1000}}, "agent": None}},
        both(1000, 5000),
        both(5002, 1000),
        both(1000, 2002),
        both(4080, 4080),
        both(1000, 4090),
        both(1000, "none"),
    ],
)
def test_not_ok_is_a_failure(server: ScriptedServer, client: AsappClient, ask: Ask, body: Any) -> None:
    """HTTP 200 is not success: isOk false, a missing participant or one that is not 1000 leave it unknown."""
    server.script.append(answer(200, body))
    got = ask(client)
    assert (got.verdict, got.family) == (Verdict.FAILED, "5xx")


@pytest.mark.parametrize("code", [4040, 4050, 4051, 4053, 4056, 4092, 4093, 4094, "4094"])
def test_a_status_of_configuration_is_terminal_for_a_start(
    server: ScriptedServer, client: AsappClient, code: int | str
) -> None:
    """Language, format and redaction settings do not get better by repeating; a stop is repeated all the same."""
    server.script.extend([answer(200, both(1000, code)), answer(200, both(code, code, is_ok=False))])
    got = start(client)
    assert (got.verdict, got.may_be_done) == (Verdict.TERMINAL, True)
    assert stop(client).verdict is Verdict.FAILED


@BOTH
def test_no_answer_is_unknown(server: ScriptedServer, client: AsappClient, ask: Ask) -> None:
    """Sent and not answered in time: nobody knows."""
    hold = threading.Event()
    server.script.append(Script(wait=hold))
    got = ask(client, timeout_ms=200)
    hold.set()
    assert (got.verdict, got.family) == (Verdict.UNKNOWN, "5xx")


@BOTH
def test_connection_refused_is_refused_for_now(ask: Ask) -> None:
    """Nobody listening: certainly not carried out, and counted with the server's failures."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    http = Http(1)
    got = ask(AsappClient(http, f"http://127.0.0.1:{port}", lambda: ("fake-id", "fake-secret")))
    http.close()
    assert (got.verdict, got.family) == (Verdict.REFUSED_FOR_NOW, "5xx")


def test_details_hold_no_number_and_no_address(server: ScriptedServer, client: AsappClient) -> None:
    """A validator's message may quote what we sent; phone numbers and URLs do not get through to people."""
    told = "customerId +15555550101 at wss://x.example/token\nis wrong" + "x" * 1000
    server.script.append(answer(400, envelope("400-201", told)))
    detail = start(client).detail
    assert "5555550101" not in detail
    assert "token" not in detail
    assert "\n" not in detail
    assert len(detail) <= 200


def test_stream_url(server: ScriptedServer, client: AsappClient) -> None:
    """The URL is returned untouched with the time it was asked for, and does not show in a repr."""
    server.script.append(answer(200, {"streamingUrl": "wss://h.example/twilio-media/a.b.c", "new": 1}))
    got = client.stream_url(requested_at_ms=77)
    assert got == FetchedUrl(url="wss://h.example/twilio-media/a.b.c", requested_at_ms=77)
    assert "a.b.c" not in repr(got)
    assert (server.asked[0].method, server.asked[0].path) == ("GET", GATEWAY + "/twilio-media-stream-url")


@pytest.mark.parametrize("body", [{}, {"streamingUrl": None}, {"streamingUrl": 5}, []])
def test_no_stream_url(server: ScriptedServer, client: AsappClient, body: Any) -> None:
    """An answer without a URL is a failure."""
    server.script.extend([answer(200, body), answer(503, envelope("503-01"))])
    for _ in range(2):
        got = client.stream_url(requested_at_ms=1)
        assert isinstance(got, Outcome)
        assert got.verdict is Verdict.FAILED


def test_messages(server: ScriptedServer, client: AsappClient) -> None:
    """The stored messages of a call come in the answer's order; the call is named in the query."""
    item = {"text": "hi", "sender": {"role": "agent", "externalId": None}, "messageId": "01"}
    times = {"createdTimestamp": "2026-01-02T03:04:05.500Z", "clientTimestamp": "2026-01-02T03:04:05Z"}
    server.script.append(answer(200, {"items": [item | times]}))
    got = client.messages(CALL)
    assert isinstance(got, list)
    assert (got[0].text, got[0].role, got[0].created_at - got[0].sent_at) == ("hi", "agent", 500)
    assert server.asked[0].query == {"externalId": CALL}


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        (answer(404, envelope("404-01")), Verdict.TERMINAL),
        (answer(429, envelope("429-01")), Verdict.REFUSED_FOR_NOW),
        (answer(500, envelope("500-01")), Verdict.FAILED),
        (answer(200, {"items": [{"text": "hi"}]}), Verdict.FAILED),
        (Script(200, b"<html>"), Verdict.FAILED),
    ],
)
def test_messages_refused(server: ScriptedServer, client: AsappClient, script: Script, verdict: Verdict) -> None:
    """A list that cannot be read whole is no list."""
    server.script.append(script)
    got = client.messages(CALL)
    assert isinstance(got, Outcome)
    assert got.verdict is verdict


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        (answer(200, {"healthCheck": "SUCCESS"}), Verdict.DONE),
        (answer(200, {"healthCheck": "FAILED"}), Verdict.FAILED),
        (answer(200, {}), Verdict.FAILED),
        (answer(503, {"healthCheck": "SUCCESS"}), Verdict.FAILED),
        (answer(401, envelope("401-01")), Verdict.REFUSED_FOR_NOW),
    ],
)
def test_health(server: ScriptedServer, client: AsappClient, script: Script, verdict: Verdict) -> None:
    """Healthy needs both the status and the word."""
    server.script.append(script)
    assert client.health().verdict is verdict


class DayBook:
    """A day that notes what it is told, and allows what the test says."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.allows = True
        self.reserved = Reserved.NEW

    def may_ask(self) -> bool:
        self.told.append("asked")
        return self.allows

    def reserve(self, call_sid: str) -> Reserved:
        self.told.append(f"reserved {call_sid == CALL}")
        return self.reserved if self.allows else Reserved.REFUSED

    def release(self, call_sid: str) -> None:
        self.told.append(f"released {call_sid == CALL}")

    def sent(self) -> None:
        self.told.append("sent")


@pytest.fixture
def day() -> DayBook:
    return DayBook()


@pytest.fixture
def limited(server: ScriptedServer, day: DayBook) -> Iterator[AsappClient]:
    http = Http(4)
    yield AsappClient(http, server.url, lambda: ("fake-id", "fake-secret"), day=day)
    http.close()


def test_every_request_is_counted_for_the_day(server: ScriptedServer, limited: AsappClient, day: DayBook) -> None:
    """URLs, lists and health are asked for first, a start reserves its stop, a stop is told once it was sent."""
    server.script += [answer(200, {})] * 3 + [answer(200, both()), answer(503, {}), answer(200, both())]
    limited.stream_url(requested_at_ms=1)
    limited.messages(CALL)
    limited.health()
    start(limited)
    stop(limited)
    stop(limited)
    assert day.told == ["asked", "asked", "asked", "reserved True", "sent", "sent", "released True"]


def test_a_day_that_is_used_up_refuses_all_but_stops(
    server: ScriptedServer, limited: AsappClient, day: DayBook
) -> None:
    """ASAPP is not asked, and the outcome says why."""
    day.allows = False
    refused = [limited.stream_url(requested_at_ms=1), limited.messages(CALL), limited.health(), start(limited)]
    assert refused == [DAY_IS_OVER] * 4
    assert not server.asked
    server.script.append(answer(200, both()))
    assert stop(limited).verdict is Verdict.DONE


@pytest.mark.parametrize(
    ("script", "reserved", "is_released"),
    [
        (answer(429, {}), Reserved.NEW, True),
        (answer(422, {}), Reserved.NEW, True),
        (answer(429, {}), Reserved.ALREADY, False),
        (answer(503, {}), Reserved.NEW, False),
        (answer(400, envelope("400-203")), Reserved.ALREADY, True),
    ],
)
def test_a_start_that_certainly_left_it_off_keeps_no_stop(
    server: ScriptedServer, limited: AsappClient, day: DayBook, script: Script, reserved: Reserved, is_released: bool
) -> None:
    """What an earlier start has kept stays kept, unless ASAPP says that there is no stream."""
    server.script.append(script)
    day.reserved = reserved
    start(limited)
    assert ("released True" in day.told) == is_released
