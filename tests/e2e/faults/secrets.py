"""Secrets as files that change under a running site, and what shows which of them count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests

from orchestrator.emulators.twilio import signature
from tests.e2e.harness import (
    API_KEY,
    API_SECRET,
    ASAPP_ID,
    ASAPP_SECRET,
    AUTH_TOKEN,
    DESKTOP_KEY,
    METRICS_TOKEN,
    NUMBER,
    READ_KEY,
    WEBHOOK_SECRET,
    Site,
)
from tests.e2e.signing import post_signed

SHARED_NAME, SHARED_SECRET = "webhooks_sharedkey_fake", "fake-shared-secret"
PASSWORD = "fake-password"
SINK_SECRET = "whsec_ZmFrZS1zZWNyZXQtb2YtMjQtYnl0ZXMtISE="
_HTTP_S = 10.0
FIRST = {
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_AUTH_TOKEN_SECONDARY": "fake-unused-token",
    "TWILIO_SHARED_KEYS": f"{SHARED_NAME}:{SHARED_SECRET}",
    "TWILIO_API_KEY": API_KEY,
    "TWILIO_API_SECRET": API_SECRET,
    "ASAPP_API_ID": ASAPP_ID,
    "ASAPP_API_SECRET": ASAPP_SECRET,
    "TRANSCRIPT_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "AGENT_API_KEYS": f"desktop:{DESKTOP_KEY},dashboard:{READ_KEY}:read",
    "METRICS_TOKEN": METRICS_TOKEN,
    "CONSOLE_USERS": f"amy:{PASSWORD}",
    "SINK_SECRET": SINK_SECRET,
}


class Files:
    """A folder of secrets, as a platform mounts them: each file is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.put(**FIRST)

    def put(self, **secrets: str) -> None:
        for name, value in secrets.items():
            (self.folder / "new").write_text(value)
            (self.folder / "new").rename(self.folder / name)

    def environment(self) -> dict[str, str]:
        return dict.fromkeys(FIRST, "") | {f"{name}_FILE": str(self.folder / name) for name in FIRST}


@dataclass(frozen=True)
class Held:
    """What one of each kind of client holds."""

    token: str
    shared_secret: str
    key: str
    metrics: str
    password: str

    def answers(self, site: Site) -> dict[str, int]:
        """What the service answers to each."""
        return {
            "Twilio's token": _voice(site, self.token),
            "SharedKey": _voice(site, "", (SHARED_NAME, self.shared_secret)),
            "desktop": _get(site, "/api/v1/calls", self.key),
            "metrics": _get(site, "/metrics", self.metrics),
            "console": sign_in(site, self.password)[0],
        }


WELCOME = {"Twilio's token": 200, "SharedKey": 200, "desktop": 200, "metrics": 200, "console": 303}
REFUSED = {"Twilio's token": 403, "SharedKey": 403, "desktop": 401, "metrics": 401, "console": 401}


def sign_in(site: Site, password: str) -> tuple[int, requests.Session]:
    """The status of the answer, and a browser that keeps the cookie."""
    browser, address = requests.Session(), f"{site.web_url}/console/sign-in"
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(address, timeout=_HTTP_S).text)
    assert found
    form = {"form_token": found[1], "name": "amy", "password": password}
    return browser.post(address, data=form, allow_redirects=False, timeout=_HTTP_S).status_code, browser


def is_signed_in(site: Site, browser: requests.Session) -> bool:
    return browser.get(f"{site.web_url}/console", allow_redirects=False, timeout=_HTTP_S).status_code == HTTPStatus.OK


def _voice(site: Site, token: str, shared_key: tuple[str, str] | None = None) -> int:
    path = "/twilio/voice-fallback"
    form = {"CallSid": "CA" + "d" * 32, "From": "+15555550199", "To": NUMBER, "Direction": "inbound"}
    if shared_key is None:
        return post_signed(site, path, form, token=token).status_code
    url = f"{site.web_url}{path}"
    headers = signature.headers(token, shared_key, url, form)
    return requests.post(url, data=form, headers=headers, timeout=_HTTP_S).status_code


def _get(site: Site, path: str, bearer: str) -> int:
    headers = {"Authorization": f"Bearer {bearer}"}
    return requests.get(f"{site.web_url}{path}", headers=headers, timeout=_HTTP_S).status_code
