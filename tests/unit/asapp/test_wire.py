"""ASAPP's transcript messages, as documented and beyond, become ours or a WireError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.asapp.wire import UnknownType, WireError, stored_messages, transcript_message

CALL = "CA" + "0" * 31 + "1"


def message(utterance: Any = None, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "transcript",
        "externalConversationId": CALL,
        "streamId": "aaaa-1",
        "sender": {"externalId": "cust-7", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 1200,
            "end": 2480,
            "utterance": [{"text": "My PIN is ####."}] if utterance is None else utterance,
        },
    }
    return body | changes


def parsed(body: Any) -> Any:
    return transcript_message(json.dumps(body).encode())


def test_documented_message() -> None:
    """ASAPP: Real-time transcript message."""
    got = parsed(message())
    assert (got.call_sid, got.stream_id, got.role, got.sender_id) == (CALL, "aaaa-1", "customer", "cust-7")
    assert (got.start_ms, got.end_ms, got.text, got.extras) == (1200, 2480, "My PIN is ####.", {})
    assert "PIN" not in repr(got)


def test_unknown_fields_are_kept() -> None:
    """What this service does not know is kept as it came."""
    body = message(isPartial=False)
    body["autotranscribeResponse"]["confidence"] = 0.5
    assert parsed(body).extras == {"isPartial": False, "autotranscribeResponse": {"confidence": 0.5}}


TOKENS = [
    {"content": "Hello", "start": 0, "end": 10, "punctuationAfter": ","},
    {"content": "you", "start": 12, "end": 20, "punctuationBefore": "(", "punctuationAfter": ")"},
]


@pytest.mark.parametrize(
    "utterance",
    [
        [{"tokens": TOKENS}],
        [{"token": TOKENS}],
        [{"token": TOKENS[0]}, {"token": TOKENS[1]}],
        TOKENS,
        {"tokens": TOKENS},
        [{"text": "Hello, (you)", "tokens": TOKENS}],
        [{"tokens": TOKENS}, {"text": "Hello, (you)"}],
    ],
)
def test_detailed_tokens_in_any_shape(utterance: Any) -> None:
    """The nesting of detailed tokens is not documented: text first, else the words; all of it is kept."""
    got = parsed(message(utterance))
    assert got.text == "Hello, (you)"
    assert got.extras["utterance"] == utterance


def test_both_redactions_give_the_first_text() -> None:
    """Two alternatives: the first is shown, both are kept."""
    got = parsed(message([{"text": "#### "}, {"text": "1234"}]))
    assert got.text == "#### "
    assert len(got.extras["utterance"]) == 2


def test_an_end_before_the_start_is_kept_as_it_came() -> None:
    """Some pages call `end` a length; whether it is one is decided over all messages of a call."""
    body = message()
    body["autotranscribeResponse"]["end"] = 900
    assert (parsed(body).start_ms, parsed(body).end_ms) == (1200, 900)


def test_empty_text_is_an_utterance() -> None:
    """An utterance may be empty; it is still counted."""
    assert parsed(message([{"text": ""}])).text == ""


def test_unknown_type() -> None:
    """Another type is told apart from a broken message."""
    with pytest.raises(UnknownType):
        parsed({"type": "call-started"})


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"type": 5},
        message(externalConversationId=None),
        message(externalConversationId=""),
        message(sender=None),
        message(sender={"role": "robot"}),
        message(autotranscribeResponse=None),
        message(autotranscribeResponse={"start": "0", "end": 1, "utterance": [{"text": "x"}]}),
        message(autotranscribeResponse={"start": -1, "end": 1, "utterance": [{"text": "x"}]}),
        message(autotranscribeResponse={"start": True, "end": 1, "utterance": [{"text": "x"}]}),
        message(autotranscribeResponse={"start": 0, "end": 1e300, "utterance": [{"text": "x"}]}),
        message([]),
        message("text"),
        message([5]),
        message([{"text": 5}]),
        message([{"tokens": [5]}]),
    ],
)
def test_not_the_format(body: Any) -> None:
    """What is not the format raises, and quotes nothing that was said."""
    with pytest.raises(WireError) as caught:
        parsed(body)
    assert not isinstance(caught.value, UnknownType)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(st.binary() | JSON.map(lambda body: json.dumps(body).encode()))
def test_any_body_parses_or_raises_a_wire_error(body: bytes) -> None:
    """Nothing but WireError comes out of any body."""
    for parse in (transcript_message, stored_messages):
        with pytest.raises(WireError):
            parse(body)


@given(st.sampled_from(["sender", "autotranscribeResponse", "streamId"]), JSON, JSON)
def test_any_field_parses_or_raises_a_wire_error(field: str, value: Any, utterance: Any) -> None:
    """The same with the documented frame around it."""
    try:
        got = parsed(message(utterance, **{field: value}))
    except WireError:
        return
    assert isinstance(got.text, str)


ITEM = {
    "text": "hi",
    "sender": {"role": "system", "externalId": None},
    "messageId": "01ABC",
    "createdTimestamp": "2026-01-02T03:04:05.123456789012Z",
    "clientTimestamp": "2026-01-02T05:04:05+02:00",
}


def items(*some: Any) -> Any:
    return stored_messages(json.dumps({"items": some}).encode())


def test_stored_message() -> None:
    """ASAPP: Messages by external id; times with offsets and long fractions, a sender without id."""
    (got,) = items(ITEM)
    assert (got.message_id, got.role, got.sender_id, got.text) == ("01ABC", "system", "", "hi")
    assert got.sent_at == 1767323045000
    assert got.created_at == 1767323045123


def test_a_stored_message_may_be_empty() -> None:
    """As a real-time message may; it must not take the whole list with it."""
    assert [each.text for each in items(ITEM, ITEM | {"text": ""})] == ["hi", ""]


def test_older_stored_message() -> None:
    """An older edition has one `timestamp`; without a zone it is UTC."""
    older = {name: ITEM[name] for name in ("text", "sender", "messageId")} | {"timestamp": "2026-01-02T03:04:05"}
    (got,) = items(older)
    assert got.sent_at == got.created_at == 1767323045000


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"text": 5},
        {"messageId": None},
        {"sender": {}},
        {"clientTimestamp": "soon"},
        {"clientTimestamp": 5},
    ],
)
def test_a_broken_item_fails_the_list(change: dict[str, Any]) -> None:
    """A hole in the list must not go unseen."""
    with pytest.raises(WireError):
        items(ITEM, ITEM | change)
