"""Twilio: Security, Validating requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

from orchestrator.twilio.signature import SignatureCheck

TOKEN = "12345"
FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675310",
    "Digits": "1234",
    "From": "+14158675310",
    "To": "+18005551212",
}


def check(base: str = "https://example.com", *tokens: str) -> SignatureCheck:
    return SignatureCheck(base, lambda: tokens or (TOKEN,))


def sign(url: str, form: Any = None, token: str = TOKEN) -> str:
    """As Twilio's own library signs, for forms without repeated fields."""
    return str(RequestValidator(token).compute_signature(url, form or {}))


def test_documented_vector() -> None:
    """The one example of the documentation whose token is known."""
    target = "/myapp.php?foo=1&bar=2"
    items = list(FORM.items())
    signature = "L/OH5YylLD5NRKLltdqwSvS0BnU="
    assert check().is_valid(target, items, signature)
    assert check().is_valid(target, reversed(items), signature)
    assert not check().is_valid(target + "3", items, signature)
    assert not check().is_valid("/myapp.php?bar=2&foo=1", items, signature)
    assert not check().is_valid(target, [*items, ("Extra", "")], signature)
    assert not check().is_valid(target, items[:-1], signature)
    assert not check("http://example.com").is_valid(target, items, signature)
    assert not check("https://example.org").is_valid(target, items, signature)
    assert not check("https://example.com", "54321").is_valid(target, items, signature)


@pytest.mark.parametrize(
    ("base", "signed"),
    [
        ("https://h.example", "https://h.example/a?b=1"),
        ("https://h.example", "https://h.example:443/a?b=1"),
        ("https://h.example:8443", "https://h.example/a?b=1"),
        ("https://h.example:8443", "https://h.example:8443/a?b=1"),
        ("http://h.example:8080", "http://h.example:8080/a?b=1"),
        ("http://h.example:8080", "http://h.example/a?b=1"),
        ("http://h.example", "http://h.example:80/a?b=1"),
        ("http://[::1]:8080", "http://[::1]:8080/a?b=1"),
        ("https://user:fake@h.example:8443", "https://h.example/a?b=1"),
        ("https://h.example/", "https://h.example/a?b=1"),
    ],
)
def test_ports_and_user_names(base: str, signed: str) -> None:
    """Twilio signs with or without the port, never with a user name."""
    assert check(base).is_valid("/a?b=1", FORM.items(), sign(signed, FORM))


def test_path_prefix() -> None:
    """A proxy may take the configured prefix away or leave it; Twilio has used it once."""
    checker = check("https://h.example/pre/")
    signature = sign("https://h.example/pre/twilio/voice?call=x", FORM)
    assert checker.is_valid("/twilio/voice?call=x", FORM.items(), signature)
    assert checker.is_valid("/pre/twilio/voice?call=x", FORM.items(), signature)
    assert not checker.is_valid("/prefix/twilio/voice?call=x", FORM.items(), signature)
    assert not checker.is_valid("/twilio/voice", FORM.items(), sign("https://h.example/twilio/voice", FORM))


def test_rotation() -> None:
    """Any configured token counts, an empty one never does."""
    signature = sign("https://example.com/a", FORM, "new")
    assert check("https://example.com", TOKEN, "new").is_valid("/a", FORM.items(), signature)
    assert not check("https://example.com", TOKEN).is_valid("/a", FORM.items(), signature)
    empty = base64.b64encode(hmac.digest(b"", b"https://example.com/a", "sha1")).decode()
    assert not check("https://example.com", "", TOKEN).is_valid("/a", [], empty)
    assert not SignatureCheck("https://example.com", tuple).is_valid("/a", [], empty)


class _Repeated(dict[str, Any]):
    def getlist(self, name: str) -> list[str]:
        return list(self[name])


def test_repeated_and_empty_fields() -> None:
    """Each different value of a repeated field counts once, in order; the name of an empty one counts."""
    form = _Repeated({"a": ["2", "1", "2"], "b": [""]})
    items = [("a", "2"), ("b", ""), ("a", "1"), ("a", "2")]
    assert check().is_valid("/x", items, sign("https://example.com/x", form))
    assert not check().is_valid("/x", items[:1], sign("https://example.com/x", form))


@pytest.mark.parametrize("signature", [None, "", "x", "L/OH5YylLD5NRKLltdqwSvS0BnU", "ü" * 28, "\ud800"])
def test_no_signature(signature: str | None) -> None:
    """Missing, cut or not even ASCII: not valid, and no error."""
    assert not check().is_valid("/myapp.php?foo=1&bar=2", FORM.items(), signature)


def test_json_body() -> None:
    """The hash of a JSON body is in the query, and the query is signed."""
    body = json.dumps({"a": 1}).encode()
    target = "/a?x=1&bodySHA256=" + hashlib.sha256(body).hexdigest()
    signature = sign("https://example.com" + target)
    assert check().is_valid(target, [], signature, body)
    assert not check().is_valid(target, [], signature, body + b" ")
    assert not check().is_valid("/a", [], sign("https://example.com/a"), body)
    assert not check().is_valid("/a?" + "&" * 100 + "bodySHA256=x", [], signature, body)


def test_trailing_question_mark_and_encoding_count() -> None:
    """The raw target counts, to the last character."""
    for target in ("/a?", "/a%20b?c=%2B", "/A", "/a/", "//a"):
        signature = sign("https://example.com/x").replace("=", "A=")
        good = base64.b64encode(hmac.digest(b"12345", f"https://example.com{target}".encode(), "sha1")).decode()
        assert check().is_valid(target, [], good)
        assert not check().is_valid(target, [], signature)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
ITEMS = st.lists(st.tuples(st.text(), st.text()), max_size=6, unique_by=lambda item: item[0])


@given(ITEMS, st.text(alphabet=st.characters(codec="ascii", exclude_characters="\t\r\n?#[]")))
def test_agrees_with_twilios_library(items: list[tuple[str, str]], path: str) -> None:
    """What Twilio's own library signs is valid."""
    signature = sign(f"https://example.com/{path}", dict(items))
    assert check().is_valid(f"/{path}", items, signature)


@given(
    ANY_TEXT,
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=5),
    st.none() | ANY_TEXT,
    st.none() | st.binary(),
)
def test_never_raises_and_never_believes(
    target: str, items: list[tuple[str, str]], signature: str | None, body: bytes | None
) -> None:
    """Hostile input is not valid, whatever it is."""
    assert check().is_valid(target, items, signature, body) is False
