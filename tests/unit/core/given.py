"""A story told to the core: events applied with a stepped clock, and the answers of vendors who do as they are told.

A `Story` holds one call and the time. Every verb applies one event and returns the story, so that a test reads as
its story does. `next_action` asks `reconcile`; `answers` carries that action out: intent, then outcome. Two different
names make two different legs, agents or conferences; the same name always the same one.
"""

from __future__ import annotations

from hashlib import md5
from typing import Any, TypeVar

import msgspec

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Action, Outcome, Verdict
from orchestrator.core.call import Call, MediaStream
from orchestrator.core.desired import Desired, desired, state_of
from orchestrator.core.profile import Profile
from orchestrator.core.reconcile import Plan, reconcile
from orchestrator.core.transition import begin, transition

START_MS = 1_700_000_000_000
READS = (a.ReadCall, a.ReadLeg, a.ReadParticipants)
ActionT = TypeVar("ActionT")


def sid(prefix: str, name: str) -> str:
    """A SID as Twilio makes them, the same for the same name."""
    return prefix + md5(name.encode(), usedforsecurity=False).hexdigest()


CUSTOMER = sid("CA", "customer")
AMY = sid("CA", "amy")
BOB = sid("CA", "bob")
ROOM = sid("CF", "room")


def profile(**keys: Any) -> Profile:
    return Profile(**{"route": "conference", **keys})


class Story:
    """One call, told event by event."""

    def __init__(self, **keys: Any) -> None:
        self.profile = profile(**keys)
        self.now = START_MS
        self.sequence = 0
        self.attempt = 0
        self._call: Call | None = None

    # --- the call and what is wanted of it

    @property
    def call(self) -> Call:
        assert self._call is not None, "the story has not begun"
        return self._call

    @property
    def state(self) -> str:
        return state_of(self.call)

    @property
    def wanted(self) -> Desired:
        return desired(self.call)

    @property
    def transcription(self) -> str:
        return self.call.transcription.state.value

    @property
    def stream(self) -> MediaStream:
        assert self.call.current_stream is not None
        return self.call.current_stream

    @property
    def problems(self) -> list[str]:
        return [problem.id for problem in self.call.problems]

    def at(self, ms: int) -> Story:
        """So many milliseconds later."""
        self.now += ms
        return self

    # --- beginnings

    def arrives(self, *, has_stream_url: bool = True, direction: str = "inbound") -> Story:
        arrived = self.arrival(has_stream_url=has_stream_url, direction=direction)
        self._call = begin(arrived)
        return self

    def arrival(self, *, has_stream_url: bool = True, direction: str = "inbound") -> e.CallArrived:
        return e.CallArrived(
            at=self.now,
            call_sid=CUSTOMER,
            profile=self.profile,
            customer_id=CUSTOMER,
            customer_number="+15555550101",
            called_number="+15555550100",
            has_stream_url=has_stream_url,
            direction=direction,
        )

    def is_adopted(self, via: str = "stream-status") -> Story:
        self._call = begin(e.CallAdopted(at=self.now, call_sid=CUSTOMER, profile=self.profile, via=via))
        return self

    # --- events

    def hears(self, event: e.Event) -> Story:
        self._call = transition(self.call, event)
        return self

    def told(self, kind: type[Any], **fields: Any) -> Story:
        """An event of this kind, received now."""
        return self.hears(kind(at=self.now, **fields))

    def stream_started(self, name: str = "asapp-1") -> Story:
        return self.told(e.StreamStarted, name=name, sid=sid("MZ", name))

    def stream_stopped(self, name: str = "asapp-1") -> Story:
        return self.told(e.StreamStopped, name=name, sid=sid("MZ", name))

    def stream_failed(self, name: str = "asapp-1") -> Story:
        return self.told(e.StreamFailed, name=name, sid=sid("MZ", name), error="31941")

    def news(self, kind: type[e.ParticipantNews], leg: str, *, room: str = ROOM, **fields: Any) -> Story:
        """News of a participant with the next sequence number, unless one is given."""
        self.sequence += 1
        return self.told(kind, conference=room, leg=leg, **{"sequence": self.sequence, **fields})

    def customer_joins(self, **fields: Any) -> Story:
        return self.news(e.ParticipantJoined, CUSTOMER, label="customer", **fields)

    def customer_leaves(self, **fields: Any) -> Story:
        return self.news(e.ParticipantLeft, CUSTOMER, label="customer", **fields)

    def agent_joins(self, name: str = "amy", **fields: Any) -> Story:
        return self.news(e.ParticipantJoined, sid("CA", name), label=f"agent-{name}", **fields)

    def agent_leaves(self, name: str = "amy", **fields: Any) -> Story:
        return self.news(e.ParticipantLeft, sid("CA", name), label=f"agent-{name}", **fields)

    def customer_held(self, **fields: Any) -> Story:
        return self.news(e.ParticipantHeld, CUSTOMER, label="customer", **fields)

    def customer_unheld(self, **fields: Any) -> Story:
        return self.news(e.ParticipantUnheld, CUSTOMER, label="customer", **fields)

    def agent_held(self, name: str = "amy", **fields: Any) -> Story:
        return self.news(e.ParticipantHeld, sid("CA", name), label=f"agent-{name}", **fields)

    def paused(self, reason: str = "manual", **fields: Any) -> Story:
        return self.told(e.PauseRequested, reason=reason, **fields)

    def resumed(self, reason: str = "manual", **fields: Any) -> Story:
        return self.told(e.PauseLifted, reason=reason, **fields)

    def ends(self, reason: str = "completed") -> Story:
        return self.told(e.LegEnded, leg=CUSTOMER, reason=reason)

    # --- common situations

    def talks(self) -> Story:
        """Inbound, in a conference with Amy, media stream up, transcription confirmed on."""
        self.arrives().stream_started().customer_joins().agent_joins()
        self.at(4_000)
        return self.settles()

    # --- the worker

    def plan(self) -> Plan:
        return reconcile(self.call, self.now)

    def next_action(self) -> Action | None:
        return self.plan().action

    def look_again_in(self) -> int | None:
        """Where there is nothing to do now."""
        plan = self.plan()
        return None if plan.action is not None or plan.look_again_at is None else plan.look_again_at - self.now

    def next_is(self, kind: type[ActionT]) -> ActionT:
        action = self.next_action()
        assert isinstance(action, kind), f"next is {action}, not {kind.__name__}"
        return action

    def intends(self) -> Story:
        """The next action's intent is stored; no answer yet."""
        action = self.next_action()
        assert action is not None, "nothing to do"
        self.attempt = self.call.attempts + 1
        return self.told(e.ActionIntended, action=action, attempt=self.attempt, worker="here-1")

    def answered(self, verdict: Verdict = Verdict.DONE, *, attempt: int | None = None, **outcome: Any) -> Story:
        """The vendor's answer to the intent that is in flight."""
        assert self.call.in_flight is not None, "nothing is in flight"
        action = self.call.in_flight.action
        if isinstance(action, a.CreateStream) and verdict is Verdict.DONE:
            outcome = {"sid": sid("MZ", action.name), **outcome}
        attempt = self.attempt if attempt is None else attempt
        return self.told(e.ActionEnded, action=action, attempt=attempt, outcome=Outcome(verdict=verdict, **outcome))

    def answers(self, verdict: Verdict = Verdict.DONE, *, after: int = 0, **outcome: Any) -> Story:
        """The next action is taken and answered `after` so many milliseconds."""
        return self.intends().at(after).answered(verdict, **outcome)

    def abandons(self) -> Story:
        return self.told(e.ActionAbandoned, attempt=self.call.attempts)

    def settles(self, most: int = 20) -> Story:
        """Vendors do as they are told until nothing is due now."""
        for _ in range(most):
            action = self.next_action()
            if action is None:
                return self
            self._is_done(action)
        raise AssertionError(f"still busy after {most} actions: {self.next_action()}")

    def settles_all_but_stops(self, verdict: Verdict, *, for_ms: int) -> Story:
        """So long in which no request succeeds: each is answered with `verdict`, notes and reads are made."""
        until = self.now + for_ms
        for _ in range(2_000):
            plan = self.plan()
            if isinstance(plan.action, a.VendorAction) and not isinstance(plan.action, READS):
                self.answers(verdict)
            elif plan.action is not None:
                if self.now >= until:
                    return self
                self._is_done(plan.action)
            elif plan.look_again_at is None or plan.look_again_at > until:
                self.now = until
                return self
            else:
                self.now = plan.look_again_at
        raise AssertionError(f"never at rest: {self.next_action()}")

    def reads(self) -> Story:
        """The next action is a read, and Twilio knows what we know."""
        action = self.next_action()
        assert isinstance(action, READS), f"next is {action}, not a read"
        self._is_done(action)
        return self

    def settles_note(self) -> Story:
        self._is_done(self.next_is(a.NoteTime))
        return self

    def _is_done(self, action: Action) -> None:
        match action:
            case a.NoteTime(what=what, subject=subject):
                self.told(e.TimePassed, what=what, subject=subject)
            case a.HandOverTranscript():
                self.told(e.TimePassed, what="handed-over")
            case a.ReadCall():
                self.told(e.CallRead, status="in-progress")
            case a.ReadLeg(leg=leg):
                self.told(e.LegRead, leg=leg, identity="+15555550102")
            case a.ReadParticipants(conference=conference):
                self.told(e.ParticipantsRead, conference=conference, asked_at=self.now, participants=self._listed())
            case a.CreateStream(name=name):
                self.answers().stream_started(name)
            case _:
                self.answers()

    def _listed(self) -> tuple[e.ParticipantSnapshot, ...]:
        rows = [row for room in self.call.conferences for row in room.participants if row.is_present]
        return tuple(
            e.ParticipantSnapshot(leg=row.leg, label=row.label, is_held=row.is_held, is_coaching=row.is_coaching)
            for row in rows
        )


def same_after_json(call: Call) -> bool:
    """Whether the call is the same value after a trip through JSON."""
    return msgspec.json.decode(msgspec.json.encode(call), type=Call) == call
