"""Recovery as figures: a worker that dies, ASAPP that is away, the streams of all calls at once.

The same is measured at size by `benchmarks/recovery.py`. The bounds here hold on a machine that plays the vendors, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import CUSTOMER, NUMBER, Site
from tests.e2e.herd import Herd
from tests.e2e.recovery import outage, storm, stream_breaks, worker_dies
from tests.e2e.world import CallSeen

SPEED = 0.1
MOST_RPS = 20


@pytest.fixture(scope="module")
def calm_site() -> Iterator[Site]:
    """One call at its true speed, and an ASAPP that finds a stream at once."""
    with Site(speed=1.0) as running:
        running.start_service("worker")
        running.asapp("switches", {"stream-known-after-ms": 0, "start-before-media": "accept"})
        yield running


@pytest.fixture(scope="module")
def busy_site() -> Iterator[Site]:
    with Site(speed=SPEED, environment={"LOG_LEVEL": "warning", "ASAPP_MAX_RPS": str(MOST_RPS)}) as running:
        running.start_service("worker")
        yield running


@pytest.fixture
def herd(busy_site: Site) -> Iterator[Herd]:
    herd = Herd(busy_site)
    yield herd
    for sid in herd.sids:
        busy_site.twilio(f"calls/{sid}/hangup", {})


def test_a_dead_workers_call_is_taken_over_within_five_seconds(calm_site: Site) -> None:
    """Killed with a stop on its way: the other worker sends it again 5 s after the kill at the latest."""
    call = CallSeen(calm_site, calm_site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
    calm_site.twilio(f"calls/{call.sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    workers = [each for each in calm_site.processes if each.name.startswith("worker")]
    assert worker_dies(call, workers) <= 5.0
    broken = stream_breaks(call)
    assert broken.ours_s < 1.0, "and by the one that is left a stream that breaks is transcribed again, soon"


def test_fault_13_all_are_back_soon_after_an_outage(herd: Herd) -> None:
    """13: ASAPP is away and every stream with it: all calls are transcribed again within seconds of its return."""
    herd.gather(20, 60)
    assert outage(herd, 8.0, 30)[-1] < 10.0


def test_fault_46_a_herd_is_drained_by_its_budget_the_newest_talk_first(herd: Herd) -> None:
    """46: every stream is lost at once: within the budget, newest first, and the holds of others are off at once."""
    bystanders = Herd(herd.site)
    bystanders.gather(3, 60)
    herd.gather(120, 120)
    told = storm(herd, bystanders.sids, 90)
    stops = len(told.holds_s)  # they pass every budget
    assert told.most_requests_in_a_second <= 1.1 * MOST_RPS + stops
    third = len(told.back_s) // 3
    oldest, newest = sum(told.back_s[:third]) / third, sum(told.back_s[-third:]) / third
    assert newest < oldest, f"mean of the newest third {newest:.1f} s, of the oldest {oldest:.1f} s"
    assert told.holds_s, "holds went on meanwhile"
    assert sorted(told.holds_s)[len(told.holds_s) // 2] < 0.5
    for sid in bystanders.sids:
        herd.site.twilio(f"calls/{sid}/hangup", {})
