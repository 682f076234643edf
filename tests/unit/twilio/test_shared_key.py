"""Twilio's webhooks signed with a SharedKey: the same text, another key, HMAC-SHA256; never a way around the rest."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

from orchestrator.twilio.signature import SignatureCheck

TOKEN, SECRET, NEXT = "fake-token", "fake-shared-secret", "fake-next-secret"
KEY, NEXT_KEY = "webhooks_sharedkey_fake1", "webhooks_sharedkey_fake2"
NAMED = f"key={KEY},algorithm=HMAC_SHA256"
FORM = {"CallSid": "CA" + "1" * 32, "From": "+15555550101"}


def check(*, is_shared_key_wanted: bool = False) -> SignatureCheck:
    return SignatureCheck(
        "https://example.com",
        lambda: (TOKEN,),
        lambda: ((KEY, SECRET), (NEXT_KEY, NEXT), ("webhooks_sharedkey_empty", "")),
        is_shared_key_wanted=is_shared_key_wanted,
    )


def sign(secret: str, algorithm: str) -> str:
    """As Twilio's own library signs."""
    return str(RequestValidator(secret).compute_signature("https://example.com/a?b=1", FORM, algorithm))


def is_valid(signature: str, named: str | None, *, checker: SignatureCheck | None = None) -> bool:
    return (checker or check()).is_valid("/a?b=1", FORM.items(), signature, named=named)


@pytest.mark.parametrize(
    ("secret", "named"),
    [
        (SECRET, NAMED),
        (SECRET, f" algorithm=HMAC_SHA256 , key={KEY} "),
        (NEXT, f"key={NEXT_KEY},algorithm=HMAC_SHA256"),
    ],
)
def test_a_request_signed_with_a_configured_shared_key_counts(secret: str, named: str) -> None:
    """Each of the configured keys by its name, so that two are valid during a rotation."""
    assert is_valid(sign(secret, "HMAC_SHA256"), named)
    assert is_valid(sign(secret, "HMAC_SHA256"), named, checker=check(is_shared_key_wanted=True))


@pytest.mark.parametrize(
    ("secret", "algorithm", "named"),
    [
        (TOKEN, "HMAC_SHA1", NAMED),
        (TOKEN, "HMAC_SHA256", NAMED),
        (SECRET, "HMAC_SHA1", NAMED),
        (SECRET, "HMAC_SHA1", f"key={KEY},algorithm=HMAC_SHA1"),
        (TOKEN, "HMAC_SHA1", f"key={KEY},algorithm=HMAC_SHA1"),
        (TOKEN, "HMAC_SHA1", "algorithm=HMAC_SHA1"),
        (TOKEN, "HMAC_SHA1", f"key={KEY}"),
        (TOKEN, "HMAC_SHA1", "nonsense"),
        (NEXT, "HMAC_SHA256", NAMED),
        (SECRET, "HMAC_SHA256", "key=webhooks_sharedkey_unknown,algorithm=HMAC_SHA256"),
        (SECRET, "HMAC_SHA256", "algorithm=HMAC_SHA256"),
        (SECRET, "HMAC_SHA256", f"key={KEY},algorithm=HMAC_MD5"),
        (SECRET, "HMAC_SHA256", None),
        (TOKEN, "HMAC_SHA256", None),
    ],
)
def test_the_header_opens_no_other_way(secret: str, algorithm: str, named: str | None) -> None:
    """Who names a SharedKey is judged by it alone: no fall back to the token, to SHA-1 or to another key."""
    assert not is_valid(sign(secret, algorithm), named)


def test_an_empty_secret_never_counts() -> None:
    """Anybody could sign with it."""
    assert not is_valid(sign("", "HMAC_SHA256"), "key=webhooks_sharedkey_empty,algorithm=HMAC_SHA256")


def test_the_token_signs_beside_shared_keys_until_only_they_are_wanted() -> None:
    """Products that do not sign with the SharedKey yet go on with the token; a site may refuse those."""
    classic = sign(TOKEN, "HMAC_SHA1")
    assert is_valid(classic, None)
    assert is_valid(classic, "")
    assert not is_valid(classic, None, checker=check(is_shared_key_wanted=True))
    assert not is_valid(classic, "", checker=check(is_shared_key_wanted=True))
