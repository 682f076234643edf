"""After Redis was away every live call is compared with Twilio; after Redis was found empty, calls are found again.

It was away when somebody could not reach it, and when it is another server than before: a restart or a failover that
nobody noticed may have forgotten what was acknowledged last. Forgotten holds are seen at Twilio; what ASAPP does nobody
can be asked, so calls that were off are told to stop once more. Where its clock was put back, what was marked as due
by the old one would wait: a look at every live call marks it anew. An outage is over with when every call has been
dealt with: whatever interrupts that, the rest follows with the next look, and a call that cannot be changed is passed
over. Each process sees to what it noticed itself, one at a time, by a lease.

A mark in Redis tells that this has been done for the data that is there. Whoever finds it missing lists Twilio's calls
in progress and adopts the customers' legs that are ours: calls to numbers whose voice URL leads here or that a profile
names, and children of agents' devices. One process does it at a time, by a lease; a mark is set only when it is done,
which it is not while Twilio could not say of some number where it leads, or was too slow with its list.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.events import AuditRequested, CallAdopted
from orchestrator.log import get_logger
from orchestrator.store.errors import CallContended, CallIsOver, CallTooNew, StoreMisconfigured, StoreUnavailable
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
LIST_LEASE_S = 75.0
"""Twilio's list may take more than a minute."""
AUDIT_LEASE_S = 10.0
"""Prolonged with each call; whoever fails takes it up again."""
_NUMBER_MS = 3_000
_log = get_logger("orchestrator.worker.resync")


class Resync:
    """One per process; `look` every few seconds, in one thread. Whatever it raises it remembers, and looks again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.was_away = False
        """Whoever sees Redis away may say so."""
        self._lease = Lease(services.redis, "reconnected")
        self._left: list[str] = []
        """Calls still to be audited."""
        self._is_forgetful = False
        """Of the audit under way."""
        self._server: frozenset[str] | None = None
        self._times_put_back = 0

    def look(self) -> None:
        try:
            is_other = self._is_another_server()
            if self._has_been_away() or is_other:
                self._is_forgetful = self._is_forgetful or is_other or self._server is None
                self._left = list(dict.fromkeys((*self._left, *self._services.store.live_sids())))
            self._audit()
            if self._services.redis.execute_command("GET", MARK) is None:
                self._find_calls(Lease(self._services.redis, "resync"))
        except Exception:
            self.was_away = True
            raise

    def _has_been_away(self) -> bool:
        """Since this was last asked."""
        was_away = self.was_away
        if was_away:  # cleared only then: another thread may say so just now
            self.was_away = False
        put_back, self._times_put_back = self._times_put_back, self._services.clock.times_put_back
        return was_away or put_back != self._times_put_back

    def _is_another_server(self) -> bool:
        """Than the one that last told its name. Where that may not be asked, `_server` stays None."""
        before, found = self._server, identity(self._services.redis)
        self._server = found or before
        return bool(found) and before is not None and before != found

    def _audit(self) -> None:
        """What cannot be done now is left for the next look. The reads themselves are paced by their budget."""
        left = self._left
        for _ in range(count := len(left)):
            if not self._lease.acquire(AUDIT_LEASE_S):
                return  # another process is at it
            left.append(left.pop(0))  # where Redis fails for one, the others come first the next time
            if self._is_audited(left[-1]):
                left.pop()
        if count:
            self._lease.release()
            _log.info("live calls will be compared with Twilio", calls=count, left=len(left))
        self._is_forgetful = self._is_forgetful and bool(left)

    def _is_audited(self, sid: str) -> bool:
        """Or can never be: told, and no matter to the others. Raises StoreUnavailable."""
        now = self._services.clock.now_ms()
        try:
            self._services.store.apply(
                sid, AuditRequested(at=now, why="Redis was away", is_forgetful=self._is_forgetful)
            )
        except CallContended:
            return False
        except Exception as error:  # noqa: BLE001  raised again where it is not about this call
            _pass_over(sid, error)
        return True

    def _find_calls(self, lease: Lease) -> None:
        if not lease.acquire(LIST_LEASE_S):
            return
        listed = self._services.twilio.list_calls_in_progress()
        lease.acquire(LEASE_S)
        if isinstance(listed, Outcome):
            _log.warning("calls in progress not listed", verdict=str(listed.verdict), code=listed.code)
            return
        if listed.cut:
            _log.warning("not all calls in progress listed", why=listed.cut, legs=len(listed.legs))
        legs, numbers, adopted = {leg.sid: leg for leg in listed.legs}, _Numbers(self._services), 0
        for leg in listed.legs:
            if not lease.acquire(LEASE_S):
                return  # it took too long; somebody else is at it
            try:
                adopted += self._is_adopted(leg, legs.get(leg.parent or ""), numbers)
            except Exception as error:  # noqa: BLE001  raised again where it is not about this leg
                _pass_over(leg.sid, error)
        _log.info("calls in progress looked through", legs=len(legs), adopted=adopted, unread=numbers.unread)
        if not numbers.unread and listed.cut != "late":
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


def _pass_over(sid: str, error: Exception) -> None:
    """One call that cannot be changed must not cost the others their look. Raises what is the store's own trouble."""
    if isinstance(error, (StoreUnavailable, StoreMisconfigured)) and not isinstance(error, CallTooNew):
        raise error
    _log.warning("call passed over", call_sid=sid, exc_info=error)


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
