"""Signatures of webhooks and upgrades."""

import pytest

from orchestrator.emulators.twilio.signature import sign, signed_url


def test_the_published_vector_is_reproduced() -> None:
    """The vendor's documented example, signed with a known token."""
    params = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    assert sign("12345", "https://example.com/myapp.php?foo=1&bar=2", params) == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@pytest.mark.parametrize(
    ("requested", "signed"),
    [
        ("https://user:pw@example.com:8443/a?b=c#rc=3", "https://example.com/a?b=c"),
        ("http://example.com:8080/a#rc=3", "http://example.com:8080/a"),
        ("wss://127.0.0.1:9443/media/x", "wss://127.0.0.1/media/x"),
    ],
)
def test_the_signed_url_has_no_user_no_fragment_and_no_tls_port(requested: str, signed: str) -> None:
    """User information and fragment are never signed, the port only without TLS."""
    assert signed_url(requested) == signed


def test_an_empty_value_is_signed_by_its_name() -> None:
    """A parameter without a value still counts."""
    assert sign("t", "https://example.com/", {"A": ""}) != sign("t", "https://example.com/", {})
