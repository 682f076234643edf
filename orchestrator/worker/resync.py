"""After Redis was away every live call is compared with Twilio; after Redis was found empty, calls are found again.

It was away when somebody could not reach it, and when it is another server than before: a restart or a failover that
nobody noticed may have forgotten what was acknowledged last. Forgotten holds are seen at Twilio; what ASAPP does nobody
can be asked, so calls that were off are told to stop once more. Where its clock was put back, what was marked as due
by the old one would wait: a look at every live call marks it anew.

A mark in Redis tells that this has been done for the data that is there. Whoever finds it missing lists Twilio's calls
in progress and adopts the customers' legs that are ours: calls to numbers whose voice URL leads here or that a profile
names, and children of agents' devices. One process does it at a time, by a lease; a mark is set only when it is done,
which it is not while Twilio could not say of some number where it leads.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.events import AuditRequested, CallAdopted
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store.errors import CallIsOver
from orchestrator.store.health import identity
from orchestrator.store.heartbeat import Lease
from orchestrator.store.keys import PREFIX

if TYPE_CHECKING:
    from orchestrator.core.profile import Profile
    from orchestrator.services import Services
    from orchestrator.twilio.client import ListedLeg

MARK = f"{PREFIX}:resynced"
LEASE_S = 30.0
"""Prolonged with each leg; whoever fails keeps it, so that nobody asks again at once."""
AUDIT_LEASE_S = 10.0
_NUMBER_MS = 3_000
_log = get_logger("orchestrator.worker.resync")


class Resync:
    """One per process; `look` every few seconds. Raises StoreUnavailable, and remembers it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.was_away = False
        """Whoever sees Redis away may say so."""
        self._server: frozenset[str] | None = None
        self._times_put_back = 0

    def look(self) -> None:
        try:
            is_marked = self._services.redis.execute_command("GET", MARK) is not None
            if not is_marked:
                self._find_calls(Lease(self._services.redis, "resync"))
            is_other = self._is_another_server()
            if self._has_been_away() or is_other:
                is_forgetful = is_other or self._server is None
                self._audit_all(Lease(self._services.redis, "reconnected"), is_forgetful=is_forgetful)
        except OrchestratorError:
            self.was_away = True
            raise

    def _has_been_away(self) -> bool:
        """Since this was last asked."""
        was_away, self.was_away = self.was_away, False
        put_back, self._times_put_back = self._times_put_back, self._services.clock.times_put_back
        return was_away or put_back != self._times_put_back

    def _is_another_server(self) -> bool:
        """Than the one that last told its name. Where that may not be asked, `_server` stays None."""
        before, found = self._server, identity(self._services.redis)
        self._server = found or before
        return bool(found) and before is not None and before != found

    def _audit_all(self, lease: Lease, *, is_forgetful: bool) -> None:
        """The reads themselves are paced by their budget."""
        store, clock, count = self._services.store, self._services.clock, 0
        if not lease.acquire(AUDIT_LEASE_S):
            return
        for sid in store.live_sids():
            lease.acquire(AUDIT_LEASE_S)
            asked = AuditRequested(at=clock.now_ms(), why="Redis was away", is_forgetful=is_forgetful)
            store.apply(sid, asked)
            count += 1
        _log.info("live calls will be compared with Twilio", calls=count)

    def _find_calls(self, lease: Lease) -> None:
        if not lease.acquire(LEASE_S):
            return
        listed = self._services.twilio.list_calls_in_progress()
        if isinstance(listed, Outcome):
            _log.warning("calls in progress not listed", verdict=str(listed.verdict), code=listed.code)
            return
        legs, numbers, adopted = {leg.sid: leg for leg in listed}, _Numbers(self._services), 0
        for leg in listed:
            if not lease.acquire(LEASE_S):
                return  # it took too long; somebody else is at it
            adopted += self._is_adopted(leg, legs.get(leg.parent or ""), numbers)
        _log.info("calls in progress looked through", legs=len(listed), adopted=adopted, unread=numbers.unread)
        if not numbers.unread:
            self._services.redis.execute_command("SET", MARK, "1")

    def _is_adopted(self, leg: ListedLeg, parent: ListedLeg | None, numbers: _Numbers) -> bool:
        """Whether this leg is a customer's of ours, and was made known by this."""
        store = self._services.store
        profile = self._profile_of(leg, parent, numbers)
        if profile is None or store.resolve("leg", leg.sid) is not None or store.load(leg.sid) is not None:
            return False
        found = CallAdopted(
            at=self._services.clock.now_ms(), call_sid=leg.sid, profile=profile, via="calls-in-progress"
        )
        try:
            store.begin(found)
        except CallIsOver:  # Twilio's list may trail behind
            return False
        return True

    def _profile_of(self, leg: ListedLeg, parent: ListedLeg | None, numbers: _Numbers) -> Profile | None:
        profiles = self._services.profiles
        if leg.parent is not None:
            is_agents = profiles.for_device(leg.called, leg.called) is not None
            return None if parent is None or is_agents else profiles.for_device(parent.caller, leg.called)
        if leg.direction != "inbound" or profiles.for_device(leg.caller, leg.called) is not None:
            return None
        profile = profiles.match(leg.called)
        return profile if profile is not profiles.default or numbers.leads_here(leg.called) else None


class _Numbers:
    """Which numbers lead here: each is read once, within the budget of reads. `unread`: Twilio did not say."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[str, bool] = {}
        self.unread = 0

    def leads_here(self, number: str) -> bool:
        if number not in self._known:
            self._known[number] = number.startswith("+") and self._is_ours(number)
        return self._known[number]

    def _is_ours(self, number: str) -> bool:
        while wait_ms := self._services.budgets.reads.take():
            time.sleep(wait_ms / 1000)
        found = self._services.twilio.number(number, timeout_ms=_NUMBER_MS)
        if isinstance(found, Outcome):
            self.unread += found.verdict is not Verdict.NOT_FOUND
            return False
        return found.voice_url.startswith(self._services.settings.public_base_url.rstrip("/") + "/")
