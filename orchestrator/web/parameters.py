"""What the desktop API's paths and queries name, checked."""

from __future__ import annotations

import re

from flask import request

from orchestrator.core.call import Call, Progress
from orchestrator.errors import OrchestratorError
from orchestrator.web import access
from orchestrator.web.context import CALL_SID, services

STATES = frozenset(
    ("waiting", "starting", "transcribing", "pausing", "paused", "interrupted", "survey", "not-transcribed", "ended")
)


def invalid(name: str, what: str) -> OrchestratorError:
    return OrchestratorError("invalid-parameter", f"{name} {what}", parameter=name)


def number(name: str, default: int, low: int, high: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise invalid(name, f"must be a whole number from {low} to {high}")
    return int(text)


def visible_call(sid: str) -> Call:
    """The call of any of its legs. Raises 404, also for one that the caller may not see."""
    store = services().store
    if CALL_SID.match(sid):
        found = store.load(sid)
        if found is None or found.progress is Progress.DROPPED:
            named = store.resolve("leg", sid)
            found = store.load(named) if named is not None else None
        if found is not None:
            return access.check_call(found, sid)
    raise OrchestratorError("no-such-call", access.NO_SUCH_CALL)
