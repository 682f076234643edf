"""`orchestrator doctor` tells what a site would miss; for a release it wants what the processes want."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main

GOOD = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_BASE_URL": "https://calls.example.com",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake-token",
    "ASAPP_API_ID": "fake-id",
    "ASAPP_API_SECRET": "fake-secret",
    "TRANSCRIPT_WEBHOOK_SECRET": "fake-webhook-secret",
    "AGENT_API_KEYS": "desk:fake-key",
    "ARCHIVE_URL": "file:///var/lib/transcripts",
}


def release(**changes: str | None) -> Result:
    """With a Redis that is away: one FAIL of its own."""
    environ: dict[str, str | None] = {**GOOD, **changes}
    return CliRunner().invoke(main, ["doctor", "--release"], env=environ)


def fails(done: Result) -> list[str]:
    return [line for line in done.output.splitlines() if line.startswith("FAIL")]


def test_a_redis_that_shows_nothing_is_told() -> None:
    """Encrypted to whoever answers is worth knowing; so is that it is away."""
    done = release(REDIS_URL="rediss://127.0.0.1:1/0", REDIS_TLS_VERIFY="none")
    assert [line.split(":")[0] for line in fails(done)] == ["FAIL  redis"]
    assert "note  redis: REDIS_TLS_VERIFY=none" in done.output
    assert "REDIS_TLS_VERIFY" not in release(REDIS_URL="rediss://127.0.0.1:1/0").output


def test_a_release_without_redis_is_a_fault_of_the_configuration() -> None:
    """Exit 2, and no store of its own is started to look well."""
    done = release(REDIS_URL=None)
    assert done.exit_code == 2
    assert "REDIS_URL is not set" in done.output


def test_a_site_that_lacks_nothing_hears_of_redis_alone() -> None:
    """Redis is away here; that is the one thing wrong."""
    done = release()
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in fails(done)] == ["FAIL  redis"]
    assert not any(line.startswith("note") for line in done.output.splitlines())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TRANSCRIPT_WEBHOOK_SECRET", None, "FAIL  transcripts: TRANSCRIPT_WEBHOOK_SECRET is not set"),
        ("AGENT_API_KEYS", None, "note  desktop API: AGENT_API_KEYS is not set"),
        ("ARCHIVE_URL", "nowhere://bucket", "FAIL  archive: ARCHIVE_URL cannot be written to"),
        ("ARCHIVE_URL", "sftp://host/path", "FAIL  archive: ARCHIVE_URL cannot be written to"),
    ],
)
def test_what_a_site_left_out_is_told(name: str, value: str | None, told: str) -> None:
    """By the variable's name, with what would come of it."""
    assert told in release(**{name: value}).output


def test_every_fault_of_the_configuration_is_there_for_programs_too() -> None:
    """Exit 2, and JSON on standard output with each fault."""
    environ = {**GOOD, "PUBLIC_BASE_URL": "nowhere", "WORKER_THREADS": "many"}
    done = CliRunner().invoke(main, ["doctor", "--json"], env=environ)
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["ok"] is False
    faults = " ".join(finding["told"] for finding in told["findings"])
    assert "PUBLIC_BASE_URL" in faults
    assert "WORKER_THREADS" in faults


def test_whatever_fails_has_a_fix() -> None:
    """Also for Redis, which is away here."""
    done = CliRunner().invoke(main, ["doctor", "--release", "--json"], env=GOOD)
    assert done.exit_code == 1
    failed = [each for each in json.loads(done.stdout)["findings"] if each["status"] == "fail"]
    assert failed
    assert all(each["fix"] for each in failed)
