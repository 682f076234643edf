"""The environment of a web process whose console amy may use, and nobody else calls."""

from __future__ import annotations

import os
from pathlib import Path

ASAPP_ID, ASAPP_SECRET = "fake-id", "fake-secret"


def environment(folder: Path, redis_url: str, port: int) -> dict[str, str]:
    profiles = folder / "profiles.toml"
    profiles.write_text('[default]\nroute = "conference"\n')
    return {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "REDIS_URL": redis_url,
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "TWILIO_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_BASE_URL": "http://127.0.0.1:1",
        "ASAPP_API_ID": ASAPP_ID,
        "ASAPP_API_SECRET": ASAPP_SECRET,
        "TRANSCRIPT_WEBHOOK_SECRET": "fake-webhook",
        "CONSOLE_USERS": "amy:fake-password",
        "ORCHESTRATOR_CONFIG": str(profiles),
        "LOG_FORMAT": "json",
    }
