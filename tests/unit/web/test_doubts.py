"""Doubts about calls: one that cannot be told keeps no other waiting."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, cast

from orchestrator.services import Services
from orchestrator.store.errors import CallUnreadable, StoreUnavailable
from orchestrator.web.doubts import Doubts
from tests.scarce import no_threads

DEADLINE_S = 5.0


class Store:
    """Takes events, but for one call and while it is away."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_away = threading.Event()

    def resolve(self, _kind: str, _sid: str) -> None: ...

    def apply(self, sid: str, _event: object) -> object:
        if self.is_away.is_set():
            raise StoreUnavailable("away")
        if sid == "CAbroken":
            raise CallUnreadable(sid, "written by hand")
        if sid == "CAunforeseen":
            raise ZeroDivisionError
        self.told.append(sid)
        return object()


@dataclass
class Clock:
    def now_ms(self) -> int:
        return 1


@dataclass
class Site:
    """As much of the services as is asked for."""

    store: Store = field(default_factory=Store)
    clock: Clock = field(default_factory=Clock)

    @property
    def services(self) -> Services:
        return cast("Services", cast("Any", self))


def told(site: Site, *sids: str) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not set(sids) <= set(site.store.told) and time.monotonic() < deadline:
        time.sleep(0.01)
    return set(sids) <= set(site.store.told)


def test_a_call_that_cannot_be_told_keeps_no_other_waiting() -> None:
    """Its stored document cannot be read, or something that nobody foresaw; the next one is told at once."""
    doubts, site = Doubts(), Site()
    site.store.is_away.set()
    for sid in ("CAbroken", "CAunforeseen", "CAwell"):
        doubts.remember(site.services, sid)
    site.store.is_away.clear()
    assert told(site, "CAwell")


def test_a_store_that_stays_away_keeps_no_other_waiting() -> None:
    """Each store is asked for its own calls."""
    doubts, gone, back = Doubts(), Site(), Site()
    gone.store.is_away.set()
    doubts.remember(gone.services, "CAgone")
    doubts.remember(back.services, "CAback")
    assert told(back, "CAback")
    gone.store.is_away.clear()
    assert told(gone, "CAgone")


def test_a_doubt_without_a_thread_is_told_with_the_next_one() -> None:
    """The system had none to give: nothing is raised, and nothing is forgotten."""
    doubts, site = Doubts(), Site()
    with no_threads():
        doubts.remember(site.services, "CAfirst")
    doubts.remember(site.services, "CAsecond")
    assert told(site, "CAfirst", "CAsecond")
