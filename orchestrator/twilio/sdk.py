"""Twilio's SDK over our own HTTP, so that one deadline covers a whole operation and no exception gets out.

The SDK builds addresses and parameters and walks pages; everything that is not success is judged before it sees it.
It is given a fixed environment: TWILIO_REGION and TWILIO_EDGE, which it would take silently, must not turn our
requests to other hosts. A client object belongs to one attempt (it costs 0.2 ms), so credentials may rotate.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]  # the SDK is not marked as typed
from twilio.http import HttpClient  # type: ignore[import-untyped]  # the same
from twilio.http.response import Response  # type: ignore[import-untyped]  # the same
from twilio.rest import Client  # type: ignore[import-untyped]  # the same

from orchestrator.core.actions import Outcome
from orchestrator.http import Http, HttpError
from orchestrator.twilio import answers

_MAX_BYTES = 1024 * 1024
"""A page holds up to 1,000 small records; we ask for at most 100."""

Found = TypeVar("Found")


class _Refused(Exception):  # noqa: N818  # carries an outcome through the SDK, never leaves this module
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.verdict.value)
        self.outcome = outcome


class _Transport(HttpClient):  # type: ignore[misc]  # the SDK is not marked as typed
    """The SDK's way to the network for one attempt; `deadline` is of the monotonic clock, `page_s` for each request."""

    def __init__(self, http: Http, deadline: float, page_s: float, *, is_repeatable: bool) -> None:
        self.is_async = False
        self._http = http
        self._deadline = deadline
        self._page_s = page_s
        self._is_repeatable = is_repeatable

    def request(  # the SDK's signature
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        del timeout, allow_redirects  # ours is the deadline, and no redirect is followed
        try:
            answer = self._http.request(
                method.upper(),
                url,
                deadline_s=min(self._page_s, self._deadline - time.monotonic()),
                headers=headers,
                params=params,
                data=data,
                auth=auth,
                max_bytes=_MAX_BYTES,
                is_repeatable=self._is_repeatable,
            )
        except HttpError as error:
            raise _Refused(answers.no_answer(error)) from None
        refusal = answers.refusal(answer)
        if refusal is not None:
            raise _Refused(refusal)
        return Response(answer.status, answer.body.decode(errors="replace"))


def _of_taskrouter(base_url: str) -> str:
    """TaskRouter has a host of its own at Twilio; an emulator or proxy serves both under one address."""
    match = re.fullmatch(r"https://api\.((?:[\w-]+\.)*twilio\.com)", base_url)
    return base_url if match is None else f"https://taskrouter.{match[1]}"


class Sdk:
    """One account at one address. `credentials()` gives user name and password: a key and its secret, or SID, token."""

    def __init__(self, http: Http, base_url: str, account_sid: str, credentials: Callable[[], tuple[str, str]]) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._account_sid = account_sid
        self._credentials = credentials

    def attempt(
        self,
        timeout_ms: int,
        work: Callable[[Any], Found],
        *,
        is_repeatable: bool = False,
        page_ms: int | None = None,
    ) -> Found | Outcome:
        """`work(client)`'s result, or the outcome that stood in its way. `page_ms`: for each request of it."""
        user, password = self._credentials()
        deadline = time.monotonic() + timeout_ms / 1000
        client = Client(
            user,
            password,
            account_sid=self._account_sid,
            http_client=_Transport(self._http, deadline, (page_ms or timeout_ms) / 1000, is_repeatable=is_repeatable),
            environment={"TWILIO_ACCOUNT_SID": self._account_sid},
        )
        client.api.base_url = self._base_url
        client.taskrouter.base_url = _of_taskrouter(self._base_url)
        try:
            return work(client)
        except _Refused as refused:
            return refused.outcome
        except (TwilioException, ValueError, TypeError, AttributeError, KeyError) as error:
            # What the SDK says of an answer whose fields have other types than documented.
            return answers.unreadable(f"an answer of another shape ({type(error).__name__})")
