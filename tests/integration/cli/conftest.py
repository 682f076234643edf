"""The command line on a real Redis, with a configuration that lacks nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main

Run = Callable[..., Result]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """All but REDIS_URL. The vendors are away."""
    return {
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_ID": "fake-id",
        "ASAPP_API_SECRET": "fake-secret",
        "TRANSCRIPT_WEBHOOK_SECRET": "fake-webhook-secret",
        "AGENT_API_KEYS": "desk:fake-key",
        "ARCHIVE_URL": (tmp_path / "archive").as_uri(),
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """`run(redis_url, "calls", ...)`: a command as in a shell."""

    def invoke(redis_url: str, *arguments: str, **changes: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env={**environment, "REDIS_URL": redis_url, **changes})

    return invoke
