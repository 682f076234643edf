"""The whole web application on a real Redis, and a vendor that records what it is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.settings import Settings
from tests.integration.conftest import RedisServer
from tests.integration.web.site import BASE, PROFILES, TOKEN, MakeSettings, Site, Vendor, open_site
from tests.loopback import Handler as Answering
from tests.loopback import Loopback
from tests.ports import free_port


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[Vendor]:
    served = Vendor()

    class Handler(Answering):
        def answer(self) -> None:
            body = self.body()
            served.requests.append((self.path, json.loads(body) if body else {}))
            one = {"streamId": "fake-stream", "status": {"code": 1000, "description": "OK"}}
            told = {
                "isOk": True,
                "autotranscribeResponse": {"customer": one, "agent": one},
                "streamingUrl": "wss://media.asapp.example/fake-path",
            }
            self.send(200, json.dumps(told).encode())

    with Loopback(Handler) as server:
        served.url = server.url
        yield served


@pytest.fixture
def vendor(vendor_server: Vendor) -> Vendor:
    vendor_server.requests.clear()
    return vendor_server


@pytest.fixture
def make_settings(vendor: Vendor, tmp_path: Path) -> MakeSettings:
    def make(redis_url: str, **changes: str) -> Settings:
        path = tmp_path / "profiles.toml"
        path.write_text(PROFILES)
        return Settings.from_environment(
            {
                "REDIS_URL": redis_url,
                "PUBLIC_BASE_URL": BASE,
                "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
                "TWILIO_AUTH_TOKEN": TOKEN,
                "TWILIO_API_BASE_URL": vendor.url,
                "ASAPP_API_BASE_URL": vendor.url,
                "ASAPP_API_ID": "fake-id",
                "ASAPP_API_SECRET": "fake-secret",
                "TRANSCRIPT_WEBHOOK_SECRET": "fake-old, fake-new",
                "AGENT_API_KEYS": "desk:fake-key,board:fake-reader:read",
                "AGENT_API_ORIGINS": "https://desk.example",
                "METRICS_TOKEN": "fake-metrics",
                "ORCHESTRATOR_CONFIG": str(path),
                **changes,
            }
        )

    return make


@pytest.fixture
def site(redis: object, redis_server: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Iterator[Site]:
    del redis  # empties the server
    site = open_site(make_settings(redis_server.url), vendor)
    yield site
    site.services.close()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "profiles.toml"
    path.write_text(PROFILES)
    return {
        "PATH": os.environ["PATH"],
        "PORT": str(free_port()),
        "WEB_CONCURRENCY": "1",
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-canary-token",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_ID": "fake-canary-id",
        "ASAPP_API_SECRET": "fake-canary-secret",
        "AGENT_API_KEYS": "desk:fake-canary-key",
        "ORCHESTRATOR_CONFIG": str(path),
        "LOG_FORMAT": "json",
    }
