"""Carries out one action: the vendor's request, one attempt, and its answer as an event.

`Executor.run` never raises for anything a vendor does. It owes the caller: an event to apply. It asks of the caller:
the intent is stored before, the event applied after. The only place that pairs actions with clients.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.call import Progress, StreamState, TranscriptionState
from orchestrator.store.errors import StoreUnavailable
from orchestrator.twilio import twiml
from orchestrator.worker.guards import NO_PLACE, Guards, HeldBack, rank_of, rank_of_start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.call import Call
    from orchestrator.services import Services

_URL_WAIT_S = 1.5
_NO_URL = Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="no-url", detail="no stream URL at hand")
_READS = (a.ReadCall, a.ReadLeg, a.ReadParticipants)
_AUDIT_WAIT_MS = 1_000
_ASAPP_ACTIONS = (a.StartTranscription, a.StopTranscription)
_PLACE_WAIT_MS = 50
_FRESH_MS = 30_000
_NO_PLACE = "all places at Twilio are taken"
_TELLS_NOTHING = ("missing", "unreadable")


def _has_url_failed(call: Call) -> bool:
    """The stream before the one to be created now was made at Twilio and failed without ever having lived."""
    before = call.streams[-2] if len(call.streams) > 1 else None
    if before is None or before.state is not StreamState.FAILED or before.live_at is not None:
        return False
    return before.sid is not None or before.origin == "twiml"


def _is_stream_fresh(call: Call, now: int) -> bool:
    """It was opened so lately that ASAPP must be taking streams now; an old one tells nothing of that."""
    stream = call.current_stream
    return stream is not None and (stream.live_at is None or now - stream.live_at < _FRESH_MS)


def _is_cut(action: a.VendorAction) -> bool:
    return isinstance(action, a.StopStream) and action.purpose == "cut"


def _place_wait_s(call: Call, action: a.VendorAction) -> float:
    """What can be done later does not wait for a place while something may be transcribed: a stop may be next.

    Nor does a cut, which goes without one.
    """
    if _is_cut(action):
        return 0.0
    can_be_later = isinstance(action, _READS) or (isinstance(action, a.StopStream) and action.purpose != "cut")
    return 0.0 if can_be_later and call.transcription.state is not TranscriptionState.OFF else 1.0


class Executor:
    """Thread-safe; one per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._guards = Guards(services)

    def held_back(self, action: a.VendorAction, call: Call) -> HeldBack | None:
        """By a breaker that is open; None: go now. The call is due when it closes, the newest talk first."""
        return self._guards.held_back(action, call)

    def wait_ms(self, action: a.VendorAction, call: Call) -> int:
        """How long the vendors' budgets ask this action to wait; 0: go now. Stops have a share of their own."""
        if isinstance(action, _READS):
            return self._reads_wait_ms(action, call)
        if not isinstance(action, _ASAPP_ACTIONS):
            return 0
        is_stop = isinstance(action, a.StopTranscription) and action.purpose != "reset"
        budget = self._services.budgets.asapp
        if is_stop:  # never held back: beyond its reserved share it goes all the same
            budget.take(is_stop=True)
            return 0
        return budget.take(who=call.call_sid, rank=rank_of_start(call))

    def _reads_wait_ms(self, action: a.ReadCall | a.ReadLeg | a.ReadParticipants, call: Call) -> int:
        """Regular looks give way to reads that something made due, and come back later rather than soon."""
        is_audit = not isinstance(action, a.ReadLeg) and action.why == "audit"
        rank = 0 if is_audit else 1 + rank_of(call)
        waiting = self._services.budgets.reads.take(is_stop=not is_audit, who=call.call_sid, rank=rank)
        return max(waiting, _AUDIT_WAIT_MS) if waiting and is_audit else waiting

    def run(self, call: Call, action: a.VendorAction, attempt: int) -> e.Event:
        """The event that tells what became of it."""
        if isinstance(action, _ASAPP_ACTIONS):
            return self._ended(action, attempt, self._ask_asapp(call, action))
        with self._twilio_place(_place_wait_s(call, action)) as has_place:
            if not has_place and not _is_cut(action):
                busy = Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="429", code=NO_PLACE, detail=_NO_PLACE)
                return self._unread(action, busy) or self._ended(action, attempt, busy)
            return self._ask_twilio(call, action, attempt)

    def _ended(self, action: a.VendorAction, attempt: int, outcome: Outcome) -> e.ActionEnded:
        outcome = self._guards.told(action, outcome)
        return e.ActionEnded(at=self._services.clock.now_ms(), action=action, attempt=attempt, outcome=outcome)

    def _ask_asapp(self, call: Call, action: a.StartTranscription | a.StopTranscription) -> Outcome:
        asapp = self._services.asapp
        if isinstance(action, a.StopTranscription):
            return asapp.stop(call.call_sid, timeout_ms=action.timeout_ms)
        outcome = asapp.start(
            call.call_sid,
            customer_id=call.customer_id or call.call_sid,
            agent_id=action.agent_id,
            profile=call.profile,
            timeout_ms=action.timeout_ms,
        )
        if outcome.verdict is Verdict.DONE and _is_stream_fresh(call, self._services.clock.now_ms()):
            self._guards.stream_arrives()
        return outcome

    def _ask_twilio(self, call: Call, action: a.VendorAction, attempt: int) -> e.Event:
        twilio, sid = self._services.twilio, call.call_sid
        read: e.CallRead | e.LegRead | e.ParticipantsRead | Outcome
        match action:
            case a.CreateStream():
                return self._ended(action, attempt, self._create_stream(call, action))
            case a.StopStream():
                name = action.sid or action.name
                return self._ended(action, attempt, twilio.stop_stream(sid, name, timeout_ms=action.timeout_ms))
            case a.RedirectToSurvey():
                document = twiml.survey_redirect(action.streams, action.survey_url)
                outcome = twilio.redirect_call(sid, document, timeout_ms=action.timeout_ms)
                return self._ended(action, attempt, outcome)
            case a.CompleteConference():
                outcome = twilio.complete_conference(action.conference, timeout_ms=action.timeout_ms)
                return self._ended(action, attempt, outcome)
            case a.ReadCall():
                read = self._read_call(call, action)
            case a.ReadLeg():
                read = twilio.read_leg(
                    action.leg, call_sid=sid, at=self._services.clock.now_ms(), timeout_ms=action.timeout_ms
                )
            case a.ReadParticipants():
                read = twilio.read_participants(
                    action.conference, at=self._services.clock.now_ms(), timeout_ms=action.timeout_ms
                )
        if not isinstance(read, Outcome):
            return read
        return self._unread(action, read) or self._ended(action, attempt, read)

    def _read_call(self, call: Call, action: a.ReadCall) -> e.CallRead | Outcome:
        """Of a SID that is in doubt also whose leg it is and what its numbers ask for: from its parent leg, if any."""
        services, deadline = self._services, time.monotonic() + action.timeout_ms / 1000
        read = services.twilio.read_call(call.call_sid, at=services.clock.now_ms(), timeout_ms=action.timeout_ms)
        if isinstance(read, Outcome) or call.progress is not Progress.UNKNOWN or read.status in _TELLS_NOTHING:
            return read
        profiles = services.profiles
        if read.parent is None:
            device = profiles.for_device(read.customer_number, read.called_number)
            return replace(read, profile=device or profiles.match(read.called_number))
        left_ms = max(0, round((deadline - time.monotonic()) * 1000))
        parent = services.twilio.read_call(read.parent, at=services.clock.now_ms(), timeout_ms=left_ms)
        if isinstance(parent, Outcome):
            return parent
        device = profiles.for_device(parent.customer_number, read.customer_number)
        return replace(
            read,
            profile=device or profiles.match(parent.called_number),
            parent_identity=parent.customer_number,
            parent_called=parent.called_number,
            is_parent_live=parent.status == "in-progress",
        )

    def _unread(self, action: a.VendorAction, outcome: Outcome) -> e.Event | None:
        """The event that says that a read told nothing, and why where that is ours to set right."""
        now = self._services.clock.now_ms()
        refusal = f"{outcome.code} {outcome.detail}".strip() if outcome.family == "auth" else ""
        match action:
            case a.ReadCall():
                return e.CallRead(at=now, status="unreadable", refusal=refusal)
            case a.ReadLeg():
                return e.LegRead(at=now, leg=action.leg, refusal=refusal)
            case a.ReadParticipants():
                return e.ParticipantsRead(
                    at=now, conference=action.conference, asked_at=now, is_readable=False, refusal=refusal
                )
            case _:
                return None

    def _create_stream(self, call: Call, action: a.CreateStream) -> Outcome:
        if _has_url_failed(call):
            self._services.stream_urls.forget()
            self._guards.stream_never_lived()
        url = self._services.stream_urls.get(_URL_WAIT_S)
        if url is None:
            return replace(_NO_URL, is_paced=self._services.budgets.urls.is_open())
        return self._services.twilio.create_stream(
            call.call_sid,
            name=action.name,
            url=url,
            status_callback=self._services.callback_urls.stream_status(call.call_sid),
            timeout_ms=action.timeout_ms,
        )

    @contextmanager
    def _twilio_place(self, wait_s: float) -> Iterator[bool]:
        """One of the account's concurrent requests; a short wait for one, then without.

        The intent is stored: whatever Redis does now must not lose the outcome. A place that cannot be left ends by
        itself.
        """
        deadline = time.monotonic() + wait_s
        place = self._entered()
        while place is None and time.monotonic() < deadline:
            time.sleep(_PLACE_WAIT_MS / 1000)
            place = self._entered()
        try:
            yield place is not None
        finally:
            if place is not None:
                with suppress(StoreUnavailable):
                    self._services.budgets.twilio.leave(place)

    def _entered(self) -> str | None:
        with suppress(StoreUnavailable):
            return self._services.budgets.twilio.enter()
        return None
