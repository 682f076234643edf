"""Twilio's REST API: one attempt, one deadline, an outcome in neutral words or what was read. Never raises.

Sources: Twilio: Streams resource, Call resource, Conference and Participants resources, IncomingPhoneNumbers.
A stream cannot be listed or read, and creating one is not idempotent: it bears our name, by which it can be stopped.
Reads of a call are eventually consistent; an event read here never outranks a callback by itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.events import CallRead, LegRead, ParticipantSnapshot, ParticipantsRead
from orchestrator.counting import Count, counted, nowhere
from orchestrator.http import Http
from orchestrator.twilio import answers
from orchestrator.twilio.sdk import Found, Sdk

_PAGE_SIZE = 100
_MOST_PARTICIPANTS = 500
_MOST_CALLS = 5000
_STREAM_SID = re.compile(r"MZ[0-9a-f]{32}\Z")
_PATH_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_BEFORE = ("queued", "initiated", "ringing")
_AFTER = ("completed", "busy", "failed", "no-answer", "canceled")


class ListedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """A leg that is in progress. `direction` is `inbound`, `outbound-api` or `outbound-dial`."""

    sid: str
    parent: str | None
    direction: str
    caller: str
    called: str

    def __repr__(self) -> str:
        return f"ListedLeg({self.sid}, {self.direction}, numbers hidden)"


class CallsInProgress(msgspec.Struct, frozen=True, kw_only=True):
    """`cut`: empty, or why these may not be all: `late` or `many`."""

    legs: list[ListedLeg]
    cut: str = ""


class PhoneNumber(msgspec.Struct, frozen=True, kw_only=True):
    """How a number of the account is configured; an application or a trunk takes precedence over the voice URL."""

    sid: str
    phone_number: str = ""
    voice_url: str = ""
    voice_method: str = ""
    voice_fallback_url: str = ""
    voice_fallback_method: str = ""
    status_callback: str = ""
    status_callback_method: str = ""
    voice_application_sid: str = ""
    trunk_sid: str = ""

    def __repr__(self) -> str:
        return f"PhoneNumber({self.sid}, number hidden)"


class TwilioClient:
    """Thread-safe. `credentials()`: API key and secret where present, else account SID and token."""

    def __init__(
        self,
        http: Http,
        base_url: str,
        account_sid: str,
        credentials: Callable[[], tuple[str, str]],
        count: Count = nowhere,
    ) -> None:
        self.count = count
        self._sdk = Sdk(http, base_url, account_sid, credentials)

    @counted("create-stream")
    def create_stream(
        self, call_sid: str, *, name: str, url: str, status_callback: str, timeout_ms: int = 3000
    ) -> Outcome:
        """Fork both tracks of a leg to `url`. `DONE` has the stream's SID; after `FAILED`, `UNKNOWN` it may live."""

        def create(client: Any) -> Outcome:
            stream = client.calls(call_sid).streams.create(
                url=url,
                name=name,
                track="both_tracks",
                status_callback=status_callback,
                status_callback_method="POST",
            )
            if not isinstance(stream.sid, str) or not _STREAM_SID.match(stream.sid):
                return answers.unreadable("no SID of the stream")
            return Outcome(verdict=Verdict.DONE, sid=stream.sid)

        return self._attempt(timeout_ms, create, call_sid)

    @counted("stop-stream")
    def stop_stream(self, call_sid: str, sid_or_name: str, *, timeout_ms: int = 3000) -> Outcome:
        """End a stream. `NOT_FOUND` and `NOT_IN_PROGRESS` mean that it does not run."""

        def stop(client: Any) -> Outcome:
            client.calls(call_sid).streams(sid_or_name).update(status="stopped")
            return Outcome(verdict=Verdict.DONE)

        return self._attempt(timeout_ms, stop, call_sid, sid_or_name, is_repeatable=True)

    @counted("redirect-to-survey")
    def redirect_call(self, call_sid: str, twiml: str, *, timeout_ms: int = 3000) -> Outcome:
        """Run this document on the leg now. Not repeated even when a connection breaks: a survey starts once."""

        def redirect(client: Any) -> Outcome:
            client.calls(call_sid).update(twiml=twiml)
            return Outcome(verdict=Verdict.DONE)

        return self._attempt(timeout_ms, redirect, call_sid)

    @counted("complete-conference")
    def complete_conference(self, conference: str, *, timeout_ms: int = 3000) -> Outcome:
        """End a conference for everybody in it."""

        def complete(client: Any) -> Outcome:
            client.conferences(conference).update(status="completed")
            return Outcome(verdict=Verdict.DONE)

        return self._attempt(timeout_ms, complete, conference, is_repeatable=True)

    @counted("read-call")
    def read_call(self, call_sid: str, *, at: int, timeout_ms: int = 3000) -> CallRead | Outcome:
        """The customer's leg. `missing` only on Twilio's own 20404, not on a proxy's 404. `at` is now."""

        def read(client: Any) -> CallRead:
            leg = client.calls(call_sid).fetch()
            customer, called = _customer_first(leg)
            status = str(leg.status)
            known = "ringing" if status in _BEFORE else "ended" if status in _AFTER else status
            return CallRead(
                at=at + taken(),
                status=known if known in {"ringing", "in-progress", "ended"} else "unreadable",
                reason=status if status in _AFTER else "",
                parent=_text(leg.parent_call_sid) or None,
                customer_number=customer,
                called_number=called,
            )

        taken = _stopwatch()
        got = self._read(timeout_ms, read, call_sid)
        return CallRead(at=at + taken(), status="missing") if _is_missing(got) else got

    @counted("read-leg")
    def read_leg(self, leg: str, *, call_sid: str, at: int, timeout_ms: int = 3000) -> LegRead | Outcome:
        """Who an unlabelled leg is: whom Twilio dialled, or who called."""

        def read(client: Any) -> LegRead:
            found = client.calls(leg).fetch()
            identity = _text(found._from) if _text(found.direction) == "inbound" else _text(found.to)  # noqa: SLF001  # the SDK's name for it
            is_child = found.parent_call_sid == call_sid
            return LegRead(at=at + taken(), leg=leg, identity=identity or None, is_child_of_call=is_child)

        taken = _stopwatch()
        got = self._read(timeout_ms, read, leg)
        return LegRead(at=at + taken(), leg=leg) if _is_missing(got) else got

    @counted("read-participants")
    def read_participants(self, conference: str, *, at: int, timeout_ms: int = 3000) -> ParticipantsRead | Outcome:
        """Who is in the room, all pages. A conference that Twilio does not know (any more) has nobody in it."""

        def read(client: Any) -> ParticipantsRead:
            records = client.conferences(conference).participants.list(limit=_MOST_PARTICIPANTS, page_size=_PAGE_SIZE)
            present = tuple(_snapshot(each) for each in records if each.status in {None, "connected"})
            return ParticipantsRead(at=at + taken(), asked_at=at, conference=conference, participants=present)

        taken = _stopwatch()
        got = self._read(timeout_ms, read, conference)
        if _is_missing(got):
            return ParticipantsRead(at=at + taken(), asked_at=at, conference=conference)
        return got

    @counted("list-calls")
    def list_calls_in_progress(self, *, page_ms: int = 10_000, list_ms: int = 60_000) -> CallsInProgress | Outcome:
        """Legs of the account that are in progress, agents' among them; 100 to a page, each with its own deadline.

        `cut` says why there may be more: after `list_ms` no other page is asked for, nor after 5,000 legs.
        """

        def read(client: Any) -> CallsInProgress:
            legs: list[ListedLeg] = []
            for leg in client.calls.stream(status="in-progress", limit=_MOST_CALLS, page_size=_PAGE_SIZE):
                legs.append(_listed(leg))
                if len(legs) % _PAGE_SIZE == 0 and taken() >= list_ms:
                    return CallsInProgress(legs=legs, cut="late")
            return CallsInProgress(legs=legs, cut="many" if len(legs) == _MOST_CALLS else "")

        taken = _stopwatch()
        return self._sdk.attempt(list_ms + page_ms, read, page_ms=page_ms)

    @counted("read-number")
    def number(self, phone_number: str, *, timeout_ms: int = 10_000) -> PhoneNumber | Outcome:
        """A number of the account as it is configured, or `NOT_FOUND`."""

        def read(client: Any) -> PhoneNumber | Outcome:
            found = client.incoming_phone_numbers.list(phone_number=phone_number, limit=1)
            if not found:
                return Outcome(verdict=Verdict.NOT_FOUND, detail="the account has no such number")
            return phone_number_of(found[0])

        return self._read(timeout_ms, read)

    def _attempt(
        self, timeout_ms: int, work: Callable[[Any], Outcome], *path: str, is_repeatable: bool = False
    ) -> Outcome:
        if not all(_PATH_SAFE.match(part) for part in path):
            return Outcome(verdict=Verdict.TERMINAL, detail="not an identifier")
        return self._sdk.attempt(timeout_ms, work, is_repeatable=is_repeatable)

    def _read(self, timeout_ms: int, work: Callable[[Any], Found], *path: str) -> Found | Outcome:
        if not all(_PATH_SAFE.match(part) for part in path):
            return Outcome(verdict=Verdict.TERMINAL, detail="not an identifier")
        return self._sdk.attempt(timeout_ms, work)


def phone_number_of(record: Any) -> PhoneNumber:
    """A number as the SDK read it."""
    return PhoneNumber(**{name: _text(getattr(record, name)) for name in PhoneNumber.__struct_fields__})


def _stopwatch() -> Callable[[], int]:
    """Milliseconds since now: an answer's time of receipt is the time of asking and what it took."""
    started = time.monotonic()
    return lambda: round((time.monotonic() - started) * 1000)


def _is_missing(got: object) -> bool:
    return isinstance(got, Outcome) and got.verdict is Verdict.NOT_FOUND and got.code == answers.NO_SUCH_RESOURCE


def _listed(leg: Any) -> ListedLeg:
    return ListedLeg(
        sid=str(leg.sid),
        parent=_text(leg.parent_call_sid) or None,
        direction=_text(leg.direction),
        caller=_text(leg._from),  # noqa: SLF001  # the SDK's name for it
        called=_text(leg.to),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _customer_first(leg: Any) -> tuple[str, str]:
    """The customer's number and ours: whoever called an inbound leg, whoever was dialled on another."""
    caller, called = _text(leg._from), _text(leg.to)  # noqa: SLF001  # the SDK's name for it
    return (caller, called) if _text(leg.direction) in {"", "inbound"} else (called, caller)


def _snapshot(participant: Any) -> ParticipantSnapshot:
    return ParticipantSnapshot(
        leg=str(participant.call_sid),
        label=_text(participant.label) or None,
        is_held=participant.hold is True,
        is_coaching=participant.coaching is True,
    )
