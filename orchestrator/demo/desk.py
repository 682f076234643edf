"""The demo's agent desktop, `/desktop`: a page, and what a company has behind its own.

The page steers transcription by the JavaScript client alone. What is here stands for the rest of a company: the
telephone system (the Twilio emulator's control interface), which rings, holds and hangs up, and the backend that knows
the desktop key and gives the agent's browser a short-lived token. Production knows nothing of this.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import requests
from flask import Blueprint, Response, abort, current_app, request, send_from_directory

from orchestrator.demo.processes import DESK_NUMBER
from orchestrator.services import Services
from orchestrator.web.context import KEY

bp = Blueprint("desk", __name__, url_prefix="/desktop")
AGENT = "you"
_FILES = Path(__file__).parent / "desktop"
_FILE = re.compile(r"(client/)?[a-z-]+\.(js|css)\Z")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HTTP_S = 15
_KNOWN_S = 5
_LOOK_S = 0.05
_CARD = "my card number is four two four two and the code is one two three"
_ACTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "answer": ("agent-joins", {"label": f"agent-{AGENT}", "client": f"agent-{AGENT}"}),
    "hold": ("hold", {}),
    "unhold": ("unhold", {}),
    "card": ("say", {"role": "customer", "kind": "payment", "text": _CARD}),
    "hangup": ("hangup", {}),
}
"""What the agent does at the telephone, and what that is at the emulator."""


@bp.before_request
def refuse_other_sites() -> None:
    """A page of another site must not place calls here with the help of somebody's browser."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != request.host_url.rstrip("/"):
        abort(403)


@bp.get("")
def page() -> Response:
    answer = send_from_directory(_FILES, "desktop.html")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


@bp.get("/<path:name>")
def file(name: str) -> Response:
    if not _FILE.match(name):
        abort(404)
    return send_from_directory(_FILES, name)


@bp.post("/calls/<sid>/token")
def token(sid: str) -> Response:
    """A short-lived token for this agent and this call, minted with the key that stays here."""
    settings = _services().settings
    answer = requests.post(
        f"{settings.public_base_url}/api/v1/tokens",
        json={"agent_id": AGENT, "call_sid": sid},
        headers={"Authorization": f"Bearer {settings.api_keys()[0].key}"},
        timeout=_HTTP_S,
    )
    return Response(answer.content, status=answer.status_code, content_type="application/json")


@bp.post("/calls")
def place_call() -> dict[str, Any]:
    """A customer calls the number of a call flow that was there before this service and reports nothing to it.

    It rings at the agent's once the service knows the call.
    """
    customer = f"+1555555{random.randint(102, 190):04d}"  # noqa: S311  a caller's number is no secret
    sid = _telephone("calls", {"from": customer, "to": DESK_NUMBER})["sid"]
    deadline = time.monotonic() + _KNOWN_S
    while _services().store.load(sid) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return {"call_sid": sid, "customer": f"…{customer[-4:]}"}


@bp.post("/calls/<sid>/<action>")
def act(sid: str, action: str) -> dict[str, Any]:
    if action not in _ACTIONS:
        abort(404)
    verb, body = _ACTIONS[action]
    return _telephone(f"calls/{sid}/{verb}", body)


@bp.get("/calls/<sid>/heard")
def heard(sid: str) -> dict[str, Any]:
    """Milliseconds of audio by kind: what reached ASAPP's side, and what was transcribed of it."""
    url = f"{_services().settings.asapp_api_base_url}/_emulator/calls/{sid}"
    answer = requests.get(url, timeout=_HTTP_S)
    seen = answer.json() if answer.ok else {}
    return {"received_ms": seen.get("received_ms", {}), "heard_ms": seen.get("heard_ms", {})}


def _telephone(path: str, body: dict[str, str]) -> dict[str, Any]:
    answer = requests.post(f"{_services().settings.twilio_api_base_url}/_emulator/{path}", json=body, timeout=_HTTP_S)
    if not answer.ok:
        abort(409, answer.text[:200])
    return dict(answer.json())


def _services() -> Services:
    services: Services = current_app.extensions[KEY]
    return services
