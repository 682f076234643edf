"""The grammar of TwiML."""

import re

import pytest

from orchestrator.emulators.twilio.twiml import DocumentError, parse


def _parse(inside: str) -> list[str]:
    return [verb.tag for verb in parse(f'<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>')]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<Say>Hello</Say><Play>https://example.com/a.mp3</Play><Pause length='2'/><Hangup/>",
        "<Start><Stream name='a' url='wss://example.com/x'><Parameter name='k' value='v'/></Stream></Start>",
        "<Stop><Stream name='a'/></Stop><Redirect method='POST'>https://example.com/next</Redirect>",
        "<Dial action='/ended' answerOnBridge='true'><Number url='/whisper'>+15555550102</Number></Dial>",
        "<Dial>+15555550102</Dial>",
        "<Dial><Client><Identity>amy</Identity></Client><Sip>sip:amy@desk.example</Sip></Dial>",
        "<Dial><Conference participantLabel='customer' endConferenceOnExit='true'>room</Conference></Dial>",
        "<Enqueue workflowSid='WW1' action='/left'><Task>{}</Task></Enqueue>",
        "<Gather timeout='1'><Say>Press one</Say></Gather><Record/>",
        "<Reject reason='busy'/>",
    ],
)
def test_what_the_vendor_knows_is_read(inside: str) -> None:
    """Verbs, nouns and attributes of the vendor's pages."""
    first = re.match(r"<(\w+)", inside)
    assert _parse(inside)[:1] == ([first[1]] if first else [])


@pytest.mark.parametrize(
    "inside",
    [
        "<Sing>la</Sing>",
        "<say>case matters</say>",
        "<Say colour='red'>Hello</Say>",
        "<Pause length='long'/>",
        "<Dial></Dial>",
        "<Dial><Conference></Conference></Dial>",
        "<Dial><Conference>a</Conference><Number>+15555550102</Number></Dial>",
        "<Start/>",
        "<Start><Stream name='a'/></Start>",
        "<Stop><Stream url='wss://example.com'/></Stop>",
        "<Redirect/>",
        "stray words",
        "<Say>unclosed",
        "<Start><Stream url='wss://example.com/a?b=1&c=2'/></Start>",
        f"<Start><Stream url='wss://example.com'><Parameter name='k' value='{'v' * 500}'/></Stream></Start>",
    ],
)
def test_what_the_vendor_does_not_know_is_a_document_failure(inside: str) -> None:
    """12100 for unknown verbs, nouns, attributes, places and for broken XML."""
    with pytest.raises(DocumentError) as failure:
        _parse(inside)
    assert failure.value.code == 12100


def test_another_root_is_a_document_failure() -> None:
    """The root is Response."""
    with pytest.raises(DocumentError):
        parse("<html/>")


def test_a_whisper_may_not_dial() -> None:
    """Only the verbs that are allowed at that place are read."""
    with pytest.raises(DocumentError):
        parse("<Response><Dial>+15555550102</Dial></Response>", frozenset({"Say"}))


def test_attributes_are_read_as_flags_and_numbers() -> None:
    """Absent attributes have their default."""
    (dial,) = parse("<Response><Dial answerOnBridge='true' timeout='7'>+15555550102</Dial></Response>")
    assert dial.flag("answerOnBridge")
    assert not dial.flag("hangupOnStar")
    assert (dial.number("timeout", 30), dial.number("timeLimit", 14400)) == (7, 14400)
