"""ASAPP's API: one attempt, one deadline, an outcome in neutral words. Nothing here retries or raises.

Sources: ASAPP's OpenAPI `mg-autotranscribe` (start-streaming, stop-streaming, twilio-media-stream-url),
`conversations` (messages by external id), `healthcheck`, and its Twilio guide. HTTP 200 alone means only that ASAPP's
router took the request; the body tells the rest. Subcodes such as `409-201` are the SIPREC page's, whose gateway
shares the API.

A request that was answered in a way nobody can read may have been carried out, so it is `FAILED`, not refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from orchestrator.asapp import answers
from orchestrator.asapp.day import DAY_IS_OVER, Day, Endless, Reserved
from orchestrator.asapp.wire import StoredMessage, WireError, stored_messages
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.profile import Profile
from orchestrator.counting import Count, counted, nowhere
from orchestrator.http import Answer, Http, NoAnswer, NotSent, TooLarge

_GATEWAY = "/mg-autotranscribe/v1"
_MESSAGES_MAX_BYTES = 16 * 1024 * 1024
"""ASAPP returns up to 1,000 messages in one answer."""
_OFF = frozenset({Verdict.DONE, Verdict.ALREADY, Verdict.NO_STREAM})
_NOT_STARTED = frozenset({Verdict.REFUSED_FOR_NOW, Verdict.TERMINAL})


class FetchedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """ASAPP's stream URL, a secret, and when it was asked for: its five minutes are counted from there."""

    url: str
    requested_at_ms: int

    def __repr__(self) -> str:
        return f"FetchedUrl(hidden, {self.requested_at_ms})"


class AsappClient:
    """`credentials()` gives id and secret for each request, so a rotation needs no restart. `day`: see its module."""

    def __init__(
        self,
        http: Http,
        base_url: str,
        credentials: Callable[[], tuple[str, str]],
        count: Count = nowhere,
        day: Day | None = None,
    ) -> None:
        self.count = count
        self._day: Day = day or Endless()
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials

    @counted("stream-url")
    def stream_url(self, *, requested_at_ms: int, timeout_ms: int = 2000) -> FetchedUrl | Outcome:
        """A URL for any number of media streams; `requested_at_ms` is now, by the clock that will judge its age."""
        if not self._day.may_ask():
            return DAY_IS_OVER
        got = self._ask("GET", _GATEWAY + "/twilio-media-stream-url", timeout_ms)
        if isinstance(got, Outcome):
            return got
        url = answers.stream_url(got)
        return url if isinstance(url, Outcome) else FetchedUrl(url=url, requested_at_ms=requested_at_ms)

    @counted("start-transcription")
    def start(
        self, call_sid: str, *, customer_id: str, agent_id: str, profile: Profile, timeout_ms: int = 2000
    ) -> Outcome:
        """Transcribe the call's media stream from now on. Sent again after a start it answers `ALREADY`.

        The stream is on the customer's leg: what Twilio receives there is the customer. The same four parameters go
        with every start, since what a change in mid-call does is not documented.
        """
        reserved = self._day.reserve(call_sid)
        if reserved is Reserved.REFUSED:
            return DAY_IS_OVER
        got = self._ask(
            "POST",
            _GATEWAY + "/start-streaming",
            timeout_ms,
            {
                "namespace": "twilio",
                "guid": call_sid,
                "customerId": customer_id,
                "agentId": agent_id,
                "autotranscribeParams": {
                    "language": profile.language,
                    "detailedToken": profile.detailed_tokens,
                    "audioRecordingAllowed": profile.audio_recording_allowed,
                    "redactionOutput": profile.redaction,
                },
                "twilioParams": {"trackMap": {"inbound": "customer", "outbound": "agent"}},
            },
        )
        outcome = got if isinstance(got, Outcome) else answers.streaming(got, is_start=True)
        is_off_still = reserved is Reserved.NEW and outcome.verdict in _NOT_STARTED
        if is_off_still or outcome.verdict is Verdict.NO_STREAM:
            self._day.release(call_sid)
        return outcome

    @counted("stop-transcription")
    def stop(self, call_sid: str, *, timeout_ms: int = 2000) -> Outcome:
        """Transcribe no more. `DONE` carries stream ids and how many transcripts ASAPP counted."""
        got = self._ask("POST", _GATEWAY + "/stop-streaming", timeout_ms, {"namespace": "twilio", "guid": call_sid})
        self._day.sent()
        outcome = got if isinstance(got, Outcome) else answers.streaming(got, is_start=False)
        if outcome.verdict in _OFF:
            self._day.release(call_sid)
        return outcome

    @counted("messages")
    def messages(self, external_id: str, *, timeout_ms: int = 10_000) -> list[StoredMessage] | Outcome:
        """The call's stored messages, in the order of the answer. Unknown calls: an empty list or `TERMINAL` 404."""
        if not self._day.may_ask():
            return DAY_IS_OVER
        path = "/conversation/v1/conversation/messages"
        got = self._ask("GET", path, timeout_ms, query={"externalId": external_id}, max_bytes=_MESSAGES_MAX_BYTES)
        if isinstance(got, Outcome):
            return got
        if got.status != answers.OK:
            return answers.refusal(got)
        try:
            return stored_messages(got.body)
        except WireError as error:
            return answers.unreadable(str(error))

    @counted("health")
    def health(self, *, timeout_ms: int = 2000) -> Outcome:
        """`DONE` when ASAPP says that it is well. Counts against the same rate limit as everything else."""
        if not self._day.may_ask():
            return DAY_IS_OVER
        got = self._ask("GET", "/v1/health", timeout_ms)
        return got if isinstance(got, Outcome) else answers.health(got)

    def _ask(
        self,
        method: Literal["GET", "POST"],
        path: str,
        timeout_ms: int,
        json: object = None,
        *,
        query: dict[str, str] | None = None,
        max_bytes: int = 65_536,
    ) -> Answer | Outcome:
        key, secret = self._credentials()
        try:
            return self._http.request(
                method,
                self._base_url + path,
                deadline_s=timeout_ms / 1000,
                headers={"asapp-api-id": key, "asapp-api-secret": secret, "Accept": "application/json"},
                params=query,
                json=json,
                max_bytes=max_bytes,
                # start and stop name a state: the second of two answers 409-201, which the caller understands
                is_repeatable=True,
            )
        except NotSent as error:
            return Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="5xx", detail=f"not sent: {error.reason}")
        except NoAnswer as error:
            return Outcome(verdict=Verdict.UNKNOWN, family="5xx", detail=f"no answer: {error.reason}")
        except TooLarge as error:
            return answers.unreadable(str(error))
