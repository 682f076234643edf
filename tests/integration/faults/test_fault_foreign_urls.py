"""URLs that arrive in requests are words: nobody fetches them, and no document leads to them (fault 58)."""

from __future__ import annotations

import ast
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

import orchestrator
from orchestrator.web import create_app
from tests.integration.faults.conftest import Floor, until

ROOT = Path(orchestrator.__file__).parent
HTTP_CLIENTS = {"requests", "urllib3", "aiohttp", "httpx", "http.client", "urllib.request", "fsspec", "websockets"}
MAY_FETCH = {
    "http.py",  # to the vendors' configured addresses
    "lines.py",  # beneath it
    "asapp/exporter_download.py",  # a link that ASAPP's own answer gave
    "transcripts/archive.py",  # ARCHIVE_URL
    "transcripts/batch_output.py",
    "transcripts/batch_forget.py",
    "transcripts/retention.py",
    "diagnosis/site.py",
}
APART = ("emulators/", "demo/", "cli/demo.py")
BASE = "https://calls.example.com"
CALL = "CA" + "a" * 32
FIELDS = ("StatusCallback", "Url", "HoldUrl", "WaitUrl", "RecordingUrl", "streamUrl", "url", "From", "CallerName")
SIDS = {
    "CallSid": CALL,
    "To": "+15555550100",
    "CallStatus": "completed",
    "StreamSid": "MZ" + "1" * 32,
    "StreamName": "asapp-1",
    "StreamEvent": "stream-started",
    "ConferenceSid": "CF" + "1" * 32,
    "StatusCallbackEvent": "participant-join",
    "SequenceNumber": "1",
    "DialCallStatus": "completed",
}
ENDPOINTS = ("voice", "voice-fallback", "call-status", "stream-status", "conference-status", "dial-ended", "survey")


def imported(path: Path) -> set[str]:
    """What a module imports, by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_fault_58_only_named_modules_can_fetch_anything() -> None:
    """58: no module but those of the list imports what opens a URL; no view of the web application is among them."""
    able = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if any(name == each or name.startswith(f"{each}.") for name in imported(path) for each in HTTP_CLIENTS)
    }
    assert {name for name in able if not name.startswith(APART)} == MAY_FETCH
    assert not [name for name in MAY_FETCH if name.startswith(("web/", "core/", "store/", "worker/"))]


@pytest.fixture
def trap() -> Iterator[tuple[str, list[object]]]:
    """A listener that nobody should know, and who came all the same."""
    came: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, address = listener.accept()
                came.append(address)
                line.close()

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", came
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_fault_58_urls_of_a_request_lead_nowhere(
    make_floor: Callable[..., Floor], trap: tuple[str, list[object]]
) -> None:
    """58: signed forms, desktop events and query strings full of URLs: no document has them, nobody goes there."""
    address, came = trap
    floor = make_floor(PUBLIC_BASE_URL=BASE, AGENT_API_KEYS="desk:fake-key")
    client = create_app(services=floor.services).test_client()
    with socket.create_connection(tuple(address.split(":")), timeout=5):  # type: ignore[arg-type]  # a host and a port
        until(lambda: came, 5, "the trap works")
    came.clear()
    for scheme in ("http", "https", "wss"):
        for endpoint in ENDPOINTS:
            form = dict.fromkeys(FIELDS, f"{scheme}://{address}/x") | SIDS
            path = f"/twilio/{endpoint}?call={CALL}&url={scheme}://{address}/x"
            signature = RequestValidator("fake-token").compute_signature(BASE + path, form)
            answer = client.post(path, data=form, headers={"X-Twilio-Signature": signature, "Host": address})
            assert answer.status_code in {200, 204}, endpoint
            assert address not in answer.text
            assert address not in str(answer.headers)
    report = {"type": "agent-connected", "agent_id": f"http://{address}/x", "callback_url": f"http://{address}/x"}
    headers = {"Authorization": "Bearer fake-key"}
    assert client.post(f"/api/v1/calls/{CALL}/events", json=report, headers=headers).status_code in {202, 400}
    floor.reaches(floor.talk(), "transcribing")
    until(lambda: floor.services.queue.depth() == 0, 5, "all that is due is done")
    assert came == []
