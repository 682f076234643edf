"""Every secret is rotated while calls live: two values are valid at once, and no process is restarted."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.e2e.faults.secrets import (
    FIRST,
    PASSWORD,
    REFUSED,
    SHARED_NAME,
    SHARED_SECRET,
    SINK_SECRET,
    WELCOME,
    Files,
    Held,
    is_signed_in,
    sign_in,
)
from tests.e2e.faults.talks import PATIENCE_S, Talk
from tests.e2e.harness import API_KEY, API_SECRET, AUTH_TOKEN, DESKTOP_KEY, METRICS_TOKEN, WEBHOOK_SECRET, Json, Site
from tests.e2e.processes import poll
from tests.e2e.world import assert_ended_clean
from tests.scripted_http import Asked, ScriptedServer, answer

NEW_ID, NEW_SECRET, NEW_HOOK = "fake-new-id", "fake-new-secret", "fake-new-hook"
NEW_API_KEY, NEW_API_SECRET = "SK" + "d" * 32, "fake-new-api-secret"
NEW_SINK_SECRET = "whsec_ZmFrZS1uZXctb2YtMjQtYnl0ZXMtISEhISE="
OLD = Held(AUTH_TOKEN, SHARED_SECRET, DESKTOP_KEY, METRICS_TOKEN, PASSWORD)
NEW = Held("fake-new-token", "fake-new-shared", "fake-new-key", "fake-new-metrics", "fake-new-password")
ARCHIVED_S = 60.0


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def sink() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.otherwise = answer(200, {})
        yield server


@pytest.fixture
def site(files: Files, sink: ScriptedServer) -> Iterator[Site]:
    with Site(environment={**files.environment(), "SINK_URL": f"{sink.url}/calls"}) as running:
        yield running


def is_told(sink: ScriptedServer, call_sid: str) -> Asked | None:
    return next((each for each in sink.asked if call_sid.encode() in each.body), None)


def is_signed(message: Asked, secret: str) -> bool:
    try:
        Webhook(secret).verify(message.body, message.headers)
    except WebhookVerificationError:
        return False
    return True


def answered(site: Site, sid: str) -> list[Json] | None:
    """What ASAPP has sent of a call, once none of it is on its way."""
    rows: list[Json] = site.asapp("webhooks", guid=sid)
    return rows if all(row["status"] is not None for row in rows) else None


def test_fault_50_every_secret_is_rotated_under_a_call(site: Site, files: Files, sink: ScriptedServer) -> None:
    """50: first both values count, then the vendors change over, then the old ones count for nothing."""
    talk, other = Talk(site), Talk(site)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    pids = [process.pid for process in site.processes]
    assert OLD.answers(site) == WELCOME
    assert NEW.answers(site) == REFUSED
    browser = sign_in(site, PASSWORD)[1]

    # 1. Both values are in force for what is checked here, and both sign what is sent to the sink.
    files.put(
        TWILIO_AUTH_TOKEN_SECONDARY=NEW.token,
        TWILIO_SHARED_KEYS=f"{SHARED_NAME}:{SHARED_SECRET},{SHARED_NAME}:{NEW.shared_secret}",
        TRANSCRIPT_WEBHOOK_SECRET=f"{WEBHOOK_SECRET},{NEW_HOOK}",
        AGENT_API_KEYS=f"desktop:{DESKTOP_KEY},desktop:{NEW.key}",
        METRICS_TOKEN=f"{METRICS_TOKEN},{NEW.metrics}",
        CONSOLE_USERS=f"amy:{PASSWORD},amy:{NEW.password}",
        SINK_SECRET=f"{SINK_SECRET},{NEW_SINK_SECRET}",
    )
    assert OLD.answers(site) == NEW.answers(site) == WELCOME
    assert is_signed_in(site, browser)
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    other.play("customer calls", "agent ben joins", "wait until transcribing", "customer hangs up")
    message = poll(lambda: is_told(sink, other.call.sid), ARCHIVED_S, "the sink is told of the other call")
    assert is_signed(message, SINK_SECRET)
    assert is_signed(message, NEW_SINK_SECRET)

    # 2. The vendors change over, and what we send them follows; Twilio's REST is asked with the API key alone.
    site.twilio("credentials", {"api_keys": {API_KEY: API_SECRET, NEW_API_KEY: NEW_API_SECRET}})
    files.put(TWILIO_API_KEY=NEW_API_KEY, TWILIO_API_SECRET=NEW_API_SECRET)
    shared_key = f"{SHARED_NAME}:{NEW.shared_secret}"
    new_keys = {NEW_API_KEY: NEW_API_SECRET}
    site.twilio("credentials", {"auth_token": NEW.token, "api_keys": new_keys, "shared_key": shared_key})
    site.asapp("credentials", {"api_id": NEW_ID, "api_secret": NEW_SECRET})
    files.put(ASAPP_API_ID=NEW_ID, ASAPP_API_SECRET=NEW_SECRET)
    site.asapp("webhook", {"url": f"{site.web_url}/asapp/transcripts", "secret": NEW_HOOK})
    talk.play("stream breaks with error-then-stopped")
    poll(talk.call.created_streams, PATIENCE_S, "another stream is asked for by REST")
    talk.settles("transcribing", PATIENCE_S)
    assert {row["status"] for row in talk.call.created_streams()} == {HTTPStatus.OK}
    files.put(TWILIO_AUTH_TOKEN=NEW.token)
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.play("wait until heard customer-speech again")

    # 3. The old values are taken away, and with them what they opened.
    files.put(
        TWILIO_AUTH_TOKEN_SECONDARY=FIRST["TWILIO_AUTH_TOKEN_SECONDARY"],
        TWILIO_SHARED_KEYS=shared_key,
        TRANSCRIPT_WEBHOOK_SECRET=NEW_HOOK,
        AGENT_API_KEYS=f"desktop:{DESKTOP_KEY}x,desktop:{NEW.key}",
        METRICS_TOKEN=NEW.metrics,
        CONSOLE_USERS=f"amy:{NEW.password}",
        SINK_SECRET=NEW_SINK_SECRET,
    )
    assert NEW.answers(site) == WELCOME
    assert OLD.answers(site) == REFUSED
    assert not is_signed_in(site, browser)

    # 4. Nothing was lost on the way: the call in both vendors' eyes, every transcript and callback, and the sink.
    files.put(AGENT_API_KEYS=f"desktop:{DESKTOP_KEY},desktop:{NEW.key}")
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.settles("transcribing", PATIENCE_S)
    talk.play("customer hangs up")
    assert_ended_clean(talk.call)
    assert {row["status"] for row in talk.call.deliveries("stream-status")} <= {204}
    sent = poll(lambda: answered(site, talk.call.sid), PATIENCE_S, "all transcripts were delivered")
    assert {row["status"] for row in sent} == {HTTPStatus.OK}
    message = poll(lambda: is_told(sink, talk.call.sid), ARCHIVED_S, "the sink is told of the call")
    assert is_signed(message, NEW_SINK_SECRET)
    assert not is_signed(message, SINK_SECRET)
    assert [process.pid for process in site.processes] == pids
    assert all(process.popen.poll() is None for process in site.processes)
