"""HTTP to the vendors: one attempt with one total deadline, and the truth about whether it was carried out.

`Http.request` answers with what came back, or raises one of three errors that differ in what they say about the
vendor's state: `NotSent` (certainly not carried out: name, connection or TLS failed before a byte of the request
left), `NoAnswer` (it left; nobody knows) and `TooLarge` (answered, with more than we are willing to read).

The deadline covers name resolution, every address tried, TLS, sending, headers and body together. `requests` counts
its timeout per read, so a server that drips single bytes would never exceed it; here a watchdog shuts the line down
when the deadline passes, which wakes whatever read is waiting.

A server may close a kept-alive connection at the moment we send. Connections that were idle for a while are therefore
not used again, and a request that is harmless to repeat (`is_repeatable`) is sent once more, at once, within the same
deadline, if a used connection broke before a single byte of the answer. Whoever creates something never sets it.

No redirect is followed, no proxy, netrc or cookie is used; of the environment only the CA bundle counts
(`REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`). Safe to share among threads. Errors and reprs name no URL.
"""

from __future__ import annotations

import http.cookiejar
import os
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter

from orchestrator import lines

_CHUNK = 16_384


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, whatever its status."""

    status: int
    body: bytes
    content_type: str
    elapsed_ms: int

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes of {self.content_type!r}, {self.elapsed_ms} ms)"


class HttpError(Exception):
    """Base of the three; `reason` is a short word for people, never a URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(HttpError):  # noqa: N818  # the name tells what is known
    """Not a byte of the request left: it was certainly not carried out."""


class NoAnswer(HttpError):  # noqa: N818  # the name tells what is known
    """The request left, no whole answer came: it may have been carried out."""


class TooLarge(HttpError):  # noqa: N818  # the name tells what is known
    """The answer was larger than `max_bytes`."""


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        lines.install(self.poolmanager)


class Http:
    """A pool of connections. `pool`: how many are kept per host; more than that are opened and closed again."""

    def __init__(self, pool: int) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
        self._session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        adapter = _Adapter(pool_connections=8, pool_maxsize=pool, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        self._session.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | bytes | None = None,
        json: object = None,
        auth: tuple[str, str] | None = None,
        max_bytes: int = 65_536,
        is_repeatable: bool = False,
    ) -> Answer:
        """One attempt. Raises `NotSent`, `NoAnswer` or `TooLarge`; a GET is always repeatable."""
        started = time.monotonic()
        deadline = started + deadline_s
        request = requests.Request(method, url, headers=dict(headers or {}), params=params, data=data, json=json)
        request.auth = auth
        try:
            prepared = self._session.prepare_request(request)
        except (requests.RequestException, UnicodeError, ValueError):
            raise NotSent("unusable address") from None
        prepared.headers["Accept-Encoding"] = "identity"
        can_repeat = is_repeatable or method == "GET"
        try:
            return self._attempt(prepared, started, deadline, max_bytes, can_repeat=can_repeat)
        except _BrokenBeforeAnswer:
            try:
                return self._attempt(prepared, started, deadline, max_bytes, can_repeat=False)
            except NotSent as error:
                raise NoAnswer(error.reason) from None  # the first time it did leave

    def _attempt(
        self,
        prepared: requests.PreparedRequest,
        started: float,
        deadline: float,
        max_bytes: int,
        *,
        can_repeat: bool,
    ) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotSent("deadline")
        with lines.Guard(deadline, is_repeatable=can_repeat) as guard:
            try:
                response = self._session.send(prepared, stream=True, timeout=left, allow_redirects=False)
                with closing(response):
                    body = _read(response, max_bytes)
            except (
                requests.RequestException,
                urllib3.exceptions.HTTPError,
                OSError,
                UnicodeError,
                ValueError,
            ) as error:
                if can_repeat and guard.is_stale_line():
                    raise _BrokenBeforeAnswer from None
                is_late = guard.is_expired or time.monotonic() >= deadline  # the watchdog and the line's own timer race
                reason = "deadline" if is_late else type(error).__name__
                raise (NoAnswer(reason) if guard.is_sent else NotSent(reason)) from None
            if guard.is_expired:  # the shut line reads like the end of an answer that gave no length
                raise NoAnswer("deadline")
            return Answer(
                status=response.status_code,
                body=body,
                content_type=response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                elapsed_ms=round((time.monotonic() - started) * 1000),
            )


class _BrokenBeforeAnswer(Exception):  # noqa: N818  # never leaves this module
    """A used connection broke before a byte of the answer."""


def _read(response: requests.Response, max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"more than {max_bytes} bytes")
    return bytes(body)
