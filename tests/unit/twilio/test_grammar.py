"""Every document that we can produce, against the grammar of Twilio's own builder: elements, nesting, attributes.

The builder passes on any keyword it is given, so a misspelt attribute would reach Twilio and be ignored there. The
grammar is read from its methods: `Dial.number(...)` says that `<Number>` may stand in `<Dial>`, and with what.
"""

from __future__ import annotations

import inspect
import itertools
from xml.etree import ElementTree as ET

import pytest
from twilio.twiml import voice_response  # type: ignore[import-untyped]  # the SDK is not marked as typed

from orchestrator.core.call import Call, MediaStream, StreamState
from orchestrator.core.profile import Profile
from orchestrator.twilio import twiml

CALL = "CA" + "1" * 32
URLS = twiml.CallbackUrls("https://calls.example")
ROUTES = [
    "conference",
    "redirect:https://flow.example/v",
    "enqueue:WW" + "6" * 32,
    "enqueue:support",
    "dial:+15555550101",
    "dial:client:amy",
    "dial:sip:amy@desk.example",
]
SURVEYS = [None, "https://survey.example/s"]
OUTCOMES = ["completed", "no-answer", "redirected", "hangup", "leave", "bridged", "queue-full"]
CONTENT = {"name", "self", "kwargs"}


def documents() -> list[str]:
    stream = MediaStream(name="asapp-1", generation=1, state=StreamState.REQUESTED, origin="twiml")
    made = [
        twiml.apology(),
        twiml.goodbye(),
        twiml.refusal(),
        twiml.dial_agent("client:amy"),
        twiml.dial_agent("sip:amy@desk.example"),
    ]
    made.append(
        twiml.dial_customer("+15555550101", caller_id="+15555550100", device_leg=CALL, identity="client:amy", urls=URLS)
    )
    for route, other, survey in itertools.product(ROUTES, [None, *ROUTES], SURVEYS):
        profile = Profile(route=route, no_agent_route=other, survey_url=survey)
        call = Call(call_sid=CALL, profile=profile, created_at=1, streams=(stream,))
        made += [twiml.answer(call, stream_url=url, urls=URLS) for url in (None, "wss://media.example/x")]
        made += [twiml.answer(call, stream_url=None, urls=URLS, caller_id="+15555550100")]
        made += [twiml.route_only(profile, CALL, URLS), twiml.survey(profile, ["asapp-1"])]
        for outcome, had_agent, is_last in itertools.product(OUTCOMES, (False, True), (False, True)):
            made.append(
                twiml.dial_ended(
                    profile,
                    CALL,
                    outcome=outcome,
                    had_agent=had_agent,
                    streams=["asapp-1", "asapp-2"],
                    urls=URLS,
                    is_last=is_last,
                )
            )
    return sorted(set(made))


def snake(attribute: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in attribute)


def faults(element: ET.Element, kind: str) -> list[str]:
    """What the builder's grammar says against the children of this element, at any depth."""
    builder = getattr(voice_response, kind)
    found: list[str] = []
    for child in element:
        method = getattr(builder, child.tag.lower(), None)
        if method is None:
            found.append(f"<{child.tag}> may not stand in <{element.tag}>")
            continue
        known = set(inspect.signature(method).parameters) - CONTENT
        if child.tag == "Stream":
            known |= {"name"}
        found += [f"<{child.tag}> has no {each}" for each in child.attrib if snake(each) not in known]
        found += faults(child, child.tag)
    return found


def test_every_document_is_of_twilios_grammar() -> None:
    """Routes, other routes, surveys and outcomes in every combination."""
    made = documents()
    assert len(made) > 25
    wrong = {each: faults(ET.fromstring(each), "VoiceResponse") for each in made}  # noqa: S314  # our own documents
    assert [each for each in wrong.values() if each] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "<Response><Dial><Number statusCallBack='x'>1</Number></Dial></Response>",
        "<Response><Number>1</Number></Response>",
        "<Response><Start><Stream uri='x'/></Start></Response>",
    ],
)
def test_the_grammar_tells_what_is_wrong(wrong: str) -> None:
    """Else the test above could not fail."""
    assert faults(ET.fromstring(wrong), "VoiceResponse")  # noqa: S314  # our own
