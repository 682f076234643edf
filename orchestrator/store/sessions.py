"""The console's sessions, and how often somebody tried to sign in: in Redis, so that every web process knows them.

A session is a random token in the browser's cookie; Redis keeps its digest, so that what is in Redis signs nobody in.
It ends after half a day, after an hour without a request, at sign-out, and when the password that opened it is changed
or taken away (`proof`). There is no secret to configure and nothing to rotate.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from orchestrator.store import keys as names
from orchestrator.store.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.clock import Clock
    from orchestrator.store.connect import Redis

IDLE_S = 3600
LONGEST_S = 12 * 3600
OPEN_S = 900
"""A transcript that is looked at again within so long was open all the time."""
WINDOW_S = 900
"""Tries to sign in are counted over so long, from the first one."""
_tries = Script("tries_count")


class Session(msgspec.Struct, frozen=True):
    """`form_token` goes into every form and comes back with it. `proof`: a digest of what signed this one in."""

    name: str
    proof: str
    form_token: str
    until: int


class Sessions:
    """Thread-safe; every method raises StoreUnavailable when Redis is away."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    def open(self, name: str, proof: str) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        session = Session(name, proof, secrets.token_urlsafe(24), self._clock.now_ms() + LONGEST_S * 1000)
        self._redis.execute_command("SET", _key(token), msgspec.json.encode(session), "EX", IDLE_S)
        return token

    def find(self, token: str) -> Session | None:
        """The session of this token, if it has not ended; it then goes on for another hour."""
        key = _key(token)
        found = self._redis.execute_command("GET", key)
        if found is None:
            return None
        session = msgspec.json.decode(found, type=Session)
        left_s = (session.until - self._clock.now_ms()) // 1000
        if left_s <= 0:
            return None
        self._redis.execute_command("EXPIRE", key, min(IDLE_S, left_s))
        return session

    def close(self, token: str) -> None:
        self._redis.execute_command("DEL", _key(token))

    def has_opened(self, session: Session, call_sid: str) -> bool:
        """Whether this session has had this call's transcript open lately; it then counts as open on."""
        return bool(self._redis.execute_command("EXPIRE", _opened(session, call_sid), OPEN_S))

    def note_opened(self, session: Session, call_sid: str) -> None:
        self._redis.execute_command("SET", _opened(session, call_sid), 1, "EX", OPEN_S)

    def count_try(self, limits: Sequence[tuple[str, int]]) -> int:
        """Counts one try to sign in under each name; `limits` are (name, tries allowed in `WINDOW_S`).

        0 while all are within their limits; else the seconds until the last one of those exceeded is forgotten.
        """
        keys = [names.tries(_digest(name)) for name, _ in limits]
        return int(_tries.run(self._redis, keys, [WINDOW_S, *(most for _, most in limits)]))

    def forget_tries(self, name: str) -> None:
        """After somebody signed in."""
        self._redis.execute_command("DEL", names.tries(_digest(name)))


def _key(token: str) -> str:
    return names.session(_digest(token))


def _opened(session: Session, call_sid: str) -> str:
    return names.opened(_digest(f"{session.form_token} {call_sid}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
