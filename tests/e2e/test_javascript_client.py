"""The JavaScript client for agent desktops against the service as it is deployed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e.harness import CUSTOMER, DESKTOP_KEY, FLOW_NUMBER, Site
from tests.e2e.processes import ROOT, poll, start

AGENT = "agent-amy"
_NODE_S = 90


@pytest.fixture
def talk(site: Site) -> Iterator[str]:
    """A customer and an agent talk in a call flow that reports to nobody; its Call SID."""
    sid: str = site.twilio("calls", {"from": CUSTOMER, "to": FLOW_NUMBER})["sid"]
    leg = site.twilio(f"calls/{sid}/agent-joins", {"label": AGENT, "client": AGENT})["sid"]
    site.api(f"/calls/{sid}/events", {"type": "agent-connected", "agent_id": "amy", "agent_leg": leg})
    yield sid
    if site.twilio(f"calls/{sid}")["status"] != "completed":
        site.twilio(f"calls/{sid}/hangup", {})


def _node() -> str:
    binary = shutil.which("node")
    assert binary, "Node.js is missing; scripts/require-node.sh says how to get it"
    return binary


def _environment(site: Site, call_sid: str) -> Mapping[str, str]:
    return {"ORCHESTRATOR_URL": site.web_url, "ORCHESTRATOR_KEY": DESKTOP_KEY, "CALL_SID": call_sid}


def test_the_client_does_what_it_promises(site: Site, talk: str) -> None:
    """Hold, payment pause, presses while offline, survey: shown as confirmed, counted once, with a minted token."""
    done = subprocess.run(  # noqa: S603  our own tests
        [_node(), "--test", "--test-reporter=tap", "examples/javascript/live/service.test.js"],
        cwd=ROOT,
        env={**os.environ, **_environment(site, talk)},
        capture_output=True,
        text=True,
        timeout=_NODE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 5" in done.stdout


def test_a_follower_survives_a_restart_of_the_web_processes(site: Site, talk: str) -> None:
    """While the service is restarted nothing is claimed; then the client is back by itself and misses nothing."""
    node = start("following", [_node(), "tests/e2e/following.mjs"], site.folder, _environment(site, talk))
    with contextlib.ExitStack() as stack:
        stack.callback(node.terminate)
        _until(node.text, connection="live", transcription="on")

        site.process("web").terminate()
        _until(node.text, connection="offline", transcription="unknown")
        site.start_service("web")
        _until(node.text, connection="live", transcription="on")

        spoken = _lines(node.text())[-1]["utterances"]
        poll(lambda: _lines(node.text())[-1]["utterances"] > spoken, _NODE_S, "more is said and shown")
        site.api(f"/calls/{talk}/events", {"type": "hold"})
        _until(node.text, connection="live", transcription="off")
        transcript = site.api(f"/calls/{talk}/transcript")
        assert _lines(node.text())[-1]["utterances"] == len(transcript["utterances"])


def _lines(text: str) -> list[dict[str, Any]]:
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def _until(text: Any, **wanted: str) -> None:
    """The last line says so."""

    def is_so() -> bool:
        lines = _lines(text())
        return bool(lines) and all(lines[-1][name] == value for name, value in wanted.items())

    poll(is_so, _NODE_S, f"the client shows {wanted}")
