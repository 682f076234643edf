"""Claim a due call, reconcile, execute, record; again until there is nothing to do for it.

A worker process has general threads and some that serve only wanted stops, so that a herd of starts cannot keep a
stop waiting. One more thread renews the leases of all claims; if it dies the process exits, since unrenewed leases
would let two workers into one call. SIGTERM drains: actions under way are finished and recorded, nothing new begins.

The retry policy is here and nowhere else: an adapter makes one attempt, the core says when the next one is due.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

import structlog
from structlog.contextvars import bound_contextvars

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.applied.legs import is_agents_leg
from orchestrator.core.call import TranscriptionState
from orchestrator.core.reconcile import is_urgent, reconcile
from orchestrator.errors import OrchestratorError
from orchestrator.store.errors import CallTooNew, StoreUnavailable
from orchestrator.worker import poison
from orchestrator.worker.execute import Executor
from orchestrator.worker.handing_over import hand_over
from orchestrator.worker.slow import SlowWork, thread_count
from orchestrator.worker.upkeep import Upkeep

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.store.queue import Claim

log = structlog.get_logger(__name__)

LEASE_MS = 4_000
AFTER_CALL_DELAY_MS = 3_000
"""Late utterances arrive for some seconds after the stop; the first archive document is due within 90 s, so this look
goes before all others.
"""
RENEW_S = 1.3
DRAIN_S = 20.0
_IDLE_WAIT_S = 1.0
_STEPS_PER_CLAIM = 25
_RECORD_FOR_S = 10.0
_STORE_PAUSE_S, _LONGEST_STORE_PAUSE_S = 0.2, 1.0
_TOLD_EVERY_S = 10.0
_READS = (a.ReadCall, a.ReadLeg, a.ReadParticipants)


def worker_name() -> str:
    """This process, for leases, heartbeats and timelines."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass
class Held:
    """A claim being worked on; `is_lost` once its lease could not be renewed."""

    claim: Claim
    is_lost: bool = False


@dataclass
class Worker:
    """The worker threads of one process. `start` returns at once; `stop` drains and returns when all have ended."""

    services: Services
    threads: int
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.name = worker_name()
        self.executor = Executor(self.services)
        self.upkeep = Upkeep(self.services, self.name, self.stopping)
        self._held: dict[str, Held] = {}
        self._held_lock = threading.Lock()
        shards = range(self.services.settings.redis_shards)
        self._turns = {(shard, only_stops): threading.Lock() for shard in shards for only_stops in (False, True)}
        self._failures: dict[str, int] = {}
        self._running: list[threading.Thread] = []
        self._all_done = threading.Event()
        self._told_of_store_at = float("-inf")

    def start(self) -> None:
        shards = self.services.settings.redis_shards  # each has a thread of either role: no turns, no waiting elsewhere
        reserved = max(shards, self.threads // 4)
        general = max(shards, self.threads - reserved)
        self._running = [
            *self._servers(general, only_stops=False),
            *self._servers(reserved, only_stops=True),
            *self.upkeep.threads(),
            *SlowWork(self.services, self.name, self.stopping).threads(thread_count(self.threads)),
        ]
        for thread in (*self._running, threading.Thread(target=self._renew_leases, name="leases", daemon=True)):
            thread.start()
        log.info("worker-started", worker=self.name, threads=self.threads, reserved_for_stops=reserved)

    def _servers(self, count: int, *, only_stops: bool) -> list[threading.Thread]:
        name = "stops" if only_stops else "calls"
        return [
            threading.Thread(
                target=self._serve,
                args=(index % self.services.settings.redis_shards, only_stops),
                name=f"{name}-{index}",
                daemon=True,
            )
            for index in range(count)
        ]

    def stop(self, within_s: float = DRAIN_S) -> None:
        """Nothing new begins; what is under way is finished and recorded, for `within_s` seconds at most."""
        self.stopping.set()
        deadline = time.monotonic() + within_s
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._all_done.set()
        log.info("worker-stopped", worker=self.name)

    # --- threads -------------------------------------------------------------------------------------------------

    def _serve(self, shard: int, only_stops: bool) -> None:
        """Leader and followers: of the idle threads of a role one looks and waits, and hands that on with its claim.

        If all waited in Redis, all would wake whenever something comes due by the clock, for one of them to get it.

        A thread that meets what nobody foresaw goes on after a pause, and the lease of what it held runs out. Without
        its threads a process would look alive while no stop is sent; were it ended instead, a web process that works
        inline would drop its callers, and another process would meet the same.
        """
        while not self.stopping.is_set():
            try:
                with self._turns[shard, only_stops]:
                    claim = self._next_claim(shard, only_stops)
                if claim is not None:
                    self._work_safely(claim)
            except Exception:  # as said above
                log.exception("worker-thread-failed", worker=self.name, thread=threading.current_thread().name)
                self.stopping.wait(_LONGEST_STORE_PAUSE_S)

    def _next_claim(self, shard: int, only_stops: bool) -> Claim | None:
        """Waits for one, through an outage of Redis too; None: nothing new is to begin."""
        failures = 0
        while not self.stopping.is_set():
            try:
                claim = self.services.queue.claim(self.name, shard=shard, lease_ms=LEASE_MS, urgent_only=only_stops)
                if claim is not None:
                    return claim
                self.services.queue.wait(shard, _IDLE_WAIT_S, urgent_only=only_stops)
                failures = 0
            except OrchestratorError as error:
                self._tell_of_store(error)
                self.upkeep.store_was_away()
                self.stopping.wait(min(_STORE_PAUSE_S * 2**failures, _LONGEST_STORE_PAUSE_S))
                failures = min(failures + 1, 10)
        return None

    def _tell_of_store(self, error: OrchestratorError) -> None:
        """Once in a while for all threads: while Redis is away or refuses they all meet the same."""
        now = time.monotonic()
        if now - self._told_of_store_at > _TOLD_EVERY_S:
            self._told_of_store_at = now
            log.warning("store-unavailable", worker=self.name, error=error.error_id, why=error.message)

    def _renew_leases(self) -> None:
        try:
            while not self._all_done.wait(RENEW_S):
                with self._held_lock:
                    held = list(self._held.values())
                for each in held:
                    self._renew(each)
        finally:
            if not self._all_done.is_set():
                log.error("lease-thread-died", worker=self.name)
                os._exit(1)

    def _renew(self, held: Held) -> None:
        try:
            if not self.services.queue.renew(held.claim):
                held.is_lost = True
        except OrchestratorError as error:
            log.warning("lease-not-renewed", call_sid=held.claim.key, error=error.error_id)

    # --- one claim -----------------------------------------------------------------------------------------------

    def _work_safely(self, claim: Claim) -> None:
        held, is_put_off = Held(claim), False
        with self._held_lock:
            self._held[claim.token] = held
        try:
            with bound_contextvars(call_sid=claim.key):
                look_again_at, urgent = self._work(held)
            if self._failures.pop(claim.key, 0) >= poison.PARKED_AFTER:
                poison.cured(self.services, claim.key)
        except StoreUnavailable as error:
            log.warning("call-put-off", call_sid=claim.key, error=error.error_id)
            look_again_at, urgent = self.services.clock.now_ms() + 250, claim.is_urgent
        except Exception:  # one call that always fails must not take the thread, and so the other calls, with it
            failures = self._failures[claim.key] = self._failures.get(claim.key, 0) + 1
            log.exception("call-failed", call_sid=claim.key, failures=failures)
            look_again_at, urgent = poison.met(self.services, claim.key, failures), False
            is_put_off = True  # what this look has stored made the call due at once
        finally:
            with self._held_lock:
                self._held.pop(claim.token, None)
        self._release(claim, look_again_at, urgent=urgent, is_put_off=is_put_off)

    def _release(self, claim: Claim, look_again_at: int | None, *, urgent: bool, is_put_off: bool) -> None:
        """Tried for as long as the lease lasts: a call that Redis has back at once must not wait for its end."""
        deadline = time.monotonic() + LEASE_MS / 1000
        while True:
            try:
                self.services.queue.release(claim, look_again_at, urgent=urgent, is_put_off=is_put_off)
            except OrchestratorError as error:
                if time.monotonic() > deadline:  # the lease runs out by itself
                    log.warning("claim-not-released", call_sid=claim.key, error=error.error_id)
                    return
                time.sleep(_STORE_PAUSE_S)
            else:
                return

    def _work(self, held: Held) -> tuple[int | None, bool]:
        """Steps until nothing is to be done now; returns when to look again and whether that look is urgent."""
        store, clock = self.services.store, self.services.clock
        call = store.load(held.claim.key)
        if call is not None and call.in_flight is not None:
            applied = store.apply_to(call, e.ActionAbandoned(at=clock.now_ms(), attempt=call.in_flight.attempt))
            call = None if applied is None else applied.after
        for _ in range(_STEPS_PER_CLAIM):
            if call is None or held.is_lost:
                return None, False
            plan = reconcile(call, clock.now_ms())
            if plan.action is None:
                return plan.look_again_at, is_urgent(call, plan)
            if self.stopping.is_set():
                break
            after, wait_ms = self._step(call, plan.action)
            if wait_ms and plan.meanwhile is not None and after is not None:
                after, also_ms = self._step(after, plan.meanwhile)
                wait_ms = min(wait_ms, also_ms)
            if wait_ms:
                return min(clock.now_ms() + wait_ms, plan.look_again_at or sys.maxsize), is_urgent(call, plan)
            call = after
        return clock.now_ms(), call is not None and call.exposure_since is not None

    def _step(self, call: Call, action: a.Action) -> tuple[Call | None, int]:
        """One action; the call after it, or the same call and how many milliseconds its budget asks to wait."""
        match action:
            case a.NoteTime():
                noted = e.TimePassed(at=self.services.clock.now_ms(), what=action.what, subject=action.subject)
                return self._applied(call, noted), 0
            case a.HandOverTranscript():
                now = self.services.clock.now_ms()
                self.services.slow_queue.mark(call.call_sid, now + AFTER_CALL_DELAY_MS, urgent=True)
                return self._applied(call, e.TimePassed(at=now, what="handed-over")), 0
            case a.StartTranscription(purpose="probe") if (heard := self._heard_since(call)) is not None:
                return self._applied(call, e.UtterancesHeard(at=self.services.clock.now_ms(), until=heard)), 0
            case (
                a.StartTranscription()
                | a.StopTranscription()
                | a.CreateStream()
                | a.StopStream()
                | a.RedirectToSurvey()
                | a.CompleteConference()
                | a.ReadCall()
                | a.ReadLeg()
                | a.ReadParticipants()
            ):
                with self.services.tracing.action(a.name_of(action), call):
                    return self._ask(call, action)
            case _:
                assert_never(action)

    def _heard_since(self, call: Call) -> int | None:
        """The latest transcript's time, if one came after what the call knows; saves the probe."""
        latest = self.services.utterances.last_heard(call.call_sid)
        known = max(call.last_heard_at, call.transcription.since)
        return latest if latest is not None and latest > known else None

    def _ask(self, call: Call, action: a.VendorAction) -> tuple[Call | None, int]:
        """Intent, request, outcome. The intent is committed against the very version that was reconciled."""
        held_back = self.executor.held_back(action, call)
        if held_back is not None:
            return self._held_back(call, action, held_back.trouble), held_back.for_ms
        wait_ms = self.executor.wait_ms(action, call)
        if wait_ms:
            return call, wait_ms
        attempt = call.attempts
        if not isinstance(action, _READS):
            attempt += 1
            intent = e.ActionIntended(at=self.services.clock.now_ms(), action=action, attempt=attempt, worker=self.name)
            intended = self.services.store.commit(call, intent)
            if intended is None:  # something became known meanwhile: look at the newest state instead
                return self._unasked(self.services.store.load(call.call_sid), action, attempt), 0
            call = intended.after
        event = self.executor.run(call, action, attempt)
        if isinstance(event, e.CallRead) and event.parent is not None and is_agents_leg(call, event):
            return self._handed_over(call, event), 0
        return self._recorded(call, event), 0

    def _unasked(self, call: Call | None, action: a.VendorAction, attempt: int) -> Call | None:
        """The call as it is now, with no intent of ours in it.

        The intent may be stored all the same, where Redis's answer was lost and another event came before it was sent
        again. Nothing has been asked then.
        """
        mine = None if call is None else call.in_flight
        if call is None or mine is None or (mine.attempt, mine.worker) != (attempt, self.name):
            return call
        unasked = a.Outcome(verdict=a.Verdict.REFUSED_FOR_NOW, is_paced=True, detail="not asked")
        ended = e.ActionEnded(at=self.services.clock.now_ms(), action=action, attempt=attempt, outcome=unasked)
        return self._recorded(call, ended)

    def _held_back(self, call: Call, action: a.VendorAction, trouble: str) -> Call | None:
        """A vendor is not well and this call waits for it: a failure behind it, though it has not tried itself.

        Told once, and not while it is transcribed: whatever is stored makes the call due at once.
        """
        if (
            call.trouble
            or call.transcription.state is TranscriptionState.ON
            or (isinstance(action, a.StartTranscription) and action.purpose == "probe")
        ):
            return call
        now = self.services.clock.now_ms()
        return self._applied(call, e.TimePassed(at=now, what="held-back", subject=trouble))

    def _handed_over(self, call: Call, event: e.CallRead) -> Call | None:
        """An agent's leg was taken for a call: what was told under it is the parent's, what still comes in included."""
        done = hand_over(self.services, call, event)
        dropped = self._recorded(call, event)
        hand_over(self.services, call, event, skip=done)
        return dropped

    def _recorded(self, call: Call, event: e.Event) -> Call | None:
        """The outcome must be recorded: tried for a while, then left to whoever takes the call over."""
        deadline = time.monotonic() + _RECORD_FOR_S
        while True:
            try:
                return self._applied(call, event)
            except CallTooNew:  # that does not pass: a worker of the newer release takes it over
                raise
            except OrchestratorError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_STORE_PAUSE_S)

    def _applied(self, call: Call, event: e.Event) -> Call | None:
        applied = self.services.store.apply_to(call, event)
        return None if applied is None else applied.after


def run(services: Services) -> None:
    """A worker process: runs until SIGTERM or SIGINT, then drains.

    The signals are waited for, not handled: a handler runs on this thread only once it is awake, which a signal that
    another thread got does not see to, and an event that is set in a handler may deadlock with its own waiter.
    """
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # in all threads, which inherit it
    worker = Worker(services, services.settings.worker_threads)
    worker.start()
    signal.sigwait(ending)
    worker.stop()
