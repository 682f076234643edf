"""Any messages, any faults, workers that die or freeze anywhere: the promises hold, and it converges once they stop.

The parts under test are real: store, queue and worker loop over a redis-server. Time is stepped, the vendors are one
small truth (`doubles`), and a worker's fate may come at any of its commands (`stepping`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Verdict
from orchestrator.core.call import Call, Progress
from orchestrator.core.desired import Desired, desired, is_converged
from orchestrator.core.reconcile import reconcile
from orchestrator.store.breakers import NET_MS
from tests.integration.model.doubles import KEYS, WELL, ModelWorker, Mood, World, call_store
from tests.integration.model.stepping import Fate, Gate, SteppedClock, SteppedRedis
from tests.property.test_call_invariants import LABELS, LEGS, MOVES, PROFILES, arrival, desktop_events, other_events
from tests.property.vendors import Move
from tests.unit.core.given import CUSTOMER, START_MS

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

CUT_WITHIN_MS = 3_500
REASSERTED_AFTER_MS = 6_000
LOOK_MS = 250
PUT_OFF_MS = 250
"""What a worker that found Redis away waits before it looks again."""
MOODS = st.one_of(
    st.just(WELL),
    st.builds(
        Mood,
        verdict=st.sampled_from([Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.BUSY]),
        family=st.sampled_from(["", "429", "5xx", "auth"]),
        arrives_in=st.sampled_from([None, 0]),
    ),
    st.builds(Mood, verdict=st.just(Verdict.UNKNOWN), arrives_in=st.sampled_from([None, 0, 1_000, 5_900])),
)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: histories are short enough to read, and over a real Redis it would take minutes."""


class WorkerMachine(RuleBasedStateMachine):
    """One call, two workers, a caller, and whoever sends messages."""

    redis: Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis.execute_command("FLUSHALL")
        stepped = SteppedRedis(self.redis)
        self.world = World(SteppedClock(self.redis, START_MS))
        self.store = call_store(stepped, self.world.clock)
        self.workers = [ModelWorker(self.world, stepped, name) for name in ("one", "two")]
        self.acknowledged: Counter[bytes] = Counter()
        self.has_begun = self.has_ended = False
        self.off_since: int | None = None

    @property
    def now(self) -> int:
        return self.world.clock.now_ms()

    @property
    def call(self) -> Call:
        found = self.store.load(CUSTOMER)
        assert found is not None
        return found

    @initialize(
        keys=PROFILES,
        has_stream_url=st.booleans(),
        forgets=st.booleans(),
        is_adopted=st.sampled_from([False, False, True]),
    )
    def begins(self, keys: dict[str, object], has_stream_url: bool, forgets: bool, is_adopted: bool) -> None:
        self.world.vendors.forgets_session = forgets
        # Without the probe nobody could tell that a stream has ended in silence.
        self.world.vendors.loses_stream_news = keys.get("silence_probe_s") != 0
        arrived = arrival(self.now, keys, has_stream_url=has_stream_url)
        if is_adopted:
            self.store.begin(e.CallAdopted(at=self.now, call_sid=CUSTOMER, profile=arrived.profile, via="api"))
        else:
            self.store.begin(arrived)
        self.has_begun = True
        if self.call.streams:
            self.world.vendors.serve(a.CreateStream(name="asapp-1"), self.now)

    # --- messages

    def hear(self, event: e.Event) -> None:
        assert self.store.apply(CUSTOMER, event) is not None
        self.acknowledged[msgspec.json.encode(event)] += 1

    @rule(data=st.data())
    def desktop_tells(self, data: st.DataObject) -> None:
        self.hear(data.draw(desktop_events(self.now)))

    @rule(data=st.data())
    def anything_comes(self, data: st.DataObject) -> None:
        self.hear(data.draw(other_events(self.now)))

    @rule(kind=st.sampled_from(MOVES), leg=st.sampled_from([CUSTOMER, *LEGS.values()]))
    def somebody_moves(self, kind: type[Move], leg: str) -> None:
        if self.world.vendors.is_in_progress:
            self.world.vendors.move(kind, leg, LABELS.get(leg, "supervisor"), self.now)

    @rule()
    def conversation_begins(self) -> None:
        """So that the interesting part is reached often."""
        if not self.world.vendors.is_in_progress or self.call.is_ended:
            return
        for leg in (CUSTOMER, LEGS["amy"]):
            self.world.vendors.move(e.ParticipantJoined, leg, LABELS[leg], self.now)
        self.deliver_all()
        if self.call.profile.consent == "required":
            self.hear(e.ConsentGiven(at=self.now))
        self.turn(Gate())

    @precondition(lambda self: self.world.vendors.streams)
    @rule(has_error=st.booleans())
    def stream_breaks(self, has_error: bool) -> None:
        self.world.vendors.break_stream(min(self.world.vendors.streams), self.now, has_error=has_error)

    @precondition(lambda self: self.world.vendors.is_in_progress)
    @rule(sure=st.sampled_from([False, False, False, True]))
    def caller_hangs_up(self, sure: bool) -> None:
        if sure:
            self.world.vendors.hang_up(self.now)

    @precondition(lambda self: self.world.vendors.mailbox)
    @rule(which=st.integers(0, 9), times=st.sampled_from([1, 1, 2]))
    def a_callback_comes(self, which: int, times: int) -> None:
        event = self.deliver(which % len(self.world.vendors.mailbox))
        for _ in range(times - 1):
            self.hear(event)

    def deliver(self, index: int) -> e.Event:
        event = msgspec.structs.replace(self.world.vendors.mailbox.pop(index).event, at=self.now)
        self.hear(event)
        return event

    def deliver_all(self) -> None:
        while self.world.vendors.mailbox:
            self.deliver(0)

    @precondition(lambda self: any(letter.may_be_lost for letter in self.world.vendors.mailbox))
    @rule()
    def a_callback_is_lost(self) -> None:
        mailbox = self.world.vendors.mailbox
        mailbox.remove(next(letter for letter in mailbox if letter.may_be_lost))

    # --- vendors, workers and time

    @rule(asapp=MOODS, twilio=MOODS)
    def vendors_change(self, asapp: Mood, twilio: Mood) -> None:
        self.world.asapp, self.world.twilio = asapp, twilio

    @rule(by=st.sampled_from([1, 250, 1_000, 4_000, 9_000, 61_000, 400_000]))
    def time_passes_without_workers(self, by: int) -> None:
        self.pass_time(by)

    def pass_time(self, by: int) -> None:
        self.world.clock.step(by)
        self.world.deliver_late()

    def turn(self, gate: Gate, *, which: int = 0, only_stops: bool = False) -> None:
        self.workers[which].turn(gate, only_stops=only_stops)

    @rule(which=st.integers(0, 1), only_stops=st.sampled_from([False, False, True]))
    def a_worker_works(self, which: int, only_stops: bool) -> None:
        self.turn(Gate(), which=which, only_stops=only_stops)

    @rule(
        which=st.integers(0, 1),
        number=st.integers(1, 30),
        fate=st.sampled_from(list(Fate)),
        arrives_in=st.sampled_from([None, 1_000, 9_000]),
    )
    def a_worker_meets_its_fate(self, which: int, number: int, fate: Fate, arrives_in: int | None) -> None:
        self.turn(Gate(closes_at=number, fate=fate, request_arrives_in=arrives_in), which=which)

    @precondition(lambda self: any(worker.runs for worker in self.workers))
    @rule(kill=st.booleans())
    def a_frozen_worker_goes_on(self, kill: bool) -> None:
        run = next(worker for worker in self.workers if worker.runs).runs.pop(0)
        run.thaw(kill=kill)
        self.world.last_surprise = self.now

    @precondition(lambda self: not any(worker.runs for worker in self.workers))
    @rule(seconds=st.sampled_from([2, 5, 12]))
    def a_worker_lives(self, seconds: int) -> None:
        """For a while somebody works whenever something is due; the bound of exposure holds from then on."""
        lease_end = self.redis.execute_command("ZSCORE", KEYS.queue("calls", 0).leases, CUSTOMER)
        since = max(self.now, int(float(lease_end or 0)))
        until = self.now + seconds * 1_000
        while self.now < until:
            self.track_wishes()
            self.turn(Gate(), which=1)
            self.check_exposure(since)
            self.pass_time(LOOK_MS)

    def check_exposure(self, since: int) -> None:
        """Not heard for longer than the cut takes, while it could be cut at all."""
        is_one_well = WELL in {self.world.asapp, self.world.twilio}
        if self.off_since is None or not is_one_well or self.call.progress is Progress.UNKNOWN:
            return
        began = max(self.off_since, since, self.world.last_surprise + REASSERTED_AFTER_MS)
        heard_until = self.now if self.world.vendors.is_hearing else self.world.silent_since
        assert heard_until - began <= CUT_WITHIN_MS + LOOK_MS, f"heard for {heard_until - began} ms: {self.told()}"

    def track_wishes(self) -> None:
        if desired(self.call).transcription:
            self.off_since = None
        elif self.off_since is None:
            self.off_since = self.now

    # --- when faults stop

    @rule()
    def faults_stop(self) -> None:
        self.world.asapp = self.world.twilio = WELL
        for worker in self.workers:
            while worker.runs:
                worker.runs.pop().thaw()
        self.pass_time(REASSERTED_AFTER_MS)
        self.world.deliver_late(everything=True)
        self.world.last_surprise = self.now
        self.deliver_all()
        self.hear(e.RetryRequested(at=self.now))
        self.hear(e.AuditRequested(at=self.now, why="reconnect"))
        self.converge()

    def converge(self) -> None:
        for _ in range(150):
            self.turn(Gate())
            self.deliver_all()
            call = self.call
            plan = reconcile(call, self.now)
            if plan.action is None and is_converged(call) and self.is_real(desired(call)):
                return
            self.world.clock.step(self.until_next_look())
        raise AssertionError(f"not converged: {self.told()}")

    def until_next_look(self) -> int:
        """To the next moment at which the queue has anything to hand out."""
        queue = KEYS.queue("calls", 0)
        first = [
            self.redis.execute_command("ZRANGE", name, 0, 0, "WITHSCORES", withscores=True)
            for name in (queue.due, queue.urgent, queue.leases)
        ]
        times = [int(float(found[0][1])) for found in first if found]
        assert times, f"nobody will ever look again: {self.told()}"
        return max(1, min(times) - self.now)

    def is_real(self, want: Desired) -> bool:
        """Reality equals the wish: transcribing for the right agent or not at all; one stream, or none."""
        vendors = self.world.vendors
        if self.call.progress is Progress.DROPPED:
            return True
        if want.transcription and vendors.transcribing_for != want.agent_id:
            return False
        return vendors.is_hearing == want.transcription and len(vendors.streams) <= (1 if want.stream else 0)

    def told(self) -> str:
        return f"wanted {desired(self.call)}, real {self.world.vendors}, known {self.call}"

    # --- at any moment

    @invariant()
    def nothing_due_is_forgotten(self) -> None:
        """Unless a worker holds the call (or died holding it), the queue knows when to look at it again."""
        if not self.has_begun:
            return
        queue = KEYS.queue("calls", 0)
        scores = [self.redis.execute_command("ZSCORE", name, CUSTOMER) for name in (queue.due, queue.urgent)]
        marks = [int(float(score)) for score in scores if score is not None]
        is_held = self.redis.execute_command("ZSCORE", queue.leases, CUSTOMER) is not None
        plan = reconcile(self.call, self.now)
        latest = self.now if plan.action is not None else plan.look_again_at
        if is_held or latest is None:
            return
        assert marks, f"not due although wanted at {latest}: {self.told()}"
        put_off_ms = NET_MS if may_be_held_back(plan.action) else PUT_OFF_MS
        assert min(marks) <= max(latest, self.now) + put_off_ms, f"due at {marks}, wanted at {latest}: {self.told()}"

    @invariant()
    def an_end_stays(self) -> None:
        if self.has_begun:
            call = self.call
            assert call.is_ended or not self.has_ended
            self.has_ended = call.is_ended
            self.track_wishes()

    def teardown(self) -> None:
        if not self.has_begun:
            return
        self.faults_stop()
        kept = Counter(
            msgspec.json.encode(entry.event) for entry in self.store.timeline(CUSTOMER) if entry.event is not None
        )
        assert not self.acknowledged - kept, "acknowledged, and not in the timeline"


def may_be_held_back(action: a.Action | None) -> bool:
    """By a breaker: starts, the stops that come before them, and new streams."""
    is_reset = isinstance(action, a.StopTranscription) and action.purpose == "reset"
    return is_reset or isinstance(action, a.StartTranscription | a.CreateStream)


@pytest.mark.timeout(300)
def test_whatever_happens_to_workers(redis: Redis) -> None:
    """Nothing due is forgotten, nobody is heard too long, nothing acknowledged is lost, and all calls converge."""

    class OnThisServer(WorkerMachine):
        pass

    OnThisServer.redis = redis
    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            phases=PHASES,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
