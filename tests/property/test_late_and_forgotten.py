"""Histories of one talk in which requests are served late, workers freeze and a failover forgets.

Other than in `test_call_invariants` a request whose sender gave up arrives when it likes, and the store may lose what
it acknowledged last. Transcription may run on for a while then, but not unheard of: once nothing is under way, either
it is off at ASAPP, or we want it, or a stop is still to come. Each history is made from its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from msgspec.structs import replace

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.call import Call, TranscriptionState
from orchestrator.core.desired import desired
from orchestrator.core.profile import Profile
from orchestrator.core.reconcile import reconcile
from orchestrator.core.transition import begin, transition
from tests.property.vendors import Letter, Move, Vendors
from tests.unit.core.given import AMY, BOB, CUSTOMER, READS, START_MS

LASTS_MS, UNHEARD_OF_MS = 35_000, 2_000
FROZEN_MS = 4_000
LABELS = {CUSTOMER: "customer", AMY: "agent-amy", BOB: "agent-bob"}
NOT_SERVED = (Verdict.REFUSED_FOR_NOW, Verdict.UNKNOWN, Verdict.FAILED, Verdict.BUSY)
SEEDS = range(340, 480)
"""Two of them found something once."""
_MOVES: dict[bool | None, type[Move]] = {None: e.ParticipantJoined, True: e.ParticipantUnheld, False: e.ParticipantHeld}


@dataclass
class Late:
    """A request that is served later, and perhaps its answer."""

    at: int
    action: a.VendorAction
    attempt: int
    is_recorded: bool


class History:
    """`forgets`: failovers lose the last 0.2 or 1 s; `freezes`: workers freeze for 4 s with a request under way."""

    def __init__(self, seed: int, *, forgets: bool, freezes: bool) -> None:
        self.random = Random(seed)  # noqa: S311  no secret
        self.forgets, self.freezes = forgets, freezes
        self.now, self.vendors = START_MS, Vendors(forgets_session=self.random.random() < 0.3)
        stream_from = self.random.choice(["call-start", "agent-connect"])
        profile = Profile(route="conference", silence_probe_s=60, stream_from=stream_from)
        arrived = e.CallArrived(at=self.now, call_sid=CUSTOMER, profile=profile, has_stream_url=True)
        self.call = begin(arrived)
        if self.call.streams:
            self.vendors.serve(a.CreateStream(name="asapp-1"), self.now)
        self.snapshots: list[tuple[int, Call]] = [(self.now, self.call)]
        self.late: list[Late] = []
        self.audited_at: int | None = None
        self.held_back_until = 0
        self.faults_end = self.now + self.random.choice([5_000, 12_000, 20_000])
        self.fault_rate = self.random.choice([0.2, 0.5, 0.8])
        self.unheard_of_since: int | None = None
        for leg in (CUSTOMER, AMY):
            self.vendors.move(e.ParticipantJoined, leg, LABELS[leg], self.now)

    def run(self) -> None:
        while self.now < START_MS + LASTS_MS:
            self._deliver()
            if self.now < self.faults_end:
                self._happen()
            self._audit()
            if self.now >= self.held_back_until:
                self._work()
            self._look()
            self.now += self.random.choice([50, 100, 250, 500])

    # --- what happens ------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        mailbox = self.vendors.mailbox
        while mailbox and self._chance(0.8):
            self._hear(replace(mailbox.pop(0).event, at=self.now))
        for each in [each for each in self.late if each.at <= self.now]:
            self.late.remove(each)
            outcome = self.vendors.serve(each.action, self.now)
            if each.is_recorded:
                ended = e.ActionEnded(at=self.now, action=each.action, attempt=each.attempt, outcome=outcome)
                mailbox.insert(self.random.randint(0, len(mailbox)), Letter(ended))

    def _happen(self) -> None:
        vendors = self.vendors
        if self._chance(0.12):
            leg = self.random.choice([CUSTOMER, CUSTOMER, AMY, BOB])
            held = vendors.seats[leg][1] if leg in vendors.seats else None
            vendors.move(_MOVES[held], leg, LABELS[leg], self.now)
        if vendors.streams and self._chance(0.02):
            vendors.break_stream(min(vendors.streams), self.now, has_error=self._chance(0.5))
        if self.forgets and self.audited_at is None and self._chance(0.02):
            self._fail_over(self.now - self.random.choice([200, 1_000]))

    def _fail_over(self, back_to: int) -> None:
        self.call = next((call for at, call in reversed(self.snapshots) if at <= back_to), self.snapshots[0][1])
        self.snapshots = [(self.now, self.call)]
        self.audited_at = self.now + 2_000
        if self.call.in_flight is not None:
            self._hear(e.ActionAbandoned(at=self.now, attempt=self.call.in_flight.attempt))

    def _audit(self) -> None:
        """As soon as the new master is found every call is looked at."""
        if self.audited_at is not None and self.audited_at <= self.now and not self.vendors.mailbox:
            self._hear(e.AuditRequested(at=self.now, why="Redis was away", is_forgetful=True))
            self.audited_at = None

    # --- the worker --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        for _ in range(6):
            action = reconcile(self.call, self.now).action
            match action:
                case None:
                    return
                case a.NoteTime(what=what, subject=subject):
                    self._hear(e.TimePassed(at=self.now, what=what, subject=subject))
                case a.HandOverTranscript():
                    self._hear(e.TimePassed(at=self.now, what="handed-over"))
                case _ if isinstance(action, READS):
                    self._hear(self.vendors.read(action, self.now))
                case a.StartTranscription() if self._is_faulty(0.3):
                    self.held_back_until = self.now + self.random.choice([1_000, 2_000])
                    return
                case _:
                    self._ask(action)

    def _ask(self, action: a.VendorAction) -> None:
        attempt = self.call.attempts + 1
        self._hear(e.ActionIntended(at=self.now, action=action, attempt=attempt, worker="here-1"))
        if self.freezes and self.now < self.faults_end and self._chance(0.1):
            arrives_at = self.now + self.random.choice([0, 500, 4_000, 8_000, 12_000])
            self.late.append(Late(arrives_at, action, attempt, is_recorded=True))
            self.now += FROZEN_MS
            self._hear(e.ActionAbandoned(at=self.now, attempt=attempt))
            return
        outcome = self._failed(action, attempt) if self._is_faulty(1.0) else self.vendors.serve(action, self.now)
        self._hear(e.ActionEnded(at=self.now, action=action, attempt=attempt, outcome=outcome))

    def _failed(self, action: a.VendorAction, attempt: int) -> Outcome:
        verdict = self.random.choice(NOT_SERVED)
        if verdict in {Verdict.UNKNOWN, Verdict.FAILED} and self._chance(0.7):
            after_ms = self.random.choice([0, 500, 2_500, 5_500]) if verdict is Verdict.UNKNOWN else 0
            self.late.append(Late(self.now + after_ms, action, attempt, is_recorded=False))
        self.now += self.random.choice([0, 100, 2_000]) if verdict is Verdict.UNKNOWN else 50
        return Outcome(verdict=verdict, family=self.random.choice(["", "429", "5xx", "auth"]))

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        is_quiet = not self.vendors.mailbox and not self.late and self.audited_at is None
        is_believed_off = self.call.transcription.state is TranscriptionState.OFF and self.call.reassert_stop_at is None
        is_unheard_of = is_believed_off and self.vendors.is_hearing and not desired(self.call).transcription
        if not (is_quiet and is_unheard_of):
            self.unheard_of_since = None
            return
        self.unheard_of_since = self.unheard_of_since or self.now
        assert self.now - self.unheard_of_since < UNHEARD_OF_MS, "transcription runs on, and nobody will stop it"

    def _hear(self, event: e.Event) -> None:
        self.call = transition(self.call, event)
        self.snapshots.append((self.now, self.call))

    def _is_faulty(self, share: float) -> bool:
        return self.now < self.faults_end and self._chance(share * self.fault_rate)

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability


@pytest.mark.parametrize("freezes", [False, True], ids=["all awake", "frozen workers"])
@pytest.mark.parametrize("forgets", [False, True], ids=["all kept", "failovers"])
def test_nothing_runs_on_unheard_of(forgets: bool, freezes: bool) -> None:
    """Whatever is served late, recorded late, or forgotten."""
    for seed in SEEDS:
        try:
            History(seed, forgets=forgets, freezes=freezes).run()
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
