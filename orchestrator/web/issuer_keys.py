"""The keys of who issues ASAPP's tokens (JWKS), kept so that its bad days are not ours.

A thread that serves a request waits for the issuer for two seconds at most, one at a time, and not again within ten
seconds; those who need a key meanwhile wait for that one, a second at most. Keys are fetched again after an hour, and
at once (if ten seconds have passed) when a token names one that is not known: a rotation. While the issuer cannot be
reached, keys are trusted for a day.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import jwt

from orchestrator.http import Http, HttpError
from orchestrator.log import get_logger

FETCH_S = 2.0
WAIT_S = 1.0
RETRY_S = 10.0
FRESH_S = 3600.0
TRUSTED_S = 86_400.0
_OK = 200
_log = get_logger("orchestrator.web.transcripts")

Fetch = Callable[[], bytes | None]
"""The issuer's answer as it is; None without one. Ends within `FETCH_S`."""


class IssuerKeys:
    """Thread-safe. `clock` in seconds."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id; without an id the only one there is."""
        if self._known(key_id) is None:
            self._refresh(wait_s=WAIT_S)
        elif self._age() > FRESH_S:
            self._refresh(wait_s=0.0)
        return self._known(key_id)

    def _known(self, key_id: str | None) -> jwt.PyJWK | None:
        if self._age() > TRUSTED_S:
            return None
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _is_too_soon(self) -> bool:
        return self._clock() - self._tried_at < RETRY_S

    def _refresh(self, wait_s: float) -> None:
        """Fetches, unless that was tried just now; while another thread does, waits for it so long."""
        if self._is_too_soon() or not self._lock.acquire(timeout=wait_s):
            return
        try:
            if not self._is_too_soon():
                self._take(self._fetch())
        finally:
            self._tried_at = self._clock()
            self._lock.release()

    def _take(self, answer: bytes | None) -> None:
        try:
            found = None if answer is None else jwt.PyJWKSet.from_json(answer.decode())
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):  # whatever somebody else's page may be
            found = None
        if found is None:
            _log.warning("the token issuer's keys cannot be fetched")
            return
        self._keys = {key.key_id: key for key in found.keys}
        self._fetched_at = self._clock()


def fetch_from(http: Http, url: str) -> Fetch:
    def fetch() -> bytes | None:
        try:
            answer = http.request("GET", url, deadline_s=FETCH_S, headers={"Accept": "application/json"})
        except HttpError:
            return None
        return answer.body if answer.status == _OK else None

    return fetch
