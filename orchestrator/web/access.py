"""Who may use the API: bearer keys and tokens minted from them, what each may see, and which origins may ask."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from flask import Blueprint, Response, g, request

from orchestrator.core.call import Call
from orchestrator.errors import OrchestratorError
from orchestrator.feeds.view import agents_of
from orchestrator.settings import ApiKey, Settings
from orchestrator.web import limits
from orchestrator.web.context import services
from orchestrator.web.desktop_events import Reported
from orchestrator.web.tokens import Caller, caller_of

NO_SUCH_CALL = "No call is known by this SID"
_READING = frozenset({"GET", "HEAD"})


def protect(bp: Blueprint, *, is_for_readers: bool = False) -> None:
    """Every view of it asks for a key or a token, and may be asked by the configured origins.

    `is_for_readers`: who may only read may POST here, too.
    """
    bp.before_request(check_caller)
    if not is_for_readers:
        bp.before_request(check_permission)
    bp.after_request(allow_origin)


def caller() -> Caller:
    """Who asks."""
    found: Caller = g.caller
    return found


def check_caller() -> Response | None:
    """A `before_request`: 401 without a valid key or token."""
    if request.method == "OPTIONS":
        return Response(status=204)  # a browser asks before it may send the key; `allow_origin` answers it
    found = _caller_of(request.headers.get("Authorization", ""), services().settings)
    if found is None:
        raise OrchestratorError("unauthorized", "A valid bearer key or token is needed")
    g.caller = found
    if request.method in _READING:
        limits.take(found)
    return None


def check_permission() -> None:
    """A `before_request`: 403 for who may only read and writes."""
    if caller().is_read_only and request.method not in _READING:
        raise OrchestratorError("forbidden", "This key or token is for reading only")


def recheck() -> Callable[[], bool]:
    """Whether whoever asks now may still ask later; to be called outside of the request."""
    header, settings, now = request.headers.get("Authorization", ""), services().settings, caller()
    return lambda: _caller_of(header, settings) == now


def key_of(header: str, settings: Settings) -> ApiKey | None:
    """Compares hashes, all of them, so that neither length nor position of a difference shows in the time taken."""
    scheme, _, token = header.partition(" ")
    given = _digest(token.strip())
    found = None
    for key in settings.api_keys():
        if hmac.compare_digest(_digest(key.key), given):
            found = key
    return found if scheme.lower() == "bearer" else None


def _caller_of(header: str, settings: Settings) -> Caller | None:
    key = key_of(header, settings)
    if key is not None:
        return Caller(key=key.name, is_read_only=key.is_read_only)
    scheme, _, token = header.partition(" ")
    return caller_of(token.strip(), settings.api_keys(), time.time()) if scheme.lower() == "bearer" else None


def check_call(call: Call, named: str) -> Call:
    """The call, if the caller may see it, else 404 as for one that does not exist; `named`: the SID in the path.

    A token for one call is for that call whoever is on it; one for an agent is for the calls that agent is on.
    """
    who = caller()
    if who.call_sid is not None:
        may_see = who.call_sid in {call.call_sid, named}
    else:
        may_see = who.agent_id is None or who.agent_id in agents_of(call)
    if not may_see:
        raise OrchestratorError("no-such-call", NO_SUCH_CALL)
    return call


def check_report(call_sid: str, named: str, reported: Reported) -> None:
    """A token for an agent tells of no other agent, and of no call but those it may see. Raises 403 or 404."""
    who = caller()
    if who.agent_id is not None and not _is_own(who.agent_id, reported):
        raise OrchestratorError("forbidden", "This token tells of its own agent only")
    if who.call_sid is not None:
        may_tell = who.call_sid in {call_sid, named}
    else:
        call = None if who.agent_id is None else services().store.load(call_sid)
        may_tell = who.agent_id is None or (call is not None and who.agent_id in agents_of(call))
    if not may_tell:
        raise OrchestratorError("no-such-call", NO_SUCH_CALL)


def _is_own(agent_id: str, reported: Reported) -> bool:
    is_about_an_agent = reported.type in {"agent-connected", "agent-disconnected"}
    return reported.agent_id == agent_id or (reported.agent_id is None and not is_about_an_agent)


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
        answer.headers["Access-Control-Expose-Headers"] = "Retry-After"
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
            answer.headers["Access-Control-Max-Age"] = "600"
    return answer
