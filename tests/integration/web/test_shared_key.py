"""Webhooks signed with a SharedKey, over the whole application."""

from __future__ import annotations

from urllib.parse import urlencode

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed
from werkzeug.test import TestResponse

from tests.integration.conftest import RedisServer
from tests.integration.web.site import BASE, CALL, TOKEN, MakeSettings, Site, Vendor, open_site

KEY, SECRET = "webhooks_sharedkey_fake", "fake-shared-secret"
FORM = {"CallSid": CALL, "From": "+15555550101", "To": "+15555550100", "Direction": "inbound"}


def fetch(site: Site, secret: str, algorithm: str, *, named: bool) -> TestResponse:
    signature = RequestValidator(secret).compute_signature(f"{BASE}/twilio/voice", FORM, algorithm)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    if named:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key={KEY},algorithm=HMAC_SHA256"
    return site.client.post("/twilio/voice", data=urlencode(FORM), headers=headers)


def test_a_shared_key_is_judged_by_itself(
    redis: object, redis_server: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """200 for what it signed, 403 for the token's signature under its name; the token alone may be refused."""
    del redis  # empties the server
    for wanted, classic in (("any", 200), ("shared-key", 403)):
        shared = {"TWILIO_SHARED_KEYS": f"{KEY}:{SECRET}", "TWILIO_SIGNATURES": wanted}
        site = open_site(make_settings(redis_server.url, **shared), vendor)
        assert fetch(site, SECRET, "HMAC_SHA256", named=True).status_code == 200
        assert fetch(site, TOKEN, "HMAC_SHA1", named=True).status_code == 403
        assert fetch(site, SECRET, "HMAC_SHA256", named=False).status_code == 403
        assert fetch(site, TOKEN, "HMAC_SHA1", named=False).status_code == classic
        site.services.close()
