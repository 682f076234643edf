"""Transcripts, the list of messages, tokens: shapes and their switches."""

import random
from typing import Any

import pytest

from orchestrator.emulators.asapp.calls import Call, Session, Spoken, Stream
from orchestrator.emulators.asapp.clock import Clock
from orchestrator.emulators.asapp.conversations import listed, message
from orchestrator.emulators.asapp.hearing import Utterance, Word
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.tokens import StreamTokens
from orchestrator.emulators.asapp.transcripts import bodies
from orchestrator.emulators.asapp.wire import Refusal, StartRequest, TranscribeParams
from orchestrator.emulators.audio import Kind

NOW = 1_700_000_000.0


async def _close(_code: int) -> None:
    """Close nothing: these streams have no socket."""


def given_spoken(text: str = "pin 12", **params: Any) -> Spoken:
    request = StartRequest(
        namespace="twilio",
        guid="CA1",
        customer_id="cust",
        agent_id="amy",
        autotranscribe_params=TranscribeParams(**params),
    )
    session = Session(request, NOW, {"customer": "s-1", "agent": "s-2"}, [], {})
    words = [Word(word, 100 + 300 * place, 400 + 300 * place) for place, word in enumerate(text.split())]
    return Spoken(session, "customer", Utterance(Kind.CUSTOMER_SPEECH, tuple(words)))


def utterance(spoken: Spoken, speed: float = 1, **switches: str) -> list[Any]:
    chosen = Switches({name.replace("_", "-"): value for name, value in switches.items()})
    made: list[Any] = bodies(Call("CA1"), spoken, chosen, Clock(speed))
    return [body["autotranscribeResponse"] for body in made]


def given_ended_call(count: int) -> Call:
    source = random.Random(1)  # noqa: S311 - ids of a test
    stream = Stream("MZa", None, ("inbound",), NOW, _close, closed_at=NOW + 100)
    call = Call("CA1", [stream])
    call.messages = [
        message(given_spoken(f"word {place}", redaction_output="unredacted"), NOW + place, source)
        for place in range(count)
    ]
    return call


def texts(call: Call | None, after_s: float = 130, **switches: str) -> list[Any]:
    chosen = Switches({name.replace("_", "-"): value for name, value in switches.items()})
    answer: Any = listed(call, NOW + after_s, chosen, 1.0)
    return [item["text"] for item in answer["items"]]


def test_digits_are_masked_unless_unredacted() -> None:
    """The default output is redacted."""
    assert utterance(given_spoken())[0]["utterance"] == [{"text": "pin ##"}]
    assert utterance(given_spoken(redaction_output="unredacted"))[0]["utterance"] == [{"text": "pin 12"}]


def test_both_redactions_come_in_one_of_three_shapes() -> None:
    """Two entries, two messages, or one entry with another key."""
    spoken = given_spoken(redaction_output="redacted_and_unredacted")
    entries = [{"text": "pin ##"}, {"text": "pin 12"}]
    assert [each["utterance"] for each in utterance(spoken)] == [entries]
    two = utterance(spoken, both_redactions_form="two-messages")
    assert [each["utterance"] for each in two] == [[entry] for entry in entries]
    (one,) = utterance(spoken, both_redactions_form="extra-key")
    assert one["utterance"] == [{"text": "pin ##", "unredactedText": "pin 12"}]


def test_an_end_may_be_counted_from_the_utterance() -> None:
    """ASAPP's pages disagree; the default counts from the stream's start."""
    assert [(each["start"], each["end"]) for each in utterance(given_spoken())] == [(100, 700)]
    (other,) = utterance(given_spoken(), utterance_end="utterance-start")
    assert (other["start"], other["end"]) == (100, 600)


def test_offsets_fit_the_clock_of_who_receives_them() -> None:
    """Audio of 700 ms that passes four times as fast ends after 175 ms."""
    spoken = given_spoken("hi you", detailed_token=True, redaction_output="unredacted")
    (told,) = utterance(spoken, speed=4)
    assert (told["start"], told["end"]) == (25, 175)
    assert [(each["start"], each["end"]) for each in told["utterance"][0]["token"]] == [(25, 100), (100, 175)]


def test_detailed_tokens_stand_where_the_switch_says() -> None:
    """Each word has its own times, in one of several places."""
    spoken = given_spoken("hi you", detailed_token=True, redaction_output="unredacted")
    tokens = [{"content": "hi", "start": 100, "end": 400}, {"content": "you", "start": 400, "end": 700}]
    for form, expected in [
        ("token", [{"text": "hi you", "token": tokens}]),
        ("tokens", [{"text": "hi you", "tokens": tokens}]),
        ("elements", [{"text": "hi you"}, *[{"token": token} for token in tokens]]),
        ("none", [{"text": "hi you"}]),
    ]:
        assert utterance(spoken, detailed_token_form=form)[0]["utterance"] == expected


def test_the_list_is_capped() -> None:
    """Of a longer call the first or the last 1,000 messages are listed."""
    call = given_ended_call(1005)
    first, last = texts(call), texts(call, messages_kept="last")
    assert (len(first), first[0], len(last), last[-1]) == (1000, "word 0", 1000, "word 1004")


def test_the_list_before_the_conversation_is_complete() -> None:
    """By switch it is partial, empty, or not found."""
    call = given_ended_call(8)
    assert len(texts(call, 129)) == 6
    assert texts(call, 129, messages_before_complete="empty") == []
    with pytest.raises(Refusal):
        texts(call, 129, messages_before_complete="404")
    assert len(texts(call, 130)) == 8


def test_the_list_of_an_unknown_or_expired_call() -> None:
    """Nothing is there after 7 days; by switch that is 404 or an empty list."""
    call = given_ended_call(1)
    assert texts(call, 100 + 7 * 86400) == ["word 0"]
    for gone, after_s in [(call, 101 + 7 * 86400), (None, 0)]:
        assert texts(gone, after_s, messages_unknown="empty") == []
        with pytest.raises(Refusal) as refused:
            texts(gone, after_s)
        assert refused.value.status == 404


def test_message_fields_vary() -> None:
    """The sender's id may be null or absent, and the two timestamps one; ids are like ULIDs."""
    switches = Switches({"messages-external-id": "null", "messages-timestamps": "one"})
    answer: Any = listed(given_ended_call(1), NOW + 130, switches, 1.0)
    (item,) = answer["items"]
    assert item["sender"] == {"role": "customer", "externalId": None}
    assert item["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert len(item["messageId"]) == 26
    assert item["messageId"].isalnum()
    assert item["messageId"].isupper()


def test_a_token_is_good_for_its_life_only() -> None:
    """Expiry, another key and a changed token are all bad; a restart with the same secret is not."""
    tokens = StreamTokens("fake")
    token = tokens.issue(NOW, 300)
    assert token.count(".") == 2
    assert StreamTokens("fake").is_good(token, NOW + 299)
    assert not tokens.is_good(token, NOW + 300)
    assert not StreamTokens("other").is_good(token, NOW)
    for wrong in ["", "..", "é.b.c", token[:-1], token + "x", token.replace(".", "", 1)]:
        assert not tokens.is_good(wrong, NOW)
