"""The documents that Twilio runs: well-formed, and of the elements that we mean, whatever is put into them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestrator.core.call import Call, MediaStream, StreamState
from orchestrator.core.profile import Profile
from orchestrator.twilio import twiml

CALL = "CA" + "1" * 32
SURVEY = "https://survey.example/s?a=1&b=2"
WORKFLOW = "WW" + "6" * 32
URL = "wss://media.example/twilio-media/aaa.bbb.ccc"
URLS = twiml.CallbackUrls("https://calls.example/pre/")


def profile(route: str = "conference", **more: Any) -> Profile:
    return Profile(route=route, **more)


def call(route: str = "conference", name: str = "asapp-1", **more: Any) -> Call:
    stream = MediaStream(name=name, generation=1, state=StreamState.REQUESTED, origin="twiml")
    return Call(call_sid=CALL, profile=profile(route, **more), created_at=1, streams=(stream,))


def parsed(document: str) -> ET.Element:
    root = ET.fromstring(document)  # noqa: S314  # our own document
    assert root.tag == "Response"
    return root


def tags(document: str) -> list[str]:
    return [element.tag for element in parsed(document).iter()][1:]


def only(document: str, tag: str) -> ET.Element:
    (found,) = parsed(document).iter(tag)
    return found


@pytest.mark.parametrize(
    "route",
    ["conference", f"enqueue:{WORKFLOW}", "dial:client:amy", "dial:+15555550101", "redirect:https://f.example/"],
)
@given(token=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60), survey=st.booleans())
def test_a_prepared_document_is_the_built_one(route: str, token: str, *, survey: bool) -> None:
    """To the letter, whatever stands in the stream URL; of another call the next one has nothing."""
    for sid, url in ((CALL, f"wss://media.example/{token}"), ("CA" + "2" * 32, URL), (CALL, None)):
        one = replace(call(route, survey_url=SURVEY if survey else None), call_sid=sid)
        for number in (None, "+15555550100"):
            built = twiml._built(one.profile, "asapp-1", sid, url, URLS, number)
            assert twiml.answer(one, stream_url=url, urls=URLS, caller_id=number) == built


def test_callback_urls_name_the_call_and_ask_for_repeats() -> None:
    """Every URL carries the call, our path prefix and Twilio's connection overrides."""
    made = {
        "stream-status": URLS.stream_status(CALL),
        "conference-status": URLS.conference_status(CALL),
        "call-status": URLS.call_status(CALL),
        "dial-ended": URLS.dial_ended(CALL),
        "survey": URLS.survey(CALL),
    }
    for path, url in made.items():
        assert url == f"https://calls.example/pre/twilio/{path}?call={CALL}#rc=3&rp=5xx,ct,rt"
    assert parse_qs(urlsplit(URLS.device_call_status(CALL)).query) == {"device": [CALL]}
    assert parse_qs(urlsplit(URLS.dial_ended(CALL, is_last=True)).query) == {"call": [CALL], "last": ["1"]}


def test_the_answer_starts_the_stream_and_goes_on() -> None:
    """Twilio: `<Start><Stream>`: both tracks, named, reporting; then the route."""
    document = twiml.answer(call(), stream_url=URL, urls=URLS)
    assert tags(document) == ["Start", "Stream", "Dial", "Conference"]
    assert only(document, "Stream").attrib == {
        "url": URL,
        "name": "asapp-1",
        "track": "both_tracks",
        "statusCallback": URLS.stream_status(CALL),
        "statusCallbackMethod": "POST",
    }


def test_without_a_url_the_route_alone() -> None:
    """No URL, no `<Start>`."""
    document = twiml.answer(call(), stream_url=None, urls=URLS)
    assert tags(document) == ["Dial", "Conference"]
    assert document == twiml.route_only(profile(), CALL, URLS)


def test_conference() -> None:
    """The room is named by the call, closed when the customer leaves, silent, and reports everything needed."""
    document = twiml.route_only(profile(), CALL, URLS)
    room = only(document, "Conference")
    assert room.text == CALL
    assert room.attrib == {
        "participantLabel": "customer",
        "startConferenceOnEnter": "true",
        "endConferenceOnExit": "true",
        "beep": "false",
        "statusCallback": URLS.conference_status(CALL),
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "start end join leave mute hold modify",
    }
    assert only(document, "Dial").attrib == {}


def test_a_conference_has_an_action_only_for_a_survey() -> None:
    """What follows is asked of us only where something follows."""
    document = twiml.route_only(profile(survey_url=SURVEY), CALL, URLS)
    assert only(document, "Dial").attrib == {"action": URLS.dial_ended(CALL), "method": "POST"}


def test_redirect() -> None:
    """`redirect:` hands the call on."""
    document = twiml.route_only(profile("redirect:https://flow.example/v?a=1&b=:2"), CALL, URLS)
    assert tags(document) == ["Redirect"]
    assert (only(document, "Redirect").text, only(document, "Redirect").attrib) == (
        "https://flow.example/v?a=1&b=:2",
        {"method": "POST"},
    )


@pytest.mark.parametrize(
    ("target", "attributes", "text"), [(WORKFLOW, {"workflowSid": WORKFLOW}, None), ("support", {}, "support")]
)
def test_enqueue(target: str, attributes: dict[str, str], text: str | None) -> None:
    """`enqueue:` makes a task of the workflow, or waits in a plain queue; what follows is asked of us."""
    document = twiml.route_only(profile(f"enqueue:{target}"), CALL, URLS)
    queue = only(document, "Enqueue")
    assert [json.loads(task.text or "") for task in parsed(document).iter("Task")] == [{"call": CALL}] * (text is None)
    assert queue.attrib == {"action": URLS.dial_ended(CALL), "method": "POST"} | attributes
    assert queue.text == text


@pytest.mark.parametrize(
    ("route", "tag", "text"),
    [
        ("dial:+15555550101", "Number", "+15555550101"),
        ("dial:client:amy", "Client", "amy"),
        ("dial:sip:amy@desk.example;x=1", "Sip", "sip:amy@desk.example;x=1"),
    ],
)
def test_dial(route: str, tag: str, text: str) -> None:
    """`dial:` rings a number, a client or a SIP device, whose leg reports under the call."""
    document = twiml.route_only(profile(route), CALL, URLS)
    assert tags(document) == ["Dial", tag]
    assert only(document, "Dial").attrib == {"action": URLS.dial_ended(CALL), "method": "POST"}
    device = only(document, tag)
    assert device.text == text
    assert device.attrib == {
        "statusCallback": URLS.call_status(CALL),
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "answered completed",
    }


@pytest.mark.parametrize(
    ("caller", "called", "shown"),
    [
        ("+15555550123", "+15555550100", None),
        ("client:visitor", "+15555550100", "+15555550100"),
        ("sip:+15555550123@trunk.example", "+15555550100", "+15555550100"),
        ("anonymous", "+15555550100", "+15555550100"),
        ("", "+15555550100", "+15555550100"),
        ("client:visitor", "sip:line@desk.example", "+15555550109"),
        ("client:visitor", "", "+15555550109"),
    ],
)
def test_a_caller_without_a_number_is_shown_by_ours(caller: str, called: str, shown: str | None) -> None:
    """Twilio: 13214. What was called, else the profile's number for calls that devices place."""
    assert twiml.caller_id(profile(outbound_caller_id="+15555550109"), caller, called) == shown


def test_only_a_phone_needs_a_caller_id() -> None:
    """Devices are shown the caller by whatever name; of the other routes nobody is dialled by us."""
    for route in ("dial:client:amy", "dial:sip:amy@desk.example", "conference", f"enqueue:{WORKFLOW}"):
        assert "callerId" not in twiml.route_only(profile(route), CALL, URLS, "+15555550100")
    phone = twiml.route_only(profile("dial:+15555550101"), CALL, URLS, "+15555550100")
    assert only(phone, "Dial").get("callerId") == "+15555550100"
    other = ended("busy", no_agent_route="dial:+15555550102", caller_id="+15555550100")
    assert only(other, "Dial").get("callerId") == "+15555550100"


def ended(
    outcome: str, *, had_agent: bool = False, is_last: bool = False, caller_id: str | None = None, **more: Any
) -> str:
    return twiml.dial_ended(
        profile("dial:client:amy", **more),
        CALL,
        outcome=outcome,
        had_agent=had_agent,
        streams=["asapp-1"],
        urls=URLS,
        is_last=is_last,
        caller_id=caller_id,
    )


NO_AGENT = ["no-answer", "busy", "failed", "canceled", "queue-full", "error", "system-error", "leave", "", "new-word"]


@pytest.mark.parametrize("outcome", NO_AGENT)
def test_no_agent_was_found(outcome: str) -> None:
    """The profile's other route, once; else, and after it, a spoken apology. Never the survey, never silence."""
    other = ended(outcome, no_agent_route="dial:+15555550102", survey_url=SURVEY)
    assert tags(other) == ["Dial", "Number"]
    assert only(other, "Dial").attrib["action"] == URLS.dial_ended(CALL, is_last=True)
    assert tags(ended(outcome, no_agent_route="dial:+15555550102", is_last=True)) == ["Say", "Hangup"]
    assert ended(outcome, survey_url=SURVEY) == twiml.apology()
    assert only(twiml.apology(), "Say").text == twiml.APOLOGY


@pytest.mark.parametrize("outcome", ["completed", "answered", "bridged"])
def test_after_the_agent_the_survey(outcome: str) -> None:
    """An agent was on the call: the stream ends, then the survey; without one, the call."""
    document = ended(outcome, survey_url=SURVEY)
    assert tags(document) == ["Stop", "Stream", "Redirect"]
    assert only(document, "Redirect").text == SURVEY
    assert tags(ended(outcome, no_agent_route="dial:+15555550102")) == ["Hangup"]
    assert twiml.leads_to_survey(profile(survey_url=SURVEY), outcome=outcome, had_agent=False)
    assert not twiml.leads_to_survey(profile(), outcome=outcome, had_agent=True)


@pytest.mark.parametrize("outcome", NO_AGENT)
def test_an_agent_who_was_there_leads_to_the_survey(outcome: str) -> None:
    """A transfer that failed after an agent had talked still ends in the survey."""
    assert tags(ended(outcome, had_agent=True, survey_url=SURVEY)) == ["Stop", "Stream", "Redirect"]
    assert tags(ended(outcome, had_agent=True)) == ["Hangup"]


@pytest.mark.parametrize("outcome", ["redirected", "redirected-from-bridged", "bridging-in-process"])
def test_a_caller_who_is_elsewhere_is_left_alone(outcome: str) -> None:
    """After a redirect Twilio ignores the answer; should it not, nothing happens to the caller, and no survey."""
    for had_agent in (False, True):
        assert tags(ended(outcome, had_agent=had_agent, survey_url=SURVEY)) == ["Pause"]
        assert not twiml.leads_to_survey(profile(survey_url=SURVEY), outcome=outcome, had_agent=had_agent)


def test_a_caller_who_left_gets_no_survey() -> None:
    """Nobody is there to answer it."""
    assert tags(ended("hangup", survey_url=SURVEY)) == ["Hangup"]


def test_a_device_rings_the_customer() -> None:
    """Twilio: `<Dial><Number>`: the child leg reports under the device; no stream on the device's own leg."""
    document = twiml.dial_customer(
        "+15555550101", caller_id="+15555550100", device_leg=CALL, identity="client:amy", urls=URLS
    )
    assert tags(document) == ["Dial", "Number"]
    assert only(document, "Dial").attrib == {"callerId": "+15555550100"}
    assert only(document, "Number").attrib == {
        "statusCallback": URLS.device_call_status(CALL, "client:amy"),
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "answered completed",
    }
    query = parse_qs(urlsplit(only(document, "Number").attrib["statusCallback"]).query)
    assert query == {"device": [CALL], "identity": ["client:amy"]}


@pytest.mark.parametrize(
    ("address", "tag", "text"),
    [("client:bob", "Client", "bob"), ("sip:bob@desk.example", "Sip", "sip:bob@desk.example")],
)
def test_agent_to_agent_reports_nothing(address: str, tag: str, text: str) -> None:
    """It is no call of ours."""
    document = twiml.dial_agent(address)
    assert tags(document) == ["Dial", tag]
    assert (only(document, tag).text, only(document, tag).attrib) == (text, {})


def test_a_refused_device_hears_why() -> None:
    """A spoken word, then the end."""
    assert tags(twiml.refusal()) == ["Say", "Hangup"]
    assert only(twiml.refusal(), "Say").text == twiml.REFUSAL


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, ["asapp-1"]),
        ({"transcribe": False}, []),
        ({"consent": "required"}, []),
        ({"stream_from": "agent-connect"}, []),
    ],
)
def test_a_stream_that_never_was_is_not_stopped(more: dict[str, Any], names: list[str]) -> None:
    """Of a call whose state cannot be read, the first stream alone, where the profile begins with one."""
    assert twiml.streams_of_unknown(profile(**more)) == names


def test_survey_stops_every_stream_that_may_live() -> None:
    """Each by its name, then the survey's own document."""
    document = twiml.survey(profile(survey_url=SURVEY), ["asapp-1", "asapp-2"])
    assert tags(document) == ["Stop", "Stream", "Stop", "Stream", "Redirect"]
    assert [stream.attrib for stream in parsed(document).iter("Stream")] == [{"name": "asapp-1"}, {"name": "asapp-2"}]
    assert document == twiml.survey_redirect(["asapp-1", "asapp-2"], SURVEY)
    assert only(document, "Redirect").attrib == {"method": "POST"}
    assert tags(twiml.survey(profile(), ["asapp-1"])) == ["Hangup"]


def test_the_survey_redirect_fits_into_a_request() -> None:
    """Twilio takes 4,000 characters of TwiML over REST; two streams fit a call."""
    assert len(twiml.survey_redirect(["asapp-1001", "asapp-1002"], "https://s.example/" + "x" * 2000)) < 4000


HOSTILE = [
    '"><Redirect>https://evil.example</Redirect>',
    "</Conference><Dial>+15555550199</Dial>",
    "'><Say>x</Say>",
    "<![CDATA[<Hangup/>]]>",
    "<!--",
    "-->",
    "]]>",
    "&lt;Hangup/&gt;",
    "&evil;",
    "<?xml version='1.0'?><!DOCTYPE x>",
    "a\r\nb\tc",
    "\u202e\u0000".strip("\u0000"),
    "\U0001f4de",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_injection(text: str) -> None:
    """The same elements, with the text as text, wherever it is put."""
    for route, expected in [
        ("conference", ["Start", "Stream", "Dial", "Conference"]),
        (f"redirect:{text}", ["Start", "Stream", "Redirect"]),
        (f"enqueue:{text}", ["Start", "Stream", "Enqueue"]),
        (f"dial:client:{text}", ["Start", "Stream", "Dial", "Client"]),
        (f"dial:sip:{text}", ["Start", "Stream", "Dial", "Sip"]),
        (f"dial:+{text}", ["Start", "Stream", "Dial", "Number"]),
    ]:
        document = twiml.answer(call(route, name=text, survey_url=text), stream_url=text, urls=URLS)
        assert tags(document) == expected
    assert tags(twiml.survey_redirect([text, text], text)) == ["Stop", "Stream", "Stop", "Stream", "Redirect"]


@pytest.mark.parametrize(
    ("route", "noun", "goes_to"),
    [
        ("conference", "Conference", "{{CallSid}}"),
        (f"enqueue:{WORKFLOW}", "Enqueue", None),
        ("redirect:https://flow.example/start", "Redirect", "https://flow.example/start"),
        ("dial:+15555550101", "Number", "+15555550101"),
        ("dial:client:amy", "Client", "amy"),
        ("dial:sip:amy@desk.example", "Sip", "sip:amy@desk.example"),
    ],
)
def test_a_document_for_twilio_to_keep_needs_nothing_of_ours(route: str, noun: str, goes_to: str | None) -> None:
    """The route alone: no address of ours, so it works while we do not."""
    document = twiml.static_fallback(profile(route, survey_url=SURVEY))
    assert only(document, noun).text == goes_to
    assert "calls.example" not in document
    assert "statusCallback" not in document
    assert (only(document, "Dial").get("callerId") if noun == "Number" else "{{To}}") == "{{To}}"
