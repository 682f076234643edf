"""The site under test and its callers, for this folder's fixtures and tests."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

from flask import Flask
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from orchestrator.profiles import parse
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.web import create_app

BASE = "https://calls.example.com"
TOKEN = "fake-twilio-token"
CALL = "CA" + "a" * 32
PROFILES = """
[default]
route = "conference"
survey_url = "https://survey.example/start"
agent_identities = ["client:agent-*", "sip:*@desk.example"]
outbound_caller_id = "+15555550100"
outbound_allow = ["+1555555*"]

[[profile]]
to = "+15555550102"
route = "dial:+15555550177"
no_agent_route = "dial:+15555550188"
"""


@dataclass
class Vendor:
    """Both vendors in one: answers ASAPP's shape of success, and remembers every request."""

    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


MakeSettings = Callable[..., Settings]


@dataclass
class Site:
    """A running application and its callers."""

    app: Flask
    services: Services
    client: FlaskClient
    vendor: Vendor

    def twilio(
        self, path: str, form: dict[str, str] | list[tuple[str, str]], *, signature: str | None = None
    ) -> TestResponse:
        """A callback, signed as Twilio signs it unless another signature is given."""
        items = form if isinstance(form, list) else list(form.items())
        signed = RequestValidator(TOKEN).compute_signature(f"{BASE}/twilio/{path}", MultiDict(items))
        return self.client.post(
            f"/twilio/{path}",
            data=urlencode(items),
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": signed if signature is None else signature},
        )

    def twilio_raw(self, path: str, form: bytes) -> TestResponse:
        """The same for a body in bytes of any kind, each field once; signed over those bytes."""
        pairs = sorted(
            (name, unquote_to_bytes(value)) for name, _, value in (p.partition(b"=") for p in form.split(b"&"))
        )
        text = f"{BASE}/twilio/{path}".encode() + b"".join(name + value for name, value in pairs)
        signature = base64.b64encode(hmac.digest(TOKEN.encode(), text, "sha1")).decode()
        return self.client.post(
            f"/twilio/{path}",
            data=form,
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": signature},
        )

    def api(self, method: str, path: str, *, key: str | None = "fake-key", **options: Any) -> TestResponse:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def report(self, sid: str, query: str = "", **body: object) -> TestResponse:
        return self.api("POST", f"/calls/{sid}/events{query}", json=body)

    def arrive(self, call_sid: str = CALL, called: str = "+15555550100", **fields: str) -> TestResponse:
        return self.twilio(
            "voice",
            {
                "CallSid": call_sid,
                "AccountSid": "AC" + "0" * 32,
                "From": "+15555550101",
                "To": called,
                "CallStatus": "ringing",
                "Direction": "inbound",
                "ApiVersion": "2010-04-01",
                **fields,
            },
        )


def open_site(settings: Settings, vendor: Vendor) -> Site:
    services = replace(build(settings), profiles=parse(PROFILES))
    app = create_app(services=services)
    return Site(app, services, app.test_client(), vendor)
