"""Every secret is rotated while calls live: two values are valid at once, and no process is restarted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.faults.talks import PATIENCE_S, Talk
from tests.e2e.harness import (
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
from tests.e2e.world import assert_ended_clean

FIRST = {
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_AUTH_TOKEN_SECONDARY": "fake-unused-token",
    "ASAPP_API_ID": ASAPP_ID,
    "ASAPP_API_SECRET": ASAPP_SECRET,
    "TRANSCRIPT_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "AGENT_API_KEYS": f"desktop:{DESKTOP_KEY},dashboard:{READ_KEY}:read",
    "METRICS_TOKEN": METRICS_TOKEN,
}
NEW_TOKEN, NEW_ID, NEW_SECRET = "fake-new-token", "fake-new-id", "fake-new-secret"
NEW_HOOK, NEW_KEY, NEW_METRICS = "fake-new-hook", "fake-new-key", "fake-new-metrics"


class Files:
    """A folder of secrets, as a platform mounts them: each file is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, value in FIRST.items():
            self.put(name, value)

    def put(self, name: str, value: str) -> None:
        (self.folder / "new").write_text(value)
        (self.folder / "new").rename(self.folder / name)

    def environment(self) -> dict[str, str]:
        return dict.fromkeys(FIRST, "") | {f"{name}_FILE": str(self.folder / name) for name in FIRST}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def site(files: Files) -> Iterator[Site]:
    with Site(environment=files.environment()) as running:
        yield running


def voice(site: Site, token: str) -> int:
    form = {"CallSid": "CA" + "d" * 32, "From": "+15555550199", "To": NUMBER, "Direction": "inbound"}
    return post_signed(site, "/twilio/voice-fallback", form, token=token).status_code


def api(site: Site, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{site.web_url}/api/v1/calls", headers=headers, timeout=10).status_code


def metrics(site: Site, token: str) -> int:
    return requests.get(f"{site.web_url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=10).status_code


def answers(site: Site, *, new: bool) -> list[int]:
    token, key, metric = (NEW_TOKEN, NEW_KEY, NEW_METRICS) if new else (AUTH_TOKEN, DESKTOP_KEY, METRICS_TOKEN)
    return [voice(site, token), api(site, key), metrics(site, metric)]


def test_fault_50_every_secret_is_rotated_under_a_call(site: Site, files: Files) -> None:
    """50: first both values count, then the vendors change over, then the old ones count for nothing."""
    talk = Talk(site)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    pids = [process.pid for process in site.processes]
    assert answers(site, new=False) == [200, 200, 200]
    assert answers(site, new=True) == [403, 401, 401]

    # 1. Both values are in force for what is checked here.
    files.put("TWILIO_AUTH_TOKEN_SECONDARY", NEW_TOKEN)
    files.put("TRANSCRIPT_WEBHOOK_SECRET", f"{WEBHOOK_SECRET},{NEW_HOOK}")
    files.put("AGENT_API_KEYS", f"desktop:{DESKTOP_KEY},desktop:{NEW_KEY}")
    files.put("METRICS_TOKEN", f"{METRICS_TOKEN},{NEW_METRICS}")
    assert answers(site, new=False) == answers(site, new=True) == [200, 200, 200]
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")

    # 2. The vendors change over, and what we send them follows.
    site.twilio("credentials", {"auth_token": NEW_TOKEN})
    files.put("TWILIO_AUTH_TOKEN", NEW_TOKEN)
    site.asapp("credentials", {"api_id": NEW_ID, "api_secret": NEW_SECRET})
    files.put("ASAPP_API_ID", NEW_ID)
    files.put("ASAPP_API_SECRET", NEW_SECRET)
    site.asapp("webhook", {"url": f"{site.web_url}/asapp/transcripts", "secret": NEW_HOOK})
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.play("wait until heard customer-speech again")

    # 3. The old values are taken away.
    files.put("TWILIO_AUTH_TOKEN_SECONDARY", "fake-unused-token")
    files.put("TRANSCRIPT_WEBHOOK_SECRET", NEW_HOOK)
    files.put("AGENT_API_KEYS", f"desktop:{DESKTOP_KEY}x,desktop:{NEW_KEY}")
    files.put("METRICS_TOKEN", NEW_METRICS)
    assert answers(site, new=True) == [200, 200, 200]
    assert answers(site, new=False) == [403, 401, 401]

    # 4. Nothing was lost on the way: the call in both vendors' eyes, and every transcript and callback.
    files.put("AGENT_API_KEYS", f"desktop:{DESKTOP_KEY},desktop:{NEW_KEY}")
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.settles("transcribing", PATIENCE_S)
    talk.play("customer hangs up")
    assert_ended_clean(talk.call)
    assert {row["status"] for row in talk.call.deliveries("stream-status")} <= {204}
    assert {row["status"] for row in site.asapp("webhooks", guid=talk.call.sid)} == {200}
    assert [process.pid for process in site.processes] == pids
    assert all(process.popen.poll() is None for process in site.processes)
