"""After Redis was away every live call is compared with Twilio; after Redis was found empty, calls are found again.

A mark in Redis tells that this has been done for the data that is there. Whoever finds it missing lists Twilio's calls
in progress and adopts the customers' legs that are ours: calls to numbers whose voice URL leads here or that a profile
names, and children of agents' devices. One process does it at a time, by a lease; a mark is set only when it is done.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from orchestrator.core.actions import Outcome
from orchestrator.core.events import AuditRequested, CallAdopted
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store.errors import CallIsOver
from orchestrator.store.keys import PREFIX, lease

if TYPE_CHECKING:
    from orchestrator.core.profile import Profile
    from orchestrator.services import Services
    from orchestrator.twilio.client import ListedLeg

MARK = f"{PREFIX}:resynced"
LEASE_MS = 30_000
AUDIT_LEASE_MS = 10_000
_log = get_logger("orchestrator.worker.resync")


class Resync:
    """One per process; `look` every few seconds. Raises StoreUnavailable, and remembers it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.was_away = False

    def look(self) -> None:
        try:
            is_marked = self._services.redis.execute_command("GET", MARK) is not None
        except OrchestratorError:
            self.was_away = True
            raise
        if not is_marked and self._has_lease("resync", LEASE_MS):
            self._find_calls()
        if self.was_away and self._has_lease("reconnected", AUDIT_LEASE_MS):
            self._audit_all()
        self.was_away = False

    def _has_lease(self, name: str, for_ms: int) -> bool:
        token = secrets.token_hex(4)
        return bool(self._services.redis.execute_command("SET", lease(name), token, "NX", "PX", for_ms))

    def _audit_all(self) -> None:
        """The reads themselves are paced by their budget."""
        store, clock, count = self._services.store, self._services.clock, 0
        for sid in store.live_sids():
            store.apply(sid, AuditRequested(at=clock.now_ms(), why="Redis was away"))
            count += 1
        _log.info("live calls will be compared with Twilio", calls=count)

    def _find_calls(self) -> None:
        listed = self._services.twilio.list_calls_in_progress()
        if isinstance(listed, Outcome):
            _log.warning("calls in progress not listed", verdict=str(listed.verdict), code=listed.code)
            return
        legs = {leg.sid: leg for leg in listed}
        adopted = sum(self._is_adopted(leg, legs.get(leg.parent or "")) for leg in listed)
        self._services.redis.execute_command("SET", MARK, "1")
        _log.info("calls in progress looked through", legs=len(listed), adopted=adopted)

    def _is_adopted(self, leg: ListedLeg, parent: ListedLeg | None) -> bool:
        """Whether this leg is a customer's of ours, and was made known by this."""
        store = self._services.store
        profile = self._profile_of(leg, parent)
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

    def _profile_of(self, leg: ListedLeg, parent: ListedLeg | None) -> Profile | None:
        profiles = self._services.profiles
        if leg.parent is not None:
            is_agents = profiles.for_device(leg.called, leg.called) is not None
            return None if parent is None or is_agents else profiles.for_device(parent.caller, leg.called)
        if leg.direction != "inbound" or profiles.for_device(leg.caller, leg.called) is not None:
            return None
        profile = profiles.match(leg.called)
        return profile if profile is not profiles.default or self._leads_here(leg.called) else None

    def _leads_here(self, number: str) -> bool:
        found = self._services.twilio.number(number) if number.startswith("+") else None
        base = self._services.settings.public_base_url.rstrip("/") + "/"
        return found is not None and not isinstance(found, Outcome) and found.voice_url.startswith(base)
