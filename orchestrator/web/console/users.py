"""Who may sign in, and the cookie that says who has."""

from __future__ import annotations

import hashlib
import hmac
import threading

from flask import Response
from werkzeug.security import check_password_hash

from orchestrator.settings import Settings
from orchestrator.store.sessions import LONGEST_S, Session
from orchestrator.web.context import services

GUEST = "guest"
"""The proof of a session that no password opened."""
_HASHES = ("scrypt:", "pbkdf2:")
_AT_ONCE = 2
_PATIENCE_S = 3.0
_checking = threading.BoundedSemaphore(_AT_ONCE)
"""A password's hash is made to be dear: a flood of tries must not take the web process's time from callers."""


def proof_of(name: str, password: str) -> str | None:
    """What signs this user in, as a digest for the session; None where it is no password of theirs.

    An unknown name costs what a known one does.
    """
    logins = services().settings.console_logins()
    entries = logins.get(name) or next(iter(logins.values()), [])
    if not entries or not _checking.acquire(timeout=_PATIENCE_S):
        return None
    try:
        fitting = [entry for entry in entries if _matches(entry, password)]
    finally:
        _checking.release()
    return _proof(name, fitting[0]) if fitting and name in logins else None


def _matches(entry: str, password: str) -> bool:
    if entry.startswith(_HASHES):
        return check_password_hash(entry, password)
    return hmac.compare_digest(_digest(entry), _digest(password))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _proof(name: str, entry: str) -> str:
    return _digest(f"{name}:{entry}").hex()


def is_good(session: Session, settings: Settings | None = None) -> bool:
    """Whether what opened this session would open one now; sessions opened with anything else have ended."""
    settings = settings or services().settings
    proofs = [_proof(session.name, entry) for entry in settings.console_logins().get(session.name, [])]
    if session.name == settings.console_guest:
        proofs.append(GUEST)
    return any(hmac.compare_digest(session.proof, proof) for proof in proofs)


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
