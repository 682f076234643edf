"""Unsigned, forged and malformed requests at every endpoint: the contract's answer, and nothing changes."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests

from tests.e2e.harness import CUSTOMER, DESKTOP_KEY, NUMBER, READ_KEY, WEBHOOK_SECRET, Site
from tests.e2e.signing import post_signed

FROM_TWILIO = (
    "voice",
    "voice-fallback",
    "call-status",
    "stream-status",
    "conference-status",
    "taskrouter-events",
    "dial-ended",
    "survey",
)
SECRET_HEADER = "asapp-webhook-secret"
MOST = 256 * 1024
_HTTP_S = 10.0


@pytest.fixture
def call_sid() -> str:
    return f"CA{secrets.token_hex(16)}"


def assert_unknown(site: Site, call_sid: str) -> None:
    """No call came of it."""
    assert site.api(f"/calls/{call_sid}", status=404)["type"] == "no-such-call"


def form_of(call_sid: str) -> dict[str, str]:
    return {
        "CallSid": call_sid,
        "From": CUSTOMER,
        "To": NUMBER,
        "Direction": "inbound",
        "CallStatus": "completed",
        "StreamSid": "MZ" + "0" * 32,
        "StreamName": "asapp-1",
        "StreamEvent": "stream-started",
        "ConferenceSid": "CF" + "0" * 32,
        "StatusCallbackEvent": "participant-join",
        "SequenceNumber": "1",
    }


@pytest.mark.parametrize("endpoint", FROM_TWILIO)
def test_unsigned_is_refused(site: Site, call_sid: str, endpoint: str) -> None:
    """403 without a signature and with a wrong one, whatever the form says."""
    path, form = f"/twilio/{endpoint}?call={call_sid}", form_of(call_sid)
    unsigned = site.http.post(f"{site.web_url}{path}", data=form, timeout=_HTTP_S)
    assert unsigned.status_code == 403
    assert post_signed(site, path, form, token="not-the-token").status_code == 403
    assert_unknown(site, call_sid)


@pytest.mark.parametrize("endpoint", FROM_TWILIO)
def test_other_methods_are_refused(site: Site, endpoint: str) -> None:
    """Only POST: a GET is no request of Twilio's, signed or not."""
    answer = site.http.get(f"{site.web_url}/twilio/{endpoint}", timeout=_HTTP_S)
    assert answer.status_code in {403, 405}


@pytest.mark.parametrize("endpoint", FROM_TWILIO)
def test_signed_nonsense_is_no_call(site: Site, endpoint: str) -> None:
    """A signed form whose Call SID is none is answered, not with a failure of ours, and makes no call."""
    nonsense = "CA/../../etc"
    answer = post_signed(site, f"/twilio/{endpoint}", {**form_of(nonsense), "ConferenceSid": "?", "StreamSid": ""})
    assert answer.status_code in {200, 204, 400}
    assert all(call["call_sid"] != nonsense for call in site.api("/calls?limit=200")["calls"])


@pytest.mark.parametrize("path", ["voice", "voice-fallback", "dial-ended?call=x", "survey?call=x"])
@pytest.mark.parametrize("sid", [None, "CA/../../etc", ""])
def test_whoever_is_on_the_line_gets_a_document(site: Site, call_sid: str, path: str, sid: str | None) -> None:
    """Where Twilio waits for TwiML, odd fields of a signed request do not drop the caller."""
    odd = {
        "CallSid": call_sid if sid is None else sid,
        "ParentCallSid": "?",
        "DialCallSid": "?",
        "CallerName": "R\ufffd",
    }
    many = {f"SipHeader_X-{number}": "x" for number in range(300)}
    answer = post_signed(site, f"/twilio/{path}", {**form_of(call_sid), **odd, **many})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert answer.text.startswith("<?xml")


@pytest.mark.parametrize("endpoint", FROM_TWILIO)
def test_oversized_forms_are_refused(site: Site, call_sid: str, endpoint: str) -> None:
    """413 or 403 above 64 KiB, and for more fields than any vendor sends: no parser is fed with them."""
    path = f"/twilio/{endpoint}"
    long, many = {"Padding": "x" * 70_000}, {f"Field{number}": "x" for number in range(10_000)}
    many_in_few_bytes = {f"F{number}": "" for number in range(3_000)}
    for more in (long, many, many_in_few_bytes):
        answer = post_signed(site, path, {**form_of(call_sid), **more}, keep_alive=False)
        assert answer.status_code in {400, 403, 413}
    assert_unknown(site, call_sid)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 401),
        ({SECRET_HEADER: "wrong"}, b"{}", 401),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b"", 400),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b"\xff\xfe", 400),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b"[" * 20_000, 400),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b'{"type":"transcript"}', 400),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b'{"type":"news"}', 200),
        ({SECRET_HEADER: WEBHOOK_SECRET}, b'"' + b"x" * MOST + b'"', 413),
    ],
)
def test_transcripts_are_checked(site: Site, headers: dict[str, str], body: bytes, status: int) -> None:
    """401 without the secret, 400 for what is no message, 413 above the limit, 200 for an unknown type."""
    headers = {"Content-Type": "application/json", **headers}
    answer = site.http.post(f"{site.web_url}/asapp/transcripts", data=body, headers=headers, timeout=_HTTP_S)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("key", "body", "status", "slug"),
    [
        ("", b'{"type":"hold"}', 401, "unauthorized"),
        ("wrong", b'{"type":"hold"}', 401, "unauthorized"),
        (READ_KEY, b'{"type":"hold"}', 403, "forbidden"),
        (DESKTOP_KEY, b"", 400, "invalid-event"),
        (DESKTOP_KEY, b"[]", 400, "invalid-event"),
        (DESKTOP_KEY, b"[" * 20_000, 400, "invalid-event"),
        (DESKTOP_KEY, b'{"type":"drop-the-call"}', 400, "invalid-event"),
        (DESKTOP_KEY, b'{"type":"agent-connected"}', 400, "invalid-event"),
        (DESKTOP_KEY, b'{"type":"pause","reason":"Robert\'); DROP"}', 400, "invalid-event"),
        (DESKTOP_KEY, b'{"type":"hold","occurred_at":"yesterday"}', 400, "invalid-event"),
    ],
)
def test_events_are_checked(site: Site, call_sid: str, key: str, body: bytes, status: int, slug: str) -> None:
    """Problem details with a stable type, and no call made of a bad report."""
    answer = _report(site, call_sid, key, body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == slug
    assert_unknown(site, call_sid)


@pytest.mark.parametrize("sid", ["CA1", "XX" + "0" * 32, "CA" + "0" * 32 + "%0d%0aSet-Cookie:x", "%2e%2e%2fcalls"])
def test_what_is_no_sid_is_no_call(site: Site, sid: str) -> None:
    """404, with nothing of the path in the headers."""
    answer = _report(site, sid, DESKTOP_KEY, b'{"type":"hold"}')
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers


def _report(site: Site, sid: str, key: str, body: bytes) -> requests.Response:
    headers: dict[str, Any] = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return site.http.post(f"{site.web_url}/api/v1/calls/{sid}/events", data=body, headers=headers, timeout=_HTTP_S)


@pytest.mark.parametrize("token", ["", "wrong"])
def test_metrics_need_their_token(site: Site, token: str) -> None:
    """401 without METRICS_TOKEN."""
    headers = {"Authorization": f"Bearer {token}"}
    assert site.http.get(f"{site.web_url}/metrics", headers=headers, timeout=_HTTP_S).status_code == 401


def test_forwarded_headers_move_nothing(site: Site, call_sid: str) -> None:
    """A signature made for another host does not count here, whatever X-Forwarded-* claims."""
    headers = {"X-Forwarded-Host": "calls.example.com", "X-Forwarded-Proto": "https", "X-Twilio-Signature": "x"}
    answer = site.http.post(f"{site.web_url}/twilio/voice", data=form_of(call_sid), headers=headers, timeout=_HTTP_S)
    assert answer.status_code == 403
    assert_unknown(site, call_sid)


def test_nothing_of_it_is_in_the_logs(site: Site) -> None:
    """After all of that the service's output has no secret, no stream URL, no traceback and no whole number."""
    output = "".join(site.process(name).text() for name in ("web", "worker"))
    for hidden in (WEBHOOK_SECRET, DESKTOP_KEY, "wss://", "Traceback", CUSTOMER):
        assert hidden not in output
