"""The queue against a simple model of its rules, over random histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from orchestrator.store.keys import Keys
from orchestrator.store.queue import Claim, DueQueue

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

LATER = 4_000_000_000_000
KEYS = st.sampled_from(["CA1", "CA2", "CA3"])


class QueueMachine(RuleBasedStateMachine):
    """client-go's rules: sets of dirty and of processing keys; a key is handed out when dirty and not processing."""

    redis: Redis

    def __init__(self) -> None:
        super().__init__()
        self.redis.execute_command("FLUSHALL")
        self.queue = DueQueue(self.redis, Keys())
        self.dirty: set[str] = set()
        self.urgent: set[str] = set()
        self.processing: dict[str, Claim] = {}
        self.lost: list[Claim] = []

    @rule(key=KEYS, urgent=st.booleans())
    def mark(self, key: str, urgent: bool) -> None:
        self.queue.mark(key, urgent=urgent)
        self.dirty.add(key)
        if urgent:
            self.urgent.add(key)

    @rule(key=KEYS, urgent=st.booleans())
    def mark_for_later(self, key: str, urgent: bool) -> None:
        self.queue.mark(key, LATER, urgent=urgent)

    @rule(urgent_only=st.booleans())
    def claim(self, urgent_only: bool) -> None:
        ready = self.dirty - self.processing.keys()
        stops = self.urgent - self.processing.keys()
        expected = stops or (set() if urgent_only else ready)
        claim = self.queue.claim("worker", lease_ms=600_000, urgent_only=urgent_only)
        assert (claim is not None) == bool(expected)
        if claim:
            assert claim.key in expected
            assert not claim.was_taken_over
            self._begin(claim)

    @precondition(lambda self: self.processing)
    @rule(data=st.data(), again=st.sampled_from([None, 0, LATER]), urgent=st.booleans())
    def release(self, data: st.DataObject, again: int | None, urgent: bool) -> None:
        claim = self.processing.pop(data.draw(st.sampled_from(sorted(self.processing.values(), key=repr))).key)
        assert self.queue.release(claim, again, urgent=urgent)
        self.lost.append(claim)
        if again == 0:
            self.dirty.add(claim.key)
            if urgent:
                self.urgent.add(claim.key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def die_and_be_taken_over(self, data: st.DataObject) -> None:
        dead = data.draw(st.sampled_from(sorted(self.processing.values(), key=repr)))
        self.redis.execute_command("ZADD", Keys().queue("calls", 0).leases, 1, dead.key)
        if self.urgent - self.processing.keys():
            self.redis.execute_command("ZADD", Keys().queue("calls", 0).leases, LATER, dead.key)
            return  # stops go before
        heir = self.queue.claim("heir", lease_ms=600_000)
        assert heir is not None
        assert (heir.key, heir.was_taken_over) == (dead.key, True)
        self.lost.append(dead)
        self.processing[heir.key] = heir

    @precondition(lambda self: self.lost)
    @rule()
    def come_late(self) -> None:
        late = self.lost[-1]
        assert not self.queue.renew(late)
        assert not self.queue.release(late, 0)

    @invariant()
    def holders_hold(self) -> None:
        assert all(self.queue.renew(claim) for claim in self.processing.values())

    @invariant()
    def depth_is_what_is_ready(self) -> None:
        assert self.queue.state(0).leased == len(self.processing)
        assert bool(self.queue.depth()) == bool(self.dirty - self.processing.keys())

    def teardown(self) -> None:
        """Nothing due was forgotten: releasing everything hands out exactly what was dirty."""
        for claim in self.processing.values():
            assert self.queue.release(claim, None)
        found = set()
        while claim_ := self.queue.claim("worker", lease_ms=600_000):
            found.add(claim_.key)
        assert found == self.dirty

    def _begin(self, claim: Claim) -> None:
        self.dirty.discard(claim.key)
        self.urgent.discard(claim.key)
        self.processing[claim.key] = claim


@pytest.mark.timeout(300)
def test_the_queue_keeps_its_rules_over_random_histories(redis: Redis) -> None:
    """Never two holders of a key, marks while running are one more run, nothing due is forgotten."""
    QueueMachine.redis = redis
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
