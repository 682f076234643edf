"""The one stream URL that serves every call for a while: kept, shared, refreshed ahead, never handed out old.

ASAPP: twilio-media-stream-url. A URL is good for five minutes from the request that fetched it and for any number of
streams; whether it is still good is judged only when Twilio connects. So it is handed out for four minutes, counted
from when its request was sent, by the clock that all processes share. It is a secret, opaque, and passed on untouched.

Redis holds it for everybody (`orchestrator:stream-url`), each process keeps a copy and looks in Redis again every few
seconds, beside the request that is being served. One process at a time fetches (`orchestrator:stream-url-fetch`), while
the breaker of all fetches lets it; calls that wait for a URL are made due when that closes. With Redis away, or with
none, each process goes on for itself, and rests two seconds after a failure.

`at_hand` and `in_memory` never ask ASAPP (the voice webhook), `get` and `refresh` may (workers). Nothing here raises.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from orchestrator.asapp.client import FetchedUrl
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.threads import has_begun

USABLE_MS = 240_000
REFRESH_MS = 120_000
_KEY = "orchestrator:stream-url"
_FETCH_KEY = "orchestrator:stream-url-fetch"
_FETCH_MS = 2000
_REST_S = 2.0
_LOOK_AGAIN_S = 5.0
_PATIENCE_S = 0.5
"""How long a webhook waits for Redis when this process holds no URL: a hung Redis takes two seconds."""
_POLL_S = 0.05
_FORGETTABLE_MS = 10_000
_CLOCK_SLACK_MS = 5000
_USABLE_TEXT = re.compile(r"[!-~]{1,4096}")

log = structlog.get_logger(__name__)


class Clock(Protocol):
    def now_ms(self) -> int: ...


class Redis(Protocol):
    """What is asked of Redis; a failure is an `OrchestratorError`."""

    def get(self, name: str) -> Any: ...
    def set(self, name: str, value: Any, ex: int | None = None, px: int | None = None, nx: bool = False) -> Any: ...
    def delete(self, *names: str) -> Any: ...


class UrlSource(Protocol):
    def stream_url(self, *, requested_at_ms: int, timeout_ms: int = 2000) -> FetchedUrl | Outcome: ...


class Breaker(Protocol):
    """`store.breakers`: shared by all processes; a failure of Redis is an `OrchestratorError`."""

    def ask(self) -> int: ...
    def answered(self) -> None: ...
    def failed(self, *, at_once: bool = False) -> object: ...


class StreamUrls:
    """Thread-safe. `redis` None: this process alone. `irregular` counts URLs that Twilio is known to cut short."""

    def __init__(self, redis: Redis | None, client: UrlSource, clock: Clock, breaker: Breaker | None = None) -> None:
        self._redis = redis
        self._breaker = breaker
        self._client = client
        self._clock = clock
        self._kept: FetchedUrl | None = None
        self._looked_at = float("-inf")
        self._redis_failed_at = float("-inf")
        self._fetch_not_before = float("-inf")
        self._lock = threading.Lock()
        self._looking: threading.Event | None = None
        self._fetching = threading.Lock()
        self.irregular = 0

    def __repr__(self) -> str:
        return "StreamUrls(hidden)"

    def at_hand(self) -> str | None:
        """A URL that may be handed out now; waits for nothing while this process holds one, else half a second."""
        usable = self._usable()
        if usable is None:
            self._look(_PATIENCE_S)
            usable = self._usable()
        elif time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._look(0)
        return usable.url if usable is not None else None

    def in_memory(self) -> str | None:
        """What `at_hand` has without any look at Redis: for whoever has just found that away."""
        usable = self._usable()
        return usable.url if usable is not None else None

    def get(self, wait_s: float) -> str | None:
        """For a worker that needs one: at hand, or fetched here or by whoever is at it, within `wait_s`."""
        deadline = time.monotonic() + wait_s
        url = self.at_hand()
        while url is None and (left := deadline - time.monotonic()) > 0:
            if self._fetch(min(_FETCH_MS, round(left * 1000))) is None:
                time.sleep(min(_POLL_S, left))
                self._look(min(_PATIENCE_S, left))
            elif self._usable() is None:
                return None
            usable = self._usable()
            url = usable.url if usable is not None else None
        return url

    def refresh(self) -> Outcome | None:
        """For the workers' upkeep, every second: fetch ahead of need. None when there was nothing to do."""
        if self._is_young():
            return None
        self._look(_PATIENCE_S)
        return None if self._is_young() else self._fetch(_FETCH_MS)

    def forget(self, url: str | None = None) -> None:
        """A stream failed to open with this URL (None: with the one at hand): nobody shall hand it out again.

        A URL of the last seconds stays: fetching one for every failing stream would help nobody.
        """
        kept = self._kept
        if kept is None or (url is not None and url != kept.url):
            return
        if self._clock.now_ms() - kept.requested_at_ms < _FORGETTABLE_MS:
            return
        self._kept = None
        if self._redis is not None:
            try:
                if _decoded(self._redis.get(_KEY)) == kept:
                    self._redis.delete(_KEY)
            except OrchestratorError:
                self._redis_failed_at = time.monotonic()

    def age_ms(self) -> int | None:
        """How old the URL is that would be handed out; None when there is none."""
        self.at_hand()
        usable = self._usable()
        return None if usable is None else max(0, self._clock.now_ms() - usable.requested_at_ms)

    def _usable(self) -> FetchedUrl | None:
        kept = self._kept
        return kept if kept is not None and self._is_within(kept, USABLE_MS) else None

    def _is_young(self) -> bool:
        kept = self._kept
        if kept is None or not self._is_within(kept, REFRESH_MS):
            return False
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._look(0)
        return True

    def _is_within(self, kept: FetchedUrl, limit_ms: int) -> bool:
        """A time in the future is no younger than an old one: a clock was set back, or the value is not ours."""
        return -_CLOCK_SLACK_MS <= self._clock.now_ms() - kept.requested_at_ms <= limit_ms

    def _is_redis_failing(self) -> bool:
        return self._redis is None or time.monotonic() - self._redis_failed_at < _REST_S

    def _look(self, wait_s: float) -> None:
        """Read Redis's copy in a thread of its own (one at a time), and wait for it at most so long."""
        if self._redis is None or self._is_redis_failing():
            return
        with self._lock:
            done = self._looking
            if done is None:
                done = threading.Event()
                reader = threading.Thread(target=self._read, args=(self._redis, done), name="stream-url", daemon=True)
                if not has_begun(reader):
                    return
                self._looking = done
        if wait_s > 0:
            done.wait(wait_s)

    def _read(self, redis: Redis, done: threading.Event) -> None:
        before = self._kept
        try:
            found = _decoded(redis.get(_KEY))
            with self._lock:
                if self._kept is before:  # else this process has just fetched a newer one
                    self._kept = found
                self._looked_at = time.monotonic()
        except OrchestratorError:
            self._redis_failed_at = self._looked_at = time.monotonic()
        finally:
            with self._lock:
                self._looking = None
            done.set()

    def _fetch(self, timeout_ms: int) -> Outcome | None:
        """Ask ASAPP, unless somebody does or the breaker is open; None then."""
        if not self._fetching.acquire(blocking=False):
            return None
        try:
            if not self._may_fetch():
                return None
            requested_at = self._clock.now_ms()
            got = self._client.stream_url(requested_at_ms=requested_at, timeout_ms=timeout_ms)
            if isinstance(got, FetchedUrl):
                got = self._keep(got)
            self._tell(got)
            return got
        finally:
            self._fetching.release()

    def _may_fetch(self) -> bool:
        if self._redis is None or self._breaker is None or self._is_redis_failing():
            return time.monotonic() >= self._fetch_not_before
        try:
            return self._breaker.ask() == 0 and self._has_turn(self._redis)
        except OrchestratorError:
            self._redis_failed_at = time.monotonic()
            return time.monotonic() >= self._fetch_not_before

    def _has_turn(self, redis: Redis) -> bool:
        """One process at a time; and whoever had the turn just before may have brought a URL."""
        if not redis.set(_FETCH_KEY, "1", px=_FETCH_MS + 1000, nx=True):
            return False
        before = self._kept
        self._look(_PATIENCE_S)
        if self._kept is before or not self._is_young():
            return True
        redis.delete(_FETCH_KEY)
        return False

    def _keep(self, fetched: FetchedUrl) -> Outcome:
        host = _host(fetched.url)
        if host is None:
            log.error("stream-url-refused", why="not wss:// with a host")
            return Outcome(verdict=Verdict.FAILED, code="unusable-url", detail="not wss:// with a host", family="5xx")
        if "?" in fetched.url or "#" in fetched.url:
            self._warn(host)
        with self._lock:
            self._kept = fetched
            self._looked_at = time.monotonic()
        self._publish(fetched)
        return Outcome(verdict=Verdict.DONE)

    def _warn(self, host: str) -> None:
        self.irregular += 1
        if self.irregular == 1:
            log.warning("stream-url-irregular", host=host, why="Twilio drops what follows ? or #; streams may fail")

    def _publish(self, fetched: FetchedUrl) -> None:
        if self._redis is None or self._is_redis_failing():
            return
        left = USABLE_MS - (self._clock.now_ms() - fetched.requested_at_ms)
        try:
            if left > 0:
                self._redis.set(_KEY, msgspec.json.encode(fetched), px=left)
        except OrchestratorError:
            self._redis_failed_at = time.monotonic()

    def _tell(self, got: Outcome) -> None:
        is_well = got.verdict is Verdict.DONE
        self._fetch_not_before = 0.0 if is_well else time.monotonic() + _REST_S
        if self._redis is None or self._breaker is None or self._is_redis_failing():
            return
        try:
            if is_well:
                self._breaker.answered()
            else:
                self._breaker.failed(at_once=got.family == "auth")
            self._redis.delete(_FETCH_KEY)
        except OrchestratorError:
            self._redis_failed_at = time.monotonic()


def _decoded(value: object) -> FetchedUrl | None:
    """Redis's copy; anything else there is nothing."""
    if not isinstance(value, bytes | str):
        return None
    try:
        found = msgspec.json.decode(value, type=FetchedUrl)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if _host(found.url) is not None else None


def _host(url: str) -> str | None:
    """The host of a URL that may be used: `wss://`, a host, nobody's name and password, nothing but printable ASCII."""
    if not _USABLE_TEXT.fullmatch(url):
        return None
    with suppress(ValueError):  # brackets or a port that are none
        parts = urlsplit(url)
        if parts.scheme == "wss" and "@" not in parts.netloc and parts.port != 0:
            return parts.hostname
    return None
