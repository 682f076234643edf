"""After a refusal: which URL Twilio signed instead, and what to change."""

from __future__ import annotations

import pytest

from orchestrator.twilio.mismatch import Mismatch, Mismatches, Refused, explain
from orchestrator.twilio.signature import SignatureCheck, sign

TOKEN = "fake-token"
ITEMS = [("CallSid", "CA" + "0" * 32), ("From", "+15555550101")]
BASE = "https://calls.example.com"
SET = "set PUBLIC_BASE_URL to {}, or give Twilio URLs that begin with PUBLIC_BASE_URL"


def look(signed: str, *, base: str = BASE, target: str = "/twilio/voice?call=1", host: str = "") -> Mismatch | None:
    check = SignatureCheck(base, lambda: (TOKEN,))
    return explain(check, Refused(target, ITEMS, sign(TOKEN, signed, ITEMS), hosts=[host] if host else []))


@pytest.mark.parametrize(
    ("signed", "more", "differs", "cure"),
    [
        ("http://calls.example.com/twilio/voice?call=1", {}, "scheme", SET.format("http://calls.example.com")),
        (
            "https://www.example.com/twilio/voice?call=1",
            {"host": "www.example.com:8443"},
            "host",
            SET.format("https://www.example.com"),
        ),
        (
            "http://localhost:8000/twilio/voice?call=1",
            {"host": "localhost:8000"},
            "scheme host port",
            SET.format("http://localhost:8000"),
        ),
        (
            "http://localhost/twilio/voice?call=1",
            {"base": "http://localhost:8000", "host": "elsewhere"},
            "port",
            SET.format("http://localhost"),
        ),
        (
            "https://calls.example.com/twilio/voice?call=1",
            {"base": "https://calls.example.com/calls"},
            "path",
            SET.format(BASE),
        ),
        (
            "https://calls.example.com/twilio/voice/?call=1",
            {},
            "slash",
            "take the slash at the end off the URL at Twilio, or let the proxy in front leave paths as they are",
        ),
        (
            "https://calls.example.com/twilio/voice",
            {},
            "query",
            "let the proxy in front leave the query as it is",
        ),
    ],
)
def test_the_variant_that_fits_is_told(signed: str, more: dict[str, str], differs: str, cure: str) -> None:
    """With what differs and the setting to change."""
    found = look(signed, **more)
    assert found is not None
    assert found.differs == tuple(differs.split())
    assert found.signed_url == signed.partition("?")[0]
    assert found.cure == cure


@pytest.mark.parametrize("signed", ["https://other.example/twilio/voice?call=1", "https://calls.example.com/else"])
def test_what_fits_no_variant_is_not_guessed_at(signed: str) -> None:
    """A host by which nobody asked, another endpoint: perhaps it is not Twilio's."""
    assert look(signed, host="www.example.com") is None


def test_another_token_fits_nothing() -> None:
    """Only whoever knows the token is told about."""
    check = SignatureCheck(BASE, lambda: (TOKEN,))
    forged = sign("another", "http://calls.example.com/twilio/voice", ITEMS)
    assert explain(check, Refused("/twilio/voice", ITEMS, forged)) is None


def test_what_was_expected_is_never_told() -> None:
    """Neither the signature of the URL that counts nor the token."""
    found = look("http://calls.example.com/twilio/voice?call=1")
    told = f"{found} {found!r}"
    assert sign(TOKEN, "https://calls.example.com/twilio/voice?call=1", ITEMS) not in told
    assert TOKEN not in told


def test_odd_requests_are_not_looked_at() -> None:
    """A signature of another length, a large form, a host that is none."""
    check = SignatureCheck(BASE, lambda: (TOKEN,))
    url = "http://calls.example.com/twilio/voice"
    large = [*ITEMS, ("More", "x" * 20_000)]
    assert explain(check, Refused("/twilio/voice", ITEMS, "short")) is None
    assert explain(check, Refused("/twilio/voice", large, sign(TOKEN, url, large))) is None
    evil = "http://evil.example/<x>/twilio/voice"
    assert explain(check, Refused("/twilio/voice", ITEMS, sign(TOKEN, evil, ITEMS), hosts=["evil.example/<x>"])) is None


def test_one_refusal_in_a_second_is_looked_at() -> None:
    """However many come; the latest that was Twilio's is remembered with its age."""
    clock = [0.0]
    mismatches = Mismatches(SignatureCheck(BASE, lambda: (TOKEN,)), now=lambda: clock[0])
    genuine = Refused("/twilio/voice", ITEMS, sign(TOKEN, "http://calls.example.com/twilio/voice", ITEMS))
    forged = Refused("/twilio/voice", ITEMS, "A" * 28)
    assert mismatches.latest() is None
    assert mismatches.look(genuine) is not None
    clock[0] = 0.9
    assert mismatches.look(genuine) is None
    clock[0] = 1.1
    assert mismatches.look(forged) is None
    latest = mismatches.latest()
    assert latest is not None
    assert latest[0] == pytest.approx(1.1)
    assert latest[1].differs == ("scheme",)
