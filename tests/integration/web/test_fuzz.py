"""Fault 61 and its kin by the thousand: whatever arrives, signed or not, is answered as the contract says.

Nothing that is refused changes anything in Redis; nothing ever ends in a 500; no caller is left without a document;
no words of a conversation, no whole number and no secret get into the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed
from werkzeug.test import TestResponse

from tests.integration.web.hostile import CANARY, NUMBER, anything, bent, forms, words
from tests.integration.web.site import BASE, CALL, TOKEN, Site

WITH_DOCUMENT = ("voice", "voice-fallback", "dial-ended", "survey")
WITHOUT = ("call-status", "stream-status", "conference-status", "taskrouter-events")
ELEMENTS = {"Response", "Start", "Stream", "Dial", "Conference", "Number", "Client", "Sip", "Say", "Hangup", "Redirect"}
ELEMENTS |= {"Stop", "Pause", "Enqueue", "Task", "Reject"}
TARGETS = ("https://calls.example.com/", "https://survey.example/", "wss://media.asapp.example/")
SECRETS = (TOKEN, "fake-key", "fake-secret", "fake-old", "fake-new", "fake-metrics", "wss://")
EVENT = {
    "type": "agent-connected",
    "agent_id": "amy",
    "agent_leg": "CA" + "b" * 32,
    "reason": "payment",
    "occurred_at": "2026-01-01T00:00:00Z",
    "event_id": "e-1",
    "sequence": 1,
}
TRANSCRIPT: dict[str, Any] = {
    "type": "transcript",
    "externalConversationId": CALL,
    "streamId": "fake-stream",
    "sender": {"role": "customer", "externalId": "fake-customer"},
    "autotranscribeResponse": {
        "message": "transcript",
        "start": 0,
        "end": 1000,
        "utterance": [{"text": CANARY}],
    },
}
fuzzed = settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """What was logged; after each test it must tell nobody's words, number or secret."""
    with capture_logs() as lines:
        yield lines
    text = "\n".join(map(repr, lines))
    for hidden in (CANARY, NUMBER, *SECRETS):
        assert hidden not in text


def kept(site: Site) -> dict[bytes, bytes]:
    """All that Redis holds."""
    redis = site.services.redis
    return {name: redis.execute_command("DUMP", name) for name in redis.execute_command("KEYS", "*")}


def assert_of_calls_only(site: Site) -> None:
    """Whatever was stored is under the name of a call that could be one."""
    for call in site.api("GET", "/calls?limit=200").get_json()["calls"]:
        assert re.fullmatch(r"CA[0-9a-f]{32}", call["call_sid"])


def assert_harmless(answer: TestResponse) -> None:
    """A document of known elements, none of which leads anywhere but where the profile says."""
    root = ET.fromstring(answer.text)  # noqa: S314  our own answer
    for element in root.iter():
        assert element.tag in ELEMENTS
        for value in (*element.attrib.values(), element.text or ""):
            if re.match(r"\s*(https?|wss?):", value):
                assert value.strip().startswith(TARGETS)


@fuzzed
@given(endpoint=st.sampled_from(WITH_DOCUMENT + WITHOUT), form=forms(), signature=words)
def test_what_is_not_signed_is_refused(site: Site, endpoint: str, form: dict[str, str], signature: str) -> None:
    """Whatever a form says and whatever its signature: 403, and Redis is as it was."""
    before = kept(site)
    header = signature.encode("ascii", "replace").decode().translate({10: " ", 13: " ", 0: " "})
    assert site.twilio(endpoint, form, signature=header).status_code == 403
    assert kept(site) == before


@fuzzed
@given(endpoint=st.sampled_from(WITH_DOCUMENT + WITHOUT), form=forms(), changed=words, data=st.data())
def test_what_was_changed_after_its_signing_is_refused(
    site: Site, endpoint: str, form: dict[str, str], changed: str, data: st.DataObject
) -> None:
    """One field more, less or other than what was signed: 403, and Redis is as it was."""
    form = {"CallSid": CALL, **form}
    name = data.draw(st.sampled_from(sorted(form)))
    other = {**form, name: changed}
    if other == form:
        del other[name]
    signature = RequestValidator(TOKEN).compute_signature(f"{BASE}/twilio/{endpoint}", form)
    before = kept(site)
    assert site.twilio(endpoint, other, signature=signature).status_code == 403
    assert kept(site) == before


@fuzzed
@given(endpoint=st.sampled_from(WITHOUT), form=forms(), query=st.sampled_from(["", f"?call={CALL}", "?call=x"]))
def test_signed_status_callbacks_are_taken_or_refused(
    site: Site, endpoint: str, form: dict[str, str], query: str
) -> None:
    """Signed by Twilio and odd: 204, or 400 for what cannot be read; no name but a call's is written down."""
    before = kept(site)
    answer = site.twilio(f"{endpoint}{query}", form)
    assert answer.status_code in {204, 400}
    if answer.status_code == 400:
        assert kept(site) == before
    assert_of_calls_only(site)


@fuzzed
@given(endpoint=st.sampled_from(WITH_DOCUMENT), form=forms(), query=st.sampled_from(["", f"?call={CALL}", "?call=x"]))
def test_whoever_is_on_the_line_gets_a_harmless_document(
    site: Site, endpoint: str, form: dict[str, str], query: str
) -> None:
    """Signed by Twilio, with any fields: 200 and TwiML of our own making, nothing of its structure from the form."""
    answer = site.twilio(f"{endpoint}{query}", form)
    assert answer.status_code == 200
    assert_harmless(answer)
    assert_of_calls_only(site)


@fuzzed
@given(body=st.one_of(bent(EVENT), anything))
@example(body=EVENT)
def test_desktop_events_are_taken_or_refused(site: Site, body: object) -> None:
    """Any JSON: 202 where it is an event, else a problem with its type, and nothing is changed."""
    site.arrive()
    before = kept(site)
    answer = post_event(site, json.dumps(body).encode())
    assert answer.status_code in {200, 202, 400, 404, 413}
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
        assert kept(site) == before


@fuzzed
@given(body=st.binary(max_size=400), sid=words)
@example(body=b"[" * 60_000, sid=CALL)
@example(body=b'{"type": "hold", "type": "unhold"}', sid="CA" + "f" * 31)
@example(body=b'{"type": "pause", "reason": "\\ud800"}', sid=CALL)
def test_bytes_are_no_events(site: Site, body: bytes, sid: str) -> None:
    """Any bytes, under any name: an answer of the contract, and no call by that name."""
    before = kept(site)
    answer = site.api("POST", f"/calls/{sid}/events", data=body, content_type="application/json")
    assert answer.status_code in {308, 400, 404, 405, 413}
    assert kept(site) == before


def post_event(site: Site, body: bytes) -> TestResponse:
    return site.api("POST", f"/calls/{CALL}/events", data=body, content_type="application/json")


@fuzzed
@given(body=st.one_of(bent(TRANSCRIPT).map(lambda found: json.dumps(found).encode()), st.binary(max_size=300)))
@example(body=json.dumps(TRANSCRIPT).encode())
@example(body=b'{"type":' * 20_000)
def test_transcripts_are_taken_or_refused(site: Site, body: bytes) -> None:
    """Any body with the right secret: 200 where it is a message, else 400, and nothing is changed."""
    before = kept(site)
    answer = site.client.post("/asapp/transcripts", data=body, headers={"asapp-webhook-secret": "fake-new"})
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert kept(site) == before


@fuzzed
@given(secret=words, body=bent(TRANSCRIPT))
def test_transcripts_of_strangers_are_refused(site: Site, secret: str, body: dict[str, Any]) -> None:
    """Without the secret: 401 whatever is in it, and Redis is as it was."""
    before = kept(site)
    header = secret.encode("ascii", "replace").decode().translate({10: " ", 13: " ", 0: " "})
    answer = site.client.post("/asapp/transcripts", json=body, headers={"asapp-webhook-secret": header})
    assert answer.status_code == 401
    assert kept(site) == before


def test_what_is_good_changes_something(site: Site) -> None:
    """The same requests, well-formed, are stored: otherwise the tests above would prove nothing."""
    empty = kept(site)
    assert site.arrive().status_code == 200
    begun = kept(site)
    assert begun != empty
    assert post_event(site, json.dumps(EVENT).encode()).status_code == 202
    connected = kept(site)
    assert connected != begun
    headers = {"asapp-webhook-secret": "fake-new"}
    assert site.client.post("/asapp/transcripts", json=TRANSCRIPT, headers=headers).status_code == 200
    assert kept(site) != connected
