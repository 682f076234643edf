"""Both emulators as processes, our clients of them, and a call whose media stream really flows between them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from orchestrator.asapp.client import AsappClient
from orchestrator.core.profile import Profile
from orchestrator.http import Http
from orchestrator.twilio.client import TwilioClient
from orchestrator.twilio.twiml import CallbackUrls
from tests.contract.twilio_peer import CALLER, NUMBER, SID, TOKEN, Peer, wait_for

PROFILE = Profile(route="conference")


class Vendors:
    """`asapp` and `twilio` are our clients; `control` speaks to the emulators' own side."""

    def __init__(self, http: Http, peer: Peer, asapp_url: str, twilio_url: str) -> None:
        self.peer = peer
        self.http = http
        self.urls = {"asapp": asapp_url, "twilio": twilio_url}
        self.asapp = AsappClient(http, asapp_url, lambda: ("fake-id", "fake-secret"))
        self.twilio = TwilioClient(http, twilio_url, SID, lambda: (SID, TOKEN))
        self.callbacks = CallbackUrls(peer.url)

    def control(self, vendor: str, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = requests.request(method, f"{self.urls[vendor]}/_emulator/{path}", json=body, timeout=20)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def reset(self) -> None:
        for vendor in self.urls:
            self.control(vendor, "reset")
        self.peer.requests.clear()

    def ring(self, twiml: str) -> str:
        """A customer calls and meets this document; back when the call is in progress."""
        self.peer.documents["/voice"] = twiml
        self.control("twilio", "numbers", {"phone_number": NUMBER, "voice_url": f"{self.peer.url}/voice"})
        sid = str(self.control("twilio", "calls", {"from": CALLER, "to": NUMBER})["sid"])
        wait_for(lambda: self.leg(sid)["status"] == "in-progress")
        return sid

    def leg(self, sid: str) -> Any:
        return self.control("twilio", f"calls/{sid}", method="GET")

    def streams(self, sid: str) -> list[Any]:
        return [stream for stream in self.leg(sid)["streams"] if stream["state"] == "live"]


@contextmanager
def running(folder: Path) -> Iterator[Vendors]:
    """Both emulators, twenty times as fast as life."""
    ca_file = folder / "asapp.pem"
    with ExitStack() as stack:
        peer = stack.enter_context(Peer(folder))
        asapp = stack.enter_context(
            _emulator("asapp", "--api-id", "fake-id", "--api-secret", "fake-secret", "--ca-file", str(ca_file))
        )
        twilio = stack.enter_context(
            _emulator("twilio", "--account-sid", SID, "--auth-token", TOKEN, "--ca-file", str(ca_file))
        )
        http = Http(4)
        stack.callback(http.close)
        yield Vendors(http, peer, asapp, twilio)


@contextmanager
def _emulator(name: str, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", f"orchestrator.emulators.{name}.main", "--speed", "20", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  # our own module
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] == name
        yield str(ready["url"])
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
