"""Who may use the API: bearer keys, some for reading only, and the browser origins that may ask."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from flask import Blueprint, Response, g, request

from orchestrator.errors import OrchestratorError
from orchestrator.settings import ApiKey, Settings
from orchestrator.web.context import services

_READING = frozenset({"GET", "HEAD"})


def protect(bp: Blueprint) -> None:
    """Every view of it asks for a key, and may be asked by the configured origins."""
    bp.before_request(check_key)
    bp.after_request(allow_origin)


def recheck() -> Callable[[], bool]:
    """Whether whoever asks now may still ask later; to be called outside of the request."""
    header, settings = request.headers.get("Authorization", ""), services().settings
    return lambda: _key_of(header, settings) is not None


def check_key() -> Response | None:
    """A `before_request`: 401 without a valid key, 403 for a reading key that writes; the key is in `g.api_key`."""
    if request.method == "OPTIONS":
        return Response(status=204)  # a browser asks before it may send the key; `allow_origin` answers it
    key = _key_of(request.headers.get("Authorization", ""), services().settings)
    if key is None:
        raise OrchestratorError("unauthorized", "A valid bearer key is needed")
    if key.is_read_only and request.method not in _READING:
        raise OrchestratorError("forbidden", "This key is for reading only")
    g.api_key = key
    return None


def _key_of(header: str, settings: Settings) -> ApiKey | None:
    """Compares hashes, all of them, so that neither length nor position of a difference shows in the time taken."""
    scheme, _, token = header.partition(" ")
    given = _digest(token.strip())
    found = None
    for key in settings.api_keys():
        if hmac.compare_digest(_digest(key.key), given):
            found = key
    return found if scheme.lower() == "bearer" else None


def has_bearer(values: tuple[str, ...]) -> bool:
    """Whether the request carries one of these tokens."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = _digest(token.strip())
    matches = [hmac.compare_digest(_digest(value), given) for value in values]
    return scheme.lower() == "bearer" and any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def allow_origin(answer: Response) -> Response:
    """Cross-origin answers for the configured origins, and for no other."""
    origin = request.headers.get("Origin")
    answer.headers.add("Vary", "Origin")
    if origin is not None and origin in services().settings.agent_api_origins:
        answer.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
            answer.headers["Access-Control-Max-Age"] = "600"
    return answer
