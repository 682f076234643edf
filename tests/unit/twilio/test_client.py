"""Every answer of Twilio's REST API, and every lack of one, becomes one outcome or what was read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.events import CallRead, LegRead, ParticipantSnapshot, ParticipantsRead
from orchestrator.http import Http
from orchestrator.twilio.client import CallsInProgress, ListedLeg, PhoneNumber, TwilioClient
from tests.scripted_http import Script, ScriptedServer, answer

ACCOUNT = "AC" + "a" * 32
CALL = "CA" + "1" * 32
AGENT_LEG = "CA" + "2" * 32
ROOM = "CF" + "3" * 32
STREAM = "MZ" + "4" * 32
BASE = f"/2010-04-01/Accounts/{ACCOUNT}"
URL = "wss://media.example/twilio-media/aaa.bbb.ccc"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwilioClient]:
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "fake-token-of-the-environment")
    http = Http(4)
    yield TwilioClient(http, server.url + "/", ACCOUNT, lambda: ("SKfake", "fake-secret"))
    http.close()


def create(client: TwilioClient, timeout_ms: int = 3000) -> Outcome:
    return client.create_stream(
        CALL, name="asapp-2", url=URL, status_callback="https://calls.example/s?call=1#rc=3", timeout_ms=timeout_ms
    )


def stop(client: TwilioClient, timeout_ms: int = 3000) -> Outcome:
    return client.stop_stream(CALL, "asapp-1", timeout_ms=timeout_ms)


def redirect(client: TwilioClient, timeout_ms: int = 3000) -> Outcome:
    return client.redirect_call(CALL, "<Response/>", timeout_ms=timeout_ms)


def complete(client: TwilioClient, timeout_ms: int = 3000) -> Outcome:
    return client.complete_conference(ROOM, timeout_ms=timeout_ms)


def read(client: TwilioClient, timeout_ms: int = 3000) -> Any:
    return client.read_call(CALL, at=1000, timeout_ms=timeout_ms)


def participants(client: TwilioClient, timeout_ms: int = 3000) -> Any:
    return client.read_participants(ROOM, at=1000, timeout_ms=timeout_ms)


Ask = Callable[..., Any]
CHANGES = [create, stop, redirect, complete]
ALL = [*CHANGES, read, participants]


def test_create_stream(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio: Streams resource, create: both tracks, by our name, with a callback; nothing else of the environment."""
    server.script.append(answer(200, {"sid": STREAM, "status": "in-progress", "name": "asapp-2"}))
    got = create(client)
    assert (got.verdict, got.sid) == (Verdict.DONE, STREAM)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", f"{BASE}/Calls/{CALL}/Streams.json")
    assert asked.form == {
        "Url": URL,
        "Name": "asapp-2",
        "Track": "both_tracks",
        "StatusCallback": "https://calls.example/s?call=1#rc=3",
        "StatusCallbackMethod": "POST",
    }
    assert asked.headers["authorization"] == "Basic U0tmYWtlOmZha2Utc2VjcmV0"


def test_201_is_as_good(server: ScriptedServer, client: TwilioClient) -> None:
    """The documentation says 200; creating usually says 201."""
    server.script.append(answer(201, {"sid": STREAM}))
    assert create(client).verdict is Verdict.DONE


def test_stop_stream_by_name_and_sid(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio: Streams resource, update."""
    server.script.extend([answer(200, {"sid": STREAM, "status": "stopped"})] * 2)
    assert client.stop_stream(CALL, "asapp-1").verdict is Verdict.DONE
    assert client.stop_stream(CALL, STREAM).verdict is Verdict.DONE
    assert [asked.path for asked in server.asked] == [
        f"{BASE}/Calls/{CALL}/Streams/asapp-1.json",
        f"{BASE}/Calls/{CALL}/Streams/{STREAM}.json",
    ]
    assert server.asked[0].form == {"Status": "stopped"}


def test_redirect_call(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio: Call resource, update with TwiML."""
    server.script.append(answer(200, {"sid": CALL}))
    assert redirect(client).verdict is Verdict.DONE
    assert (server.asked[0].path, server.asked[0].form) == (f"{BASE}/Calls/{CALL}.json", {"Twiml": "<Response/>"})


def test_complete_conference(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio: Conference resource, update."""
    server.script.append(answer(200, {"sid": ROOM}))
    assert complete(client).verdict is Verdict.DONE
    assert (server.asked[0].path, server.asked[0].form) == (f"{BASE}/Conferences/{ROOM}.json", {"Status": "completed"})


@pytest.mark.parametrize("ask", CHANGES)
@pytest.mark.parametrize(
    ("status", "code", "verdict", "family"),
    [
        (400, 21220, Verdict.NOT_IN_PROGRESS, ""),
        (404, 20404, Verdict.NOT_FOUND, ""),
        (404, 404, Verdict.NOT_FOUND, ""),
        (429, 20429, Verdict.REFUSED_FOR_NOW, "429"),
        (429, 88, Verdict.REFUSED_FOR_NOW, "429"),
        (401, 20003, Verdict.REFUSED_FOR_NOW, "auth"),
        (403, 20003, Verdict.REFUSED_FOR_NOW, "auth"),
        (400, 21205, Verdict.TERMINAL, ""),
        (405, 20004, Verdict.TERMINAL, ""),
        (500, 20500, Verdict.FAILED, "5xx"),
        (503, 20503, Verdict.FAILED, "5xx"),
        (302, 302, Verdict.FAILED, "5xx"),
    ],
)
def test_refusals(
    server: ScriptedServer, client: TwilioClient, ask: Ask, status: int, code: int, verdict: Verdict, family: str
) -> None:
    """Each status and code has its verdict, in both of Twilio's error formats."""
    server.script.append(answer(status, {"code": code, "message": "told", "status": status}))
    problem = {"type": "about:blank", "title": "told", "status": status, "code": code}
    server.script.append(answer(status, problem, content_type="application/problem+json"))
    for _ in range(2):
        got = ask(client)
        assert (got.verdict, got.family, got.detail) == (verdict, family, "told")
    assert len(server.asked) == 2


@pytest.mark.parametrize("ask", CHANGES)
@pytest.mark.parametrize(
    ("status", "verdict"),
    [(404, Verdict.NOT_FOUND), (429, Verdict.REFUSED_FOR_NOW), (502, Verdict.FAILED), (400, Verdict.TERMINAL)],
)
@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"x"', b'{"code": {}}', b'{"code": true, "message": 5}'])
def test_refusals_without_an_error_body(
    server: ScriptedServer, client: TwilioClient, ask: Ask, status: int, verdict: Verdict, body: bytes
) -> None:
    """A gateway's own page is judged by its status alone."""
    server.script.append(Script(status, body, "text/html"))
    assert ask(client).verdict is verdict


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("body", [b"<html>", b"", b"null", b"[]", b"7", b"\xff", b"[" * 60_000, b"x" * 2_000_000])
def test_unreadable_answers_failed(server: ScriptedServer, client: TwilioClient, ask: Ask, body: bytes) -> None:
    """A success that cannot be read may have been carried out, and tells nothing."""
    server.script.append(Script(200, body))
    got = ask(client)
    assert isinstance(got, Outcome)
    assert (got.verdict, got.family) == (Verdict.FAILED, "5xx")


@pytest.mark.parametrize("sid", [None, 5, "MZ1", "MZ" + "4" * 31 + "/", ["MZ"]])
def test_a_stream_without_a_sid_may_live(server: ScriptedServer, client: TwilioClient, sid: Any) -> None:
    """A created stream that cannot be named is not done."""
    server.script.append(answer(200, {"sid": sid}))
    assert create(client).verdict is Verdict.FAILED


@pytest.mark.parametrize("ask", ALL)
def test_no_answer_is_unknown(server: ScriptedServer, client: TwilioClient, ask: Ask) -> None:
    """Sent and not answered in time: nobody knows."""
    hold = threading.Event()
    server.script.append(Script(wait=hold))
    got = ask(client, timeout_ms=200)
    hold.set()
    assert (got.verdict, got.family) == (Verdict.UNKNOWN, "5xx")


@pytest.mark.parametrize("ask", ALL)
def test_connection_refused_is_refused_for_now(ask: Ask) -> None:
    """Nobody listening: certainly not carried out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    http = Http(1)
    got = ask(TwilioClient(http, f"http://127.0.0.1:{port}", ACCOUNT, lambda: ("SKfake", "fake-secret")))
    http.close()
    assert (got.verdict, got.family) == (Verdict.REFUSED_FOR_NOW, "5xx")


@pytest.mark.parametrize("bad", ["", "../Calls", "a/b", "CA1?x=1", "a b", "x" * 65, "CA1\n"])
def test_path_tricks_are_never_sent(server: ScriptedServer, client: TwilioClient, bad: str) -> None:
    """An identifier that is none does not reach Twilio."""
    outcomes = [
        client.stop_stream(bad, "asapp-1"),
        client.stop_stream(CALL, bad),
        client.redirect_call(bad, "<Response/>"),
        client.complete_conference(bad),
        client.read_call(bad, at=1),
        client.read_participants(bad, at=1),
    ]
    assert {got.verdict for got in outcomes if isinstance(got, Outcome)} == {Verdict.TERMINAL}
    assert all(isinstance(got, Outcome) for got in outcomes)
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "known", "reason"),
    [
        ("queued", "ringing", ""),
        ("ringing", "ringing", ""),
        ("in-progress", "in-progress", ""),
        ("completed", "ended", "completed"),
        ("busy", "ended", "busy"),
        ("failed", "ended", "failed"),
        ("no-answer", "ended", "no-answer"),
        ("canceled", "ended", "canceled"),
        ("missing", "unreadable", ""),
        (None, "unreadable", ""),
    ],
)
def test_read_call(server: ScriptedServer, client: TwilioClient, status: Any, known: str, reason: str) -> None:
    """Twilio: Call resource, status values in our words."""
    body = {"sid": CALL, "status": status, "direction": "inbound", "from": "+15555550101", "to": "+15555550102"}
    server.script.append(answer(200, body))
    got = read(client)
    assert (got.status, got.reason, got.parent) == (known, reason, None)
    assert (got.customer_number, got.called_number) == ("+15555550101", "+15555550102")
    assert 1000 <= got.at < 5000


def test_read_a_dialled_customer(server: ScriptedServer, client: TwilioClient) -> None:
    """On a leg that was dialled the customer is who was called."""
    body = {"status": "in-progress", "direction": "outbound-dial", "from": "+15555550102", "to": "+15555550101"}
    server.script.append(answer(200, body | {"parent_call_sid": AGENT_LEG}))
    got = read(client)
    assert (got.customer_number, got.called_number, got.parent) == ("+15555550101", "+15555550102", AGENT_LEG)


def test_a_call_is_missing_only_by_twilios_word(server: ScriptedServer, client: TwilioClient) -> None:
    """A proxy's 404 is not evidence that a call has ended."""
    server.script.extend([answer(404, {"code": 20404}), Script(404, b"<html>")])
    missing, proxy = read(client), read(client)
    assert isinstance(missing, CallRead)
    assert missing.status == "missing"
    assert isinstance(proxy, Outcome)
    assert proxy.verdict is Verdict.NOT_FOUND


@pytest.mark.parametrize(
    ("body", "identity", "is_child"),
    [
        ({"direction": "outbound-dial", "from": "+15555550102", "to": "client:amy", "parent_call_sid": CALL}, 1, True),
        ({"direction": "outbound-api", "from": "+15555550102", "to": "client:amy"}, 1, False),
        ({"direction": "inbound", "from": "client:amy", "to": "+15555550102"}, 1, False),
        ({}, 0, False),
    ],
)
def test_read_leg(
    server: ScriptedServer, client: TwilioClient, body: dict[str, str], identity: int, is_child: bool
) -> None:
    """Whom Twilio dialled, or who called."""
    server.script.append(answer(200, body))
    got = client.read_leg(AGENT_LEG, call_sid=CALL, at=1000)
    assert isinstance(got, LegRead)
    assert (got.identity, got.is_child_of_call) == ("client:amy" if identity else None, is_child)


def test_a_missing_leg_is_nobody(server: ScriptedServer, client: TwilioClient) -> None:
    """A leg that Twilio does not know has no identity."""
    server.script.append(answer(404, {"code": 20404}))
    got = client.read_leg(AGENT_LEG, call_sid=CALL, at=1000)
    assert isinstance(got, LegRead)
    assert got.identity is None


def row(leg: str, **more: Any) -> dict[str, Any]:
    return {"call_sid": leg, "label": None, "hold": False, "coaching": False, "status": "connected"} | more


def test_read_participants_over_pages(server: ScriptedServer, client: TwilioClient) -> None:
    """All pages count as one reading; who has gone or does not talk yet is not in the room."""
    more = f"{BASE}/Conferences/{ROOM}/Participants.json?Page=1&PageToken=x"
    gone = row("CA" + "5" * 32, status="complete")
    server.script.append(
        answer(200, {"participants": [row(CALL, label="customer", hold=True), gone], "next_page_uri": more})
    )
    server.script.append(answer(200, {"participants": [row(AGENT_LEG, coaching=True)], "next_page_uri": None}))
    got = participants(client)
    assert isinstance(got, ParticipantsRead)
    assert got.participants == (
        ParticipantSnapshot(leg=CALL, label="customer", is_held=True),
        ParticipantSnapshot(leg=AGENT_LEG, is_coaching=True),
    )
    assert (got.conference, got.asked_at, got.is_readable) == (ROOM, 1000, True)
    assert server.asked[1].query["PageToken"] == "x"


def test_pages_share_the_deadline(server: ScriptedServer, client: TwilioClient) -> None:
    """An endless list of pages does not outlast the operation's time."""
    more = f"{BASE}/Conferences/{ROOM}/Participants.json?Page=1"
    server.otherwise = answer(200, {"participants": [], "next_page_uri": more})
    got = participants(client, timeout_ms=300)
    assert isinstance(got, Outcome)
    assert got.verdict in {Verdict.UNKNOWN, Verdict.REFUSED_FOR_NOW}


def test_a_second_page_that_fails_fails_the_reading(server: ScriptedServer, client: TwilioClient) -> None:
    """Half a room is no reading."""
    more = f"{BASE}/Conferences/{ROOM}/Participants.json?Page=1"
    server.script.append(answer(200, {"participants": [row(CALL)], "next_page_uri": more}))
    server.script.append(answer(503, {"code": 20503}))
    got = participants(client)
    assert isinstance(got, Outcome)
    assert got.verdict is Verdict.FAILED


def test_a_conference_that_is_gone_is_empty(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio's own 20404 for a conference means that nobody is in it."""
    server.script.append(answer(404, {"code": 20404}))
    got = participants(client)
    assert isinstance(got, ParticipantsRead)
    assert got.participants == ()


def test_list_calls_in_progress(server: ScriptedServer, client: TwilioClient) -> None:
    """Legs in progress with who called whom; a repr shows no number."""
    body = {"sid": CALL, "direction": "inbound", "from": "+15555550101", "to": "+15555550102", "parent_call_sid": None}
    server.script.append(answer(200, {"calls": [body], "next_page_uri": None}))
    got = client.list_calls_in_progress()
    leg = ListedLeg(sid=CALL, parent=None, direction="inbound", caller="+15555550101", called="+15555550102")
    assert got == CallsInProgress(legs=[leg])
    assert "5555550101" not in repr(got)
    assert server.asked[0].query["Status"] == "in-progress"


def page_of_calls(number: int, *, last: bool = False, wait: threading.Event | None = None) -> Script:
    calls = [{"sid": f"CA{number * 100 + index:032x}"} for index in range(100)]
    following = None if last else f"/2010-04-01/Accounts/AC1/Calls.json?Page={number + 1}"
    return answer(200, {"calls": calls, "next_page_uri": following}, wait=wait)


def test_each_page_of_the_calls_has_its_own_deadline(server: ScriptedServer, client: TwilioClient) -> None:
    """Three pages together take longer than one may; a page that takes too long ends the list."""
    waits = [threading.Event() for _ in range(3)]
    server.script += [page_of_calls(number, last=number == 2, wait=each) for number, each in enumerate(waits)]
    timers = [threading.Timer(0.4 * number, each.set) for number, each in enumerate(waits, start=1)]
    for timer in timers:
        timer.start()
    got = client.list_calls_in_progress(page_ms=1_000)
    assert isinstance(got, CallsInProgress)
    assert (len(got.legs), got.cut) == (300, "")

    never = threading.Event()
    server.script += [page_of_calls(0), page_of_calls(1, wait=never)]
    late = client.list_calls_in_progress(page_ms=300)
    never.set()
    assert isinstance(late, Outcome)
    assert late.verdict is Verdict.UNKNOWN


def test_a_list_of_calls_that_is_cut_says_so(server: ScriptedServer, client: TwilioClient) -> None:
    """When the time for it is over, and after 5,000 legs; what was read is told."""
    server.script.append(page_of_calls(0))
    got = client.list_calls_in_progress(list_ms=0)
    assert isinstance(got, CallsInProgress)
    assert (len(got.legs), got.cut) == (100, "late")
    server.script += [page_of_calls(number) for number in range(50)]
    got = client.list_calls_in_progress()
    assert isinstance(got, CallsInProgress)
    assert (len(got.legs), got.cut) == (5_000, "many")


def test_number(server: ScriptedServer, client: TwilioClient) -> None:
    """How a number is configured; one that the account does not have is not found."""
    found = {"sid": "PN1", "voice_url": "https://a.example/", "trunk_sid": None, "phone_number": "+15555550101"}
    server.script.append(answer(200, {"incoming_phone_numbers": [found]}))
    server.script.append(answer(200, {"incoming_phone_numbers": []}))
    assert client.number("+15555550101") == PhoneNumber(
        sid="PN1", phone_number="+15555550101", voice_url="https://a.example/"
    )
    assert server.asked[0].query["PhoneNumber"] == "+15555550101"
    missing = client.number("+15555550101")
    assert isinstance(missing, Outcome)
    assert missing.verdict is Verdict.NOT_FOUND


def test_details_hold_no_number_and_no_address(server: ScriptedServer, client: TwilioClient) -> None:
    """Twilio's messages may quote what we sent."""
    told = f"Call +15555550101 not reachable at {URL}"
    server.script.append(answer(400, {"code": 21205, "message": told}))
    detail = create(client).detail
    assert "5555550101" not in detail
    assert "aaa.bbb" not in detail
