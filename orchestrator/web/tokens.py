"""Short-lived tokens for browsers, minted from a key, so that no long-lived secret lies in one.

A token is signed with a secret made of its key, so it needs no store, and dies with the key. It carries what it allows:
reading or control, of all calls, of one agent's, or of one call. Times are seconds since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from orchestrator.settings import ApiKey

PREFIX = "bt_"
LONGEST_S = 3600
DEFAULT_S = 900
_LONGEST_TOKEN = 2048


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `agent_id`, `call_sid`: all that a token may see; a key may see everything."""

    key: str
    is_read_only: bool = False
    agent_id: str | None = None
    call_sid: str | None = None
    is_token: bool = False

    @property
    def source(self) -> str:
        """The name under which reports are ordered and shown."""
        return f"{self.key}:{self.agent_id}" if self.agent_id else self.key


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    expires_at: int
    is_read_only: bool
    agent_id: str | None = None
    call_sid: str | None = None


def mint(key: ApiKey, claims: Caller, expires_at: int) -> str:
    """A token of this key for what `claims` allow, and never more than the key itself does."""
    told = _Claims(
        expires_at=expires_at,
        is_read_only=claims.is_read_only or key.is_read_only,
        agent_id=claims.agent_id,
        call_sid=claims.call_sid,
    )
    return PREFIX + _signer(key).dumps(msgspec.to_builtins(told))


def caller_of(token: str, keys: Iterable[ApiKey], now: float) -> Caller | None:
    """None for what no present key has signed, and when its time is over."""
    if not token.startswith(PREFIX) or len(token) > _LONGEST_TOKEN:
        return None
    for key in keys:
        claims = _claims(key, token.removeprefix(PREFIX))
        if claims is not None and now < claims.expires_at:
            return Caller(
                key=key.name,
                is_read_only=claims.is_read_only or key.is_read_only,
                agent_id=claims.agent_id,
                call_sid=claims.call_sid,
                is_token=True,
            )
    return None


def _claims(key: ApiKey, text: str) -> _Claims | None:
    try:
        told: Any = _signer(key).loads(text)
        return msgspec.convert(told, _Claims)
    except (BadData, msgspec.ValidationError):
        return None


def _signer(key: ApiKey) -> URLSafeSerializer:
    return URLSafeSerializer(
        key.key,
        salt=b"orchestrator browser token",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
