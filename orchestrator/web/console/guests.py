"""The demo's guest: whoever sits at this very machine is signed in without a password.

`CONSOLE_GUEST` names the guest; it is refused at the start unless PUBLIC_BASE_URL is this machine itself, so no
service that Twilio reaches has one. A request counts only when its connection comes from this machine, through no
proxy, and asks for this machine by name: neither somebody else on the network nor another site's page in this
machine's browser gets in.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import g, request

from orchestrator.hosts import is_loopback
from orchestrator.web.console.users import GUEST
from orchestrator.web.context import services


def is_guest() -> bool:
    """Whether this request comes from a guest."""
    if not services().settings.console_guest or _is_proxied():
        return False
    original = request.environ.get("werkzeug.proxy_fix.orig", {})
    address = str(original.get("REMOTE_ADDR", request.environ.get("REMOTE_ADDR", "")))
    asked_for = urlsplit(f"//{request.environ.get('HTTP_HOST', '')}").hostname
    return bool(is_loopback(address) and is_loopback(asked_for))


def _is_proxied() -> bool:
    return any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"))


def signed_in() -> Any:
    """The guest's new session, its cookie to be set; None for anybody else."""
    if request.method != "GET" or not is_guest():
        return None
    sessions, name = services().sessions, services().settings.console_guest
    services().audit.record(name, "signed-in", detail="guest")
    g.opened_token = sessions.open(name, GUEST)
    return sessions.find(g.opened_token)
