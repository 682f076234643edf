"""`orchestrator setup` against the emulated account: what it shows, changes and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.twilio.wiring import TASK_EVENTS
from tests.contract.twilio_peer import NUMBER, SID, TOKEN, Emulator, Peer, running

OTHER = "+15555550199"
WORKSPACE, WORKFLOW = "WS" + "1" * 32, "WW" + "1" * 32
BASE = "https://calls.example.com"
ROUTES = f"""
[default]
route = "conference"
[[profile]]
to = "{NUMBER}"
route = "enqueue:{WORKFLOW}"
"""


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Peer(tmp_path_factory.mktemp("peer")) as peer, running(peer) as emulator:
        yield emulator


@pytest.fixture
def twilio(emulated: Emulator) -> Emulator:
    """Two numbers, one pointed elsewhere, and a workspace that tells nobody."""
    nothing = dict.fromkeys(("voice_fallback_url", "status_callback", "voice_application_sid", "trunk_sid"), "")
    emulated.number(**nothing, voice_url="https://old.example/voice", voice_method="GET")
    emulated.post("numbers", {"phone_number": OTHER, **nothing, "voice_url": ""})
    emulated.post("workspace", {"workspace_sid": WORKSPACE, "event_callback_url": "", "workflows": [WORKFLOW]})
    return emulated


@pytest.fixture
def setup(twilio: Emulator, tmp_path: Path) -> Any:
    path = tmp_path / "profiles.toml"
    path.write_text(ROUTES, encoding="utf-8")
    environ = {
        "PUBLIC_BASE_URL": BASE,
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": twilio.url,
        "ASAPP_API_ID": "fake-id",
        "ASAPP_API_SECRET": "fake-secret",
        "ORCHESTRATOR_CONFIG": str(path),
    }

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["setup", *arguments], env=environ)

    return run


def number(twilio: Emulator, which: str = NUMBER) -> dict[str, Any]:
    (found,) = twilio.client.incoming_phone_numbers.list(phone_number=which)
    return dict(vars(found))


def workspace(twilio: Emulator) -> Any:
    twilio.client.taskrouter.base_url = twilio.url
    return twilio.client.taskrouter.v1.workspaces(WORKSPACE).fetch()


def changes_at(twilio: Emulator) -> list[str]:
    requests = twilio.get("requests")
    return [each["operation"] for each in requests if each["operation"].endswith("-update")]


def test_it_shows_and_changes_nothing(twilio: Emulator, setup: Any) -> None:
    """Every setting with what it is and what it should be; the account is as before."""
    before = len(changes_at(twilio))
    done = setup()
    assert done.exit_code == 0, done.output
    assert "https://old.example/voice" in done.output
    assert f"{BASE}/twilio/voice\n" in done.output
    assert f"{BASE}/twilio/taskrouter-events" in done.output
    assert f"orchestrator setup {NUMBER} --apply" in done.output
    assert OTHER not in done.output
    assert len(changes_at(twilio)) == before
    assert number(twilio)["voice_url"] == "https://old.example/voice"


def test_a_workspace_keeps_its_workflows(twilio: Emulator) -> None:
    """One that is set up again by those who name no workflows, as a scenario does, has those of before."""
    twilio.post("workspace", {"workspace_sid": WORKSPACE, "event_callback_url": ""})
    twilio.client.taskrouter.base_url = twilio.url
    (kept,) = twilio.client.taskrouter.v1.workspaces(WORKSPACE).workflows.list()
    assert kept.sid == WORKFLOW


def test_it_applies_what_it_showed_and_is_then_content(twilio: Emulator, setup: Any) -> None:
    """The number and the workspace of its workflow point here; a second run has nothing to do."""
    assert setup(NUMBER, "--apply").exit_code == 0
    found = number(twilio)
    assert (found["voice_url"], found["voice_method"]) == (f"{BASE}/twilio/voice", "POST")
    assert (found["voice_fallback_url"], found["voice_fallback_method"]) == (f"{BASE}/twilio/voice-fallback", "POST")
    assert found["status_callback"] == f"{BASE}/twilio/call-status#rc=3&rp=5xx,ct,rt"
    assert workspace(twilio).event_callback_url == f"{BASE}/twilio/taskrouter-events#rc=3&rp=5xx,ct,rt"
    before = len(changes_at(twilio))
    again = json.loads(setup(NUMBER, "--apply", "--json").output)
    assert [part["result"] for part in again["parts"]] == ["already-right", "already-right"]
    assert len(changes_at(twilio)) == before


@pytest.mark.parametrize("setting", ["trunk_sid", "voice_application_sid"])
def test_a_number_of_a_trunk_or_an_application_is_left_alone(twilio: Emulator, setup: Any, setting: str) -> None:
    """Exit 1 and not a change; with --force the number is taken."""
    owner = ("TK" if setting == "trunk_sid" else "AP") + "1" * 32
    twilio.number(**{setting: owner})
    done = setup(NUMBER, "--apply")
    assert done.exit_code == 1
    assert setting in done.output
    assert number(twilio)[setting] == owner
    assert number(twilio)["voice_url"] == "https://old.example/voice"
    assert setup(NUMBER, "--apply", "--force").exit_code == 0
    assert number(twilio)[setting] == ""
    assert number(twilio)["voice_url"] == f"{BASE}/twilio/voice"


def test_another_event_callback_is_left_alone(twilio: Emulator, setup: Any) -> None:
    """A workspace has one; taking it needs --force. The number is changed all the same."""
    body = {"workspace_sid": WORKSPACE, "event_callback_url": "https://reports.example/", "workflows": [WORKFLOW]}
    twilio.post("workspace", body)
    assert setup(NUMBER, "--apply").exit_code == 1
    assert workspace(twilio).event_callback_url == "https://reports.example/"
    assert number(twilio)["voice_url"] == f"{BASE}/twilio/voice"
    assert setup(NUMBER, "--apply", "--force").exit_code == 0
    assert workspace(twilio).event_callback_url.startswith(f"{BASE}/")


def test_a_filter_is_widened_not_replaced(twilio: Emulator, setup: Any) -> None:
    """Events that somebody wanted stay; those that mean something here are added."""
    twilio.post(
        "workspace",
        {
            "workspace_sid": WORKSPACE,
            "event_callback_url": f"{BASE}/twilio/taskrouter-events",
            "events_filter": "worker.activity.update",
        },
    )
    assert setup("--workspace", WORKSPACE, "--apply").exit_code == 0
    assert set(workspace(twilio).events_filter.split(",")) == {"worker.activity.update", *TASK_EVENTS}


def test_a_fallback_outside_the_service_is_offered_set_and_kept(twilio: Emulator, setup: Any) -> None:
    """A document without an address of ours; its URL is set by --fallback-url, and later runs leave it."""
    shown = setup(NUMBER)
    assert f'<Enqueue workflowSid="{WORKFLOW}"' in shown.output
    (document,) = [line for line in shown.output.splitlines() if "<Response>" in line]
    assert BASE not in document
    kept = "https://handler.example/bin"
    applied = setup(NUMBER, "--fallback-url", kept, "--apply")
    assert applied.exit_code == 0
    assert "TwiML Bin" not in applied.output
    again = setup(NUMBER, "--apply")
    assert number(twilio)["voice_fallback_url"] == kept
    assert "TwiML Bin" not in again.output


def test_what_the_account_does_not_have_is_a_failure(setup: Any) -> None:
    """Exit 1, and everything else is shown all the same."""
    done = setup("+15555550111", NUMBER)
    assert done.exit_code == 1
    assert "+15555550111: not found: the account has no such number" in done.output
    assert f"number {NUMBER}" in done.output


def test_numbers_are_named_to_be_changed(setup: Any) -> None:
    """Exit 2 for --apply alone: a whole account is not changed by a slip."""
    assert setup("--apply").exit_code == 2


def test_wrong_credentials_are_told(setup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1 with what Twilio said."""
    monkeypatch.setenv("TWILIO_API_KEY", "SK9")
    monkeypatch.setenv("TWILIO_API_SECRET", "fake-wrong")
    done = setup(NUMBER)
    assert done.exit_code == 1
    assert "20003" in done.output
