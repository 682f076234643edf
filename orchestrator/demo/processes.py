"""The demo's processes: both emulators and the service, each on a free loopback port, ended by their own pid."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

from orchestrator.demo.flows import Flows
from orchestrator.errors import OrchestratorError

ACCOUNT_SID = "AC" + "0" * 32
_PROFILES = """\
[default]
route = "conference"
survey_url = "{survey}"
silence_probe_s = 5
agent_identities = ["client:agent-*"]

[[profile]]
to = "+15555550110"
route = "enqueue:{workflow}"
no_agent_route = "dial:client:agent-night"

[[profile]]
to = "+15555550111"
route = "dial:client:agent-amy"

[[profile]]
to = "+15555550112"
route = "conference"
outbound_caller_id = "+15555550112"
outbound_allow = ["+1555555*"]

[[profile]]
to = "+15555550113"
route = "conference"
consent = "required"

[[profile]]
to = "+15555550114"
route = "redirect:{flow}"

[[profile]]
to = "+15555550115"
route = "dial:+15555550151"
no_agent_route = "dial:client:agent-night"

[[profile]]
to = "+15555550117"
route = "conference"
max_pause_s = 2

[[profile]]
to = "+15555550118"
route = "conference"
agent_return_s = 2

[[profile]]
to = "+15555550119"
route = "enqueue:{workflow}"
accepted_is_connected = true
"""
"""The numbers that the shipped scenarios call; +15555550112 is the one that agents' devices call out under."""
NUMBERS = tuple(f"+15555550{number}" for number in (100, 110, 111, 112, 113, 114, 115, 117, 118, 119))
DESK_NUMBER = "+15555550114"
"""The number of a call flow that was there before this service; the desktop alone knows of its holds."""
WORKSPACE_SID, WORKFLOW_SID = "WS" + "0" * 32, "WW" + "0" * 32
_READY_S = 30.0
_END_S = 30.0
_LOOK_S = 0.05
_LOG_TAIL = 2_000


class Stage:
    """Everything that a demo call meets. A context manager: what was started is ended at exit."""

    def __init__(self, folder: Path, *, port: int, speed: float, seed: int) -> None:
        self._folder = folder
        self._port = port or _free_port()
        self._speed, self._seed = speed, seed
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._secrets = {name: f"demo-{secrets.token_hex(8)}" for name in ("twilio", "asapp", "webhook", "metrics")}
        self.desktop_key = f"demo-{secrets.token_hex(8)}"
        self.metrics_headers = {"Authorization": f"Bearer {self._secrets['metrics']}"}
        self.twilio_url = self.asapp_url = ""
        self.service_url = f"http://127.0.0.1:{self._port}"
        self.desk_url = f"{self.service_url}/desktop"
        self.archive = folder / "archive"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        if not _is_free(self._port):
            raise OrchestratorError("port-taken", f"Port {self._port} is taken; choose another with --port.")
        self._flows = Flows()
        authority = self._folder / "asapp-ca.pem"
        common = ["--speed", str(self._speed), "--seed", str(self._seed), "--ca-file", str(authority)]
        asapp = self._emulator(
            "asapp",
            *("--api-id", "demo", "--api-secret", self._secrets["asapp"]),
            *("--webhook-url", f"{self.service_url}/asapp/transcripts"),
            *("--webhook-secret", self._secrets["webhook"]),
            *common,
        )
        twilio = self._emulator(
            "twilio", "--account-sid", ACCOUNT_SID, "--auth-token", self._secrets["twilio"], *common
        )
        self.asapp_url, self.twilio_url = asapp["url"], twilio["url"]
        self._spawn("service", "orchestrator.demo.service", [], self._environment())
        _until(lambda: _answers(f"{self.service_url}/healthz"), "the service answers", self._failure)
        for number in NUMBERS:
            self._control("numbers", self._number(number))
        events = f"{self.service_url}/twilio/taskrouter-events"
        workspace = {"workspace_sid": WORKSPACE_SID, "event_callback_url": events, "workflows": [WORKFLOW_SID]}
        self._control("workspace", workspace)

    def _control(self, path: str, body: Mapping[str, object]) -> None:
        requests.post(f"{self.twilio_url}/_emulator/{path}", json=body, timeout=5).raise_for_status()

    def _number(self, number: str) -> dict[str, str]:
        base = f"{self.service_url}/twilio"
        return {
            "phone_number": number,
            "voice_url": f"{base}/voice",
            "voice_fallback_url": f"{base}/voice-fallback",
            "status_callback": f"{base}/call-status",
        }

    def _environment(self) -> dict[str, str]:
        profiles = self._folder / "profiles.toml"
        profiles.write_text(
            _PROFILES.format(survey=self._flows.survey_url, flow=self._flows.existing_flow_url, workflow=WORKFLOW_SID)
        )
        return {
            "PORT": str(self._port),
            "PUBLIC_BASE_URL": self.service_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": self._secrets["twilio"],
            "TWILIO_API_BASE_URL": self.twilio_url,
            "ASAPP_API_BASE_URL": self.asapp_url,
            "ASAPP_API_ID": "demo",
            "ASAPP_API_SECRET": self._secrets["asapp"],
            "TRANSCRIPT_WEBHOOK_SECRET": self._secrets["webhook"],
            "AGENT_API_KEYS": f"demo:{self.desktop_key}",
            "CONSOLE_GUEST": "demo",
            "METRICS_TOKEN": self._secrets["metrics"],
            "ORCHESTRATOR_CONFIG": str(profiles),
            "ARCHIVE_URL": self.archive.as_uri(),
            "EMBEDDED_DATA_DIR": str(self._folder / "valkey"),
            "LOG_FORMAT": "json",
        }

    def _emulator(self, name: str, *options: str) -> dict[str, Any]:
        process = self._spawn(
            f"{name}-emulator", "orchestrator", ["emulate", name, *options], {}, stdout=subprocess.PIPE
        )
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise self._failure(f"the {name} emulator did not start")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _spawn(
        self, name: str, module: str, arguments: list[str], environment: Mapping[str, str], *, stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", module, *arguments],
                env={**inherited, **environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stdout if stdout is not None else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is the demo's to handle
            )
        self._processes.append((name, process))
        return process

    def _failure(self, what: str) -> OrchestratorError:
        tails = [f"--- {path.name}\n{path.read_text()[-_LOG_TAIL:]}" for path in sorted(self._folder.glob("*.log"))]
        return OrchestratorError("demo-failed", "\n".join([f"The demo could not begin: {what}.", *tails]))

    def close(self) -> None:
        """End the service first, so that it drains while the emulators still answer."""
        for _, process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self._processes.clear()
        if hasattr(self, "_flows"):
            self._flows.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def _until(test: Any, what: str, failure: Any) -> None:
    deadline = time.monotonic() + _READY_S
    while not test():
        if time.monotonic() > deadline:
            raise failure(f"not within {_READY_S:g} s: {what}")
        time.sleep(_LOOK_S)
