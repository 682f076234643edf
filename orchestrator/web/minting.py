"""`POST /api/v1/tokens`: a site's backend mints a token for one of its agents' browsers."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from flask import Blueprint, Response, request

from orchestrator.errors import OrchestratorError
from orchestrator.shown import moment
from orchestrator.web import access, limits
from orchestrator.web.adoption import call_or_leg
from orchestrator.web.bodies import json_object
from orchestrator.web.context import body, services
from orchestrator.web.operations import operation
from orchestrator.web.tokens import DEFAULT_S, LONGEST_S, Caller, mint

bp = Blueprint("tokens", __name__, url_prefix="/api/v1")
access.protect(bp, is_for_readers=True)


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is to allow. Left out: as much as the key, of all calls, for 15 minutes."""

    permission: Literal["read", "control"] | None = None
    agent_id: Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")] | None = None
    call_sid: Annotated[str, msgspec.Meta(pattern=r"^CA[0-9a-f]{32}$")] | None = None
    ttl_s: Annotated[int, msgspec.Meta(ge=10, le=LONGEST_S)] = DEFAULT_S


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """A minted token: sent as `Authorization: Bearer <token>` until it expires."""

    token: str
    expires_at: str
    permission: Literal["read", "control"]
    agent_id: str | None
    call_sid: str | None


@bp.post("/tokens")
@operation(
    "Mints a short-lived token for a browser; with a key only, not with a token.",
    answers={201: TokenShown},
    body=TokenRequest,
    needs_body=False,
    problems=("invalid-body", "too-large"),
)
def tokens() -> Response:
    key = access.key_of(request.headers.get("Authorization", ""), services().settings)
    if key is None:
        raise OrchestratorError("forbidden", "A token is minted with a key, not with a token")
    limits.take(access.caller())
    asked = _asked()
    if asked.permission == "control" and key.is_read_only:
        raise OrchestratorError("forbidden", "This key is for reading only")
    is_read_only = asked.permission == "read" or key.is_read_only
    call_sid = None if asked.call_sid is None else call_or_leg(asked.call_sid)[0]
    expires_at = int(time.time()) + asked.ttl_s
    claims = Caller(key=key.name, is_read_only=is_read_only, agent_id=asked.agent_id, call_sid=call_sid)
    shown = TokenShown(
        token=mint(key, claims, expires_at),
        expires_at=moment(expires_at * 1000) or "",
        permission="read" if is_read_only else "control",
        agent_id=asked.agent_id,
        call_sid=call_sid,
    )
    return Response(msgspec.json.encode(shown), status=201, content_type="application/json")


def _asked() -> TokenRequest:
    try:
        return msgspec.convert(json_object(body() or b"{}", "invalid-body"), TokenRequest)
    except msgspec.ValidationError as error:
        raise OrchestratorError("invalid-body", str(error)) from error
