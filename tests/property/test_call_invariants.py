"""Whatever happens to a call, in whatever order: the promises hold, and once faults stop it converges."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Action, Outcome, Verdict
from orchestrator.core.call import Call, Progress, StreamState, TranscriptionState
from orchestrator.core.desired import Desired, desired, is_converged, state_of
from orchestrator.core.people import is_customer_held, pause_reason
from orchestrator.core.reconcile import is_urgent, reconcile
from orchestrator.core.seen import is_seen_to_change
from orchestrator.core.transition import begin, transition
from orchestrator.web.render import call_json
from tests.property.vendors import Letter, Move, Vendors
from tests.unit.core.given import CUSTOMER, READS, ROOM, START_MS, Story, same_after_json, sid

LEGS = {name: sid("CA", name) for name in ("amy", "bob", "stranger")}
LABELS = {CUSTOMER: "customer", LEGS["amy"]: "agent-amy", LEGS["bob"]: "agent"}
ARRIVES_WITHIN_MS = 5_900
"""A request whose sender gave up arrives before the stop is asserted again, or not at all."""
MOVES = (e.ParticipantJoined, e.ParticipantLeft, e.ParticipantHeld, e.ParticipantUnheld)
NOT_SERVED = (Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN, Verdict.FAILED, Verdict.BUSY, Verdict.TERMINAL)
QUIET = (*READS, a.NoteTime, a.HandOverTranscript)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "stream_from": st.sampled_from(["call-start", "agent-connect"]),
        "consent": st.sampled_from(["assumed", "required"]),
        "cut_stream_on": st.sampled_from([(), ("consent",), ("consent", "payment")]),
        "survey_url": st.just("https://example.com/survey"),
        "accepted_is_connected": st.booleans(),
        "transcribe": st.sampled_from([True, True, True, False]),
        "silence_probe_s": st.sampled_from([0, 60]),
        "route": st.sampled_from(["conference", "dial:client:amy"]),
    },
)


def visible(call: Call) -> dict[str, object]:
    """What the API shows, without what counts every change."""
    return {name: value for name, value in call_json(call).items() if name not in {"version", "updated_at"}}


@dataclass
class Underway:
    """A request whose sender is frozen or gave up: it arrives at the vendor later."""

    action: Action
    attempt: int
    arrives_by: int
    is_recorded: bool


def desktop_events(at: int) -> st.SearchStrategy[e.Event]:
    ids = st.sampled_from([None, "one", "two", "three"])
    sequences = st.sampled_from([None, 1, 2, 3])
    names = st.sampled_from(["amy", "bob"])
    legs = st.sampled_from([None, LEGS["amy"], LEGS["bob"]])
    reasons = st.sampled_from(["manual", "payment", "consent"])
    common = {"at": st.just(at), "event_id": ids, "sequence": sequences}
    return st.one_of(
        st.builds(e.AgentConnected, agent_id=names, agent_leg=legs, **common),
        st.builds(e.AgentDisconnected, agent_id=st.none() | names, agent_leg=legs, **common),
        *(st.builds(kind, reason=reasons, **common) for kind in (e.PauseRequested, e.PauseLifted)),
        *(
            st.builds(kind, **common)
            for kind in (
                e.HoldReported,
                e.UnholdReported,
                e.ConsentGiven,
                e.ConsentWithdrawn,
                e.CallEndReported,
                e.RetryRequested,
                e.SurveyTransferRequested,
            )
        ),
    )


def other_events(at: int) -> st.SearchStrategy[e.Event]:
    """Everything else that may come, sense or not; only what would be a vendor's lie is left out."""
    legs = st.sampled_from([CUSTOMER, *LEGS.values()])
    rooms = st.sampled_from([ROOM, sid("CF", "elsewhere")])
    sequences = st.integers(0, 30)
    maybe = st.sampled_from([None, False, True])
    now = st.just(at)
    agents = st.sampled_from(list(LEGS.values()))
    return st.one_of(
        *(
            st.builds(kind, at=now, conference=rooms, leg=legs, sequence=sequences, is_held=maybe, is_coaching=maybe)
            for kind in (*MOVES, e.ParticipantModified)
        ),
        *(
            st.builds(kind, at=now, conference=rooms, sequence=sequences)
            for kind in (e.ConferenceStarted, e.ConferenceEnded)
        ),
        st.builds(e.ParticipantsRead, at=now, conference=rooms, asked_at=now, is_readable=st.booleans()),
        st.builds(e.LegAnswered, at=now, leg=agents, is_dialled=st.booleans(), identity=st.none()),
        st.builds(e.LegEnded, at=now, leg=agents, is_dialled=st.booleans()),
        st.builds(e.LegRead, at=now, leg=agents, identity=st.sampled_from([None, "client:amy"])),
        st.builds(e.CallRead, at=now, status=st.sampled_from(["ringing", "unreadable"])),
        *(
            st.builds(kind, at=now, worker=st.sampled_from(["amy", "eve"]), leg=st.none() | agents)
            for kind in (e.ReservationAccepted, e.ReservationEnded)
        ),
        st.builds(e.DialEnded, at=now, outcome=st.just("completed"), goes_to_survey=st.booleans()),
        st.builds(e.SurveyReached, at=now),
        st.builds(e.UtterancesHeard, at=now, until=now),
        st.builds(e.AuditRequested, at=now, why=st.just("reconnect"), is_forgetful=st.booleans()),
        st.builds(e.TimePassed, at=now, what=st.just("something new")),
        st.builds(e.ActionAbandoned, at=now, attempt=st.integers(0, 3)),
    )


def arrival(at: int, keys: dict[str, object], *, has_stream_url: bool = True) -> e.CallArrived:
    return e.CallArrived(
        at=at, call_sid=CUSTOMER, profile=Story(**keys).profile, customer_id=CUSTOMER, has_stream_url=has_stream_url
    )


def facts(call: Call) -> tuple[object, ...]:
    """What is known, without the times of our own books."""
    return (call.conferences, call.agents, call.pauses, call.survey, call.progress, call.streams, call.transcription)


class CallMachine(RuleBasedStateMachine):
    """Events of all kinds, a worker, frozen workers and the clock, against the model of the vendors."""

    letters = Bundle("letters")

    def __init__(self) -> None:
        super().__init__()
        self.now = START_MS
        self.vendors = Vendors()
        self.underway: list[Underway] = []
        self.call: Call | None = None

    @property
    def known(self) -> Call:
        assert self.call is not None
        return self.call

    @initialize(
        keys=PROFILES,
        has_stream_url=st.booleans(),
        is_adopted=st.sampled_from([False, False, True]),
        flag=st.booleans(),
        is_talk=st.booleans(),
    )
    def begins(
        self, keys: dict[str, object], has_stream_url: bool, is_adopted: bool, flag: bool, is_talk: bool
    ) -> None:
        self.vendors.forgets_session = flag
        # Without the probe nobody could tell that a stream has ended in silence.
        self.vendors.loses_stream_news = keys.get("silence_probe_s") != 0
        arrived = arrival(self.now, keys, has_stream_url=has_stream_url)
        if is_adopted:
            self.call = begin(e.CallAdopted(at=self.now, call_sid=CUSTOMER, profile=arrived.profile, via="api"))
        else:
            self.call = begin(arrived)
        if self.call.streams:
            self.vendors.serve(a.CreateStream(name="asapp-1"), self.now)
            if is_adopted and flag:
                self.vendors.transcribing_for = "amy"
        if is_talk:
            self.conversation_begins()

    # --- events

    def hear(self, event: e.Event) -> None:
        before = self.known
        after = transition(before, event)
        if before.is_ended and before.progress is Progress.ENDED:
            assert after.is_ended
        self.call = after
        if not is_seen_to_change(before, after):
            assert visible(before) == visible(after)
        if not isinstance(event, e.ActionIntended | e.ActionEnded | e.ActionAbandoned):
            self.check_repeat_is_nothing(event)

    def check_repeat_is_nothing(self, event: e.Event) -> None:
        has_name = not isinstance(event, e.DesktopEvent) or event.event_id is not None
        ordered = e.ParticipantNews | e.StreamStarted | e.StreamStopped | e.StreamFailed | e.LegEnded | e.DesktopEvent
        if has_name and isinstance(event, ordered):
            assert transition(self.known, event) is self.known
            late = msgspec.structs.replace(event, at=event.at + 30_000)
            assert facts(transition(self.known, late)) == facts(self.known)

    @rule(data=st.data())
    def desktop_tells(self, data: st.DataObject) -> None:
        self.hear(data.draw(desktop_events(self.now)))

    @rule(data=st.data())
    def anything_comes(self, data: st.DataObject) -> None:
        self.hear(data.draw(other_events(self.now)))

    @rule(kind=st.sampled_from(MOVES), leg=st.sampled_from([CUSTOMER, *LEGS.values()]))
    def somebody_moves(self, kind: type[Move], leg: str) -> None:
        if self.vendors.is_in_progress:
            self.vendors.move(kind, leg, LABELS.get(leg, "supervisor"), self.now)

    @rule()
    def conversation_begins(self) -> None:
        """So that the interesting part is reached often."""
        if self.vendors.is_in_progress and not self.known.is_ended:
            for leg in (CUSTOMER, LEGS["amy"]):
                self.vendors.move(e.ParticipantJoined, leg, LABELS[leg], self.now)
            while self.vendors.mailbox:
                self.deliver(0)
            if self.known.profile.consent == "required":
                self.hear(e.ConsentGiven(at=self.now))

    @rule(is_hold=st.booleans())
    def a_pause_begins(self, is_hold: bool) -> None:
        if is_hold and self.vendors.is_in_progress and CUSTOMER in self.vendors.seats:
            self.vendors.move(e.ParticipantHeld, CUSTOMER, LABELS[CUSTOMER], self.now)
            self.deliver(len(self.vendors.mailbox) - 1)
        else:
            self.hear(e.PauseRequested(at=self.now, reason="payment"))

    @precondition(lambda self: self.vendors.streams)
    @rule(has_error=st.booleans())
    def stream_breaks(self, has_error: bool) -> None:
        self.vendors.break_stream(min(self.vendors.streams), self.now, has_error=has_error)

    @precondition(lambda self: self.vendors.is_in_progress)
    @rule(sure=st.sampled_from([False, False, False, True]))
    def caller_hangs_up(self, sure: bool) -> None:
        if sure:
            self.vendors.hang_up(self.now)

    @precondition(lambda self: self.vendors.mailbox)
    @rule(target=letters, which=st.integers(0, 9))
    def a_callback_comes(self, which: int) -> e.Event:
        return self.deliver(which % len(self.vendors.mailbox))

    def deliver(self, index: int) -> e.Event:
        event = msgspec.structs.replace(self.vendors.mailbox.pop(index).event, at=self.now)
        self.hear(event)
        return event

    @rule(event=letters, delay=st.sampled_from([0, 1_000, 30_000]))
    def a_callback_comes_again(self, event: e.Event, delay: int) -> None:
        self.hear(msgspec.structs.replace(event, at=self.now + delay))

    @precondition(lambda self: any(letter.may_be_lost for letter in self.vendors.mailbox))
    @rule()
    def a_callback_is_lost(self) -> None:
        lost = next(letter for letter in self.vendors.mailbox if letter.may_be_lost)
        self.vendors.mailbox.remove(lost)

    @rule(by=st.sampled_from([1, 250, 1_000, 3_000, 9_000, 61_000, 400_000]))
    def time_passes(self, by: int) -> None:
        self.now += by
        for each in [each for each in self.underway if each.arrives_by <= self.now]:
            self.arrive(each)

    # --- workers

    def intend(self, action: Action) -> int:
        attempt = self.known.attempts + 1
        self.hear(e.ActionIntended(at=self.now, action=action, attempt=attempt, worker="here-1"))
        return attempt

    def record(self, action: Action, attempt: int, outcome: Outcome) -> None:
        self.hear(e.ActionEnded(at=self.now, action=action, attempt=attempt, outcome=outcome))

    def own_step(self, action: Action) -> bool:
        """Whether the action needed no request that changes anything."""
        match action:
            case a.NoteTime(what=what, subject=subject):
                self.hear(e.TimePassed(at=self.now, what=what, subject=subject))
            case a.HandOverTranscript():
                self.hear(e.TimePassed(at=self.now, what="handed-over"))
            case a.ReadCall() | a.ReadLeg() | a.ReadParticipants():
                self.hear(self.vendors.read(action, self.now))
            case _:
                return False
        return True

    @rule()
    def a_worker_acts(self) -> None:
        action = reconcile(self.known, self.now).action
        if action is None or self.own_step(action):
            return
        attempt = self.intend(action)
        self.record(action, attempt, self.vendors.serve(action, self.now))

    @rule(verdict=st.sampled_from(NOT_SERVED), family=st.sampled_from(["", "429", "5xx", "auth", "no-url"]))
    def a_request_is_not_served(self, verdict: Verdict, family: str) -> None:
        action = reconcile(self.known, self.now).action
        if action is not None and not self.own_step(action):
            self.record(action, self.intend(action), Outcome(verdict=verdict, family=family))

    @rule(arrives_in=st.sampled_from([0, 1_000, ARRIVES_WITHIN_MS]))
    def an_answer_is_lost(self, arrives_in: int) -> None:
        """The sender gives up; the request is served all the same, now or a little later."""
        action = reconcile(self.known, self.now).action
        if action is None or self.own_step(action):
            return
        attempt = self.intend(action)
        self.record(action, attempt, Outcome(verdict=Verdict.UNKNOWN))
        self.underway.append(Underway(action, attempt, self.now + arrives_in, is_recorded=True))

    @rule()
    def a_worker_freezes(self) -> None:
        """Somebody else takes the call over; the frozen one's request goes out when it wakes, and is recorded."""
        action = reconcile(self.known, self.now).action
        if action is None or self.own_step(action):
            return
        attempt = self.intend(action)
        self.underway.append(Underway(action, attempt, self.now + 400_000, is_recorded=False))
        self.hear(e.ActionAbandoned(at=self.now, attempt=attempt))

    @rule(is_frozen=st.booleans(), arrives_in=st.sampled_from([0, ARRIVES_WITHIN_MS]))
    def a_start_goes_wrong_before_a_pause(self, is_frozen: bool, arrives_in: int) -> None:
        """The most dangerous request of all, so that it is met often: one that turns on what is wanted off by then."""
        for _ in range(10):
            if isinstance(reconcile(self.known, self.now).action, a.StartTranscription):
                break
            self.a_worker_acts()
        if is_frozen:
            self.a_worker_freezes()
        else:
            self.an_answer_is_lost(arrives_in)
        self.a_pause_begins(is_hold=True)
        self.a_worker_acts()

    @precondition(lambda self: self.underway)
    @rule()
    def a_late_request_arrives(self) -> None:
        self.arrive(self.underway[0])

    def arrive(self, late: Underway) -> None:
        self.underway.remove(late)
        outcome = self.vendors.serve(late.action, self.now)
        if not late.is_recorded:
            self.vendors.mailbox.append(
                Letter(
                    e.ActionEnded(at=self.now, action=late.action, attempt=late.attempt, outcome=outcome),
                    may_be_lost=False,
                )
            )

    # --- when faults stop

    @rule()
    def faults_stop(self) -> None:
        while self.underway:
            self.now += 1_000
            self.arrive(self.underway[0])
        while self.vendors.mailbox:
            self.deliver(0)
        self.hear(e.RetryRequested(at=self.now))
        self.hear(e.AuditRequested(at=self.now, why="reconnect"))
        self.converge()
        self.stays_converged()

    def converge(self) -> None:
        taken: list[Action] = []
        for _ in range(60):
            plan = reconcile(self.known, self.now)
            if plan.action is not None:
                taken.append(plan.action)
                self.well_served(plan.action)
            elif self.is_real(desired(self.known)) and is_converged(self.known):
                return
            elif plan.look_again_at is not None:
                self.now = plan.look_again_at
            else:
                break
        raise AssertionError(f"not converged: {self.told()}; the last steps: {taken[-4:]}")

    def told(self) -> str:
        return f"wanted {desired(self.known)}, real {self.vendors}, known {self.known}"

    def stays_converged(self) -> None:
        """Ten minutes of peace: looks and probes, but nothing is started, stopped or rebuilt any more."""
        until = self.now + 600_000
        changes = 0
        for _ in range(200):
            plan = reconcile(self.known, self.now)
            if plan.action is not None:
                is_probe = isinstance(plan.action, a.StartTranscription) and plan.action.purpose == "probe"
                changes += not isinstance(plan.action, QUIET) and not is_probe
                self.well_served(plan.action)
            elif plan.look_again_at is None or plan.look_again_at > until:
                break
            else:
                self.now = plan.look_again_at
        else:
            raise AssertionError(f"never at peace: {self.told()}")
        assert changes <= 3, f"{changes} changes in peace: {self.told()}"
        assert self.is_real(desired(self.known))

    def well_served(self, action: Action) -> None:
        if not self.own_step(action):
            attempt = self.intend(action)
            self.record(action, attempt, self.vendors.serve(action, self.now))
        while self.vendors.mailbox:
            self.deliver(0)

    def is_real(self, want: Desired) -> bool:
        """Reality equals the wish: transcribing for the right agent or not at all; one stream, or none."""
        live = len(self.vendors.streams)
        if want.transcription and self.vendors.transcribing_for != want.agent_id:
            return False
        if self.known.progress is Progress.DROPPED:
            return True
        return self.vendors.is_hearing == want.transcription and live <= (1 if want.stream else 0)

    # --- at any moment

    @invariant()
    def survives_json(self) -> None:
        if self.call is not None:
            assert same_after_json(self.call)
            assert state_of(self.call)

    @invariant()
    def looking_twice_changes_nothing(self) -> None:
        if self.call is not None:
            seen = transition(self.call, e.TimePassed(at=self.now, what="nothing"))
            assert transition(seen, e.TimePassed(at=self.now, what="nothing")) is seen

    @invariant()
    def nothing_is_wanted_after_the_end(self) -> None:
        if self.call is not None and self.call.is_ended:
            assert desired(self.call) == Desired(
                stream=False, transcription=False, agent_id=None, survey_redirect=False
            )

    @invariant()
    def an_unconfirmed_stop_is_never_left_alone(self) -> None:
        if self.call is None or self.call.in_flight is not None or desired(self.call).transcription:
            return
        if self.call.transcription.state is TranscriptionState.OFF:
            return
        plan = reconcile(self.call, self.now)
        is_verified = self.call.progress is not Progress.UNKNOWN
        longest = 1_000 if self.call.exposure_since is not None and is_verified else 60_000
        if plan.action is None:
            assert plan.look_again_at is not None
            assert plan.look_again_at - self.now <= longest
        if self.call.exposure_since is not None:
            assert is_urgent(self.call, plan)

    @invariant()
    def starts_and_rebuilds_only_when_allowed(self) -> None:
        if self.call is None:
            return
        match reconcile(self.call, self.now).action:
            case a.StartTranscription():
                assert not self.call.pauses
                assert not is_customer_held(self.call)
                assert self.call.survey is None
                assert not self.call.is_ended
                assert desired(self.call).transcription
            case a.CreateStream():
                assert self.call.transcription.state is TranscriptionState.OFF
                assert pause_reason(self.call) is None
                assert self.call.current_stream is None or self.call.current_stream.state in {
                    StreamState.FAILED,
                    StreamState.STOPPED,
                }
            case _:
                pass

    def teardown(self) -> None:
        if self.call is not None:
            self.faults_stop()


TestCallInvariants = CallMachine.TestCase
TestCallInvariants.settings = settings(max_examples=100, stateful_step_count=20)


@given(
    is_frozen=st.booleans(),
    arrives_in=st.sampled_from([0, 1_000, ARRIVES_WITHIN_MS]),
    forgets=st.booleans(),
    is_adopted=st.booleans(),
)
@settings(max_examples=24)
def test_start_that_goes_wrong_before_a_pause(
    is_frozen: bool, arrives_in: int, forgets: bool, is_adopted: bool
) -> None:
    """The same from the beginning of every call, so that it does not depend on what chance draws."""
    machine = CallMachine()
    machine.begins(keys={}, has_stream_url=True, is_adopted=is_adopted, flag=forgets, is_talk=True)
    if is_adopted:
        machine.a_worker_acts()
    machine.a_start_goes_wrong_before_a_pause(is_frozen=is_frozen, arrives_in=arrives_in)
    machine.starts_and_rebuilds_only_when_allowed()
    machine.an_unconfirmed_stop_is_never_left_alone()
    machine.faults_stop()
    assert not machine.vendors.is_hearing
