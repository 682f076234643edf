"""Who may sign in, and the cookie that says who has."""

from __future__ import annotations

import hashlib
import hmac
import threading

from flask import Response
from werkzeug.security import check_password_hash

from orchestrator.settings import Settings
from orchestrator.store.sessions import LONGEST_S
from orchestrator.web.context import services

_HASHES = ("scrypt:", "pbkdf2:")
_AT_ONCE = 2
_PATIENCE_S = 3.0
_checking = threading.BoundedSemaphore(_AT_ONCE)
"""A password's hash is made to be dear: a flood of tries must not take the web process's time from callers."""


def is_right(name: str, password: str) -> bool:
    """Whether this is a user's password. An unknown name costs what a known one does."""
    logins = services().settings.console_logins()
    entry = logins.get(name) or next(iter(logins.values()), "")
    if not entry or not _checking.acquire(timeout=_PATIENCE_S):
        return False
    try:
        return _matches(entry, password) and name in logins
    finally:
        _checking.release()


def _matches(entry: str, password: str) -> bool:
    if entry.startswith(_HASHES):
        return check_password_hash(entry, password)
    return hmac.compare_digest(_digest(entry), _digest(password))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def proof_of(name: str, settings: Settings | None = None) -> str:
    """A digest of what signs this name in now; sessions opened with anything else have ended."""
    settings = settings or services().settings
    entry = settings.console_logins().get(name, "")
    if not entry and name == settings.console_guest:
        return "guest"
    return _digest(f"{name}:{entry}").hex() if entry else "nobody"


def _is_secure() -> bool:
    return services().settings.public_base_url.startswith("https://")


def cookie_name() -> str:
    """With the prefix browsers take from this very host alone, wherever there is https."""
    return "__Host-console" if _is_secure() else "console"


def set_cookie(answer: Response, token: str) -> None:
    """`token` empty: takes the cookie away."""
    answer.set_cookie(
        cookie_name(),
        token,
        max_age=LONGEST_S if token else 0,
        secure=_is_secure(),
        httponly=True,
        samesite="Lax",
    )
