"""What a refusal or a failure tells: the log the cause, the answer nothing about our inside."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

from orchestrator import log
from tests.integration.conftest import RedisServer
from tests.integration.web.site import BASE, CALL, TOKEN, MakeSettings, Site, Vendor, open_site


@pytest.fixture
def told_log() -> Iterator[io.StringIO]:
    """What the process logs; logging is one for the process, so whatever another test set is replaced and put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("json", "info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


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
    told_log: io.StringIO,
    path: str,
    form: dict[str, str],
    signature: str | None,
    told: tuple[str, str],
) -> None:
    """One warning that names error and field, and no value."""
    assert site.twilio(path, form, signature=signature).status_code in {400, 403}
    (line,) = [each for each in told_log.getvalue().splitlines() if "request refused" in each]
    assert all(word in line for word in told)
    assert "canary" not in line
    assert CALL not in line.replace(f'"call_sid": "{CALL}"', "")


def test_the_lines_of_a_signed_request_carry_its_call(site: Site, told_log: io.StringIO) -> None:
    """Once Twilio's signature was checked, and not those of the next request."""
    assert site.twilio("stream-status?call=canary", {"CallSid": CALL}).status_code == 400
    assert site.twilio("stream-status", {"CallSid": CALL}, signature="forged").status_code == 403
    lines = [json.loads(line) for line in told_log.getvalue().splitlines() if "request refused" in line]
    assert [(line["endpoint"], line.get("call_sid")) for line in lines] == [
        ("callbacks.stream_status", CALL),
        ("callbacks.stream_status", None),
    ]


def test_a_failure_of_the_store_is_told_without_its_address(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """A constant title: neither host nor port of Redis."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    answer = site.api("GET", f"/calls/{CALL}")
    assert answer.get_json() == {"type": "store-unavailable", "title": "The store cannot be reached", "status": 503}


def test_a_request_that_twilio_signed_for_another_url_is_told_with_its_cure(site: Site, told_log: io.StringIO) -> None:
    """In the log and on /readyz, without what was expected; Redis is not asked."""
    form = {"CallSid": CALL, "AccountSid": "AC" + "0" * 32}
    url = f"http://{BASE.partition('://')[2]}/twilio/voice"
    signed = RequestValidator(TOKEN).compute_signature(url, form)
    expected = RequestValidator(TOKEN).compute_signature(f"{BASE}/twilio/voice", form)
    before = site.services.redis.execute_command("INFO", "stats")["total_commands_processed"]
    assert site.twilio("voice", form, signature=signed).status_code == 403
    assert site.services.redis.execute_command("INFO", "stats")["total_commands_processed"] == before + 1
    (line,) = [json.loads(each) for each in told_log.getvalue().splitlines() if "request refused" in each]
    assert line["differs"] == ["scheme"]
    assert line["signed_url"] == url
    assert "PUBLIC_BASE_URL" in line["cure"]
    page = site.client.get("/readyz")
    told = next(each for each in map(json.loads, page.text.splitlines()) if each["dependency"] == "webhooks")
    assert told["problem"] == "twilio-refused"
    assert told["cure"] == line["cure"]
    assert expected not in page.text + told_log.getvalue()


def test_a_request_of_another_account_is_told(site: Site, told_log: io.StringIO) -> None:
    """No variant of the URL fits; the account that the request names is not ours."""
    form = {"CallSid": CALL, "AccountSid": "AC" + "9" * 32}
    signed = RequestValidator("another-token").compute_signature(f"{BASE}/twilio/voice", form)
    assert site.twilio("voice", form, signature=signed).status_code == 403
    (line,) = [json.loads(each) for each in told_log.getvalue().splitlines() if "request refused" in each]
    assert line["is_other_account"] is True
    told = map(json.loads, site.client.get("/readyz").text.splitlines())
    assert next(each for each in told if each["dependency"] == "webhooks").get("problem") is None
