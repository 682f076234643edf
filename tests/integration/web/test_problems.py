"""What a refusal or a failure tells: the log the cause, the answer nothing about our inside."""

from __future__ import annotations

import pytest

from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site


@pytest.mark.parametrize(
    ("path", "form", "signature", "told"),
    [
        ("voice", {"CallSid": CALL}, "forged", ("forbidden", "X-Twilio-Signature")),
        ("voice", {"CallSid": CALL}, "", ("forbidden", "X-Twilio-Signature")),
        ("call-status", {"CallSid": CALL, "Padding": "x" * 70_000}, "forged", ("forbidden", "body")),
        ("call-status", {"CallSid": "canary"}, None, ("malformed-request", "CallSid")),
        ("stream-status?call=canary", {"CallSid": CALL}, None, ("malformed-request", "call")),
        ("call-status?device=canary", {"CallSid": CALL}, None, ("malformed-request", "device")),
    ],
)
def test_a_refusal_of_twilio_is_told_once(
    site: Site,
    capsys: pytest.CaptureFixture[str],
    path: str,
    form: dict[str, str],
    signature: str | None,
    told: tuple[str, str],
) -> None:
    """One warning that names error and field, and no value."""
    capsys.readouterr()
    assert site.twilio(path, form, signature=signature).status_code in {400, 403}
    output = "".join(capsys.readouterr())
    (line,) = [each for each in output.splitlines() if "request refused" in each]
    assert all(word in line for word in told)
    assert "canary" not in line
    assert CALL not in line


def test_a_failure_of_the_store_is_told_without_its_address(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """A constant title: neither host nor port of Redis."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    answer = site.api("GET", f"/calls/{CALL}")
    assert answer.get_json() == {"type": "store-unavailable", "title": "The store cannot be reached", "status": 503}
