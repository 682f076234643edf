"""The lease of a call at work: its length, and how often it is renewed."""

from __future__ import annotations

import itertools
import time

from orchestrator.core import events as e
from orchestrator.store.keys import Keys
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import STOP, Mood

SLACK_MS = 250


def test_a_lease_lasts_four_seconds_and_is_renewed_every_1300_ms(floor: Floor) -> None:
    """While one claim's requests take nearly four seconds, its lease ends 4 s after each renewal, one every 1.3 s."""
    redis, clock, leases = floor.services.redis, floor.services.clock, Keys().queue("calls", 0).leases
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods |= {STOP: Mood(after_s=1.8), "/Streams/": Mood(after_s=2.0)}
    floor.tell(sid, e.SurveyTransferRequested(at=clock.now_ms()))
    until(lambda: floor.vendors.requests(STOP, sid), 2, "the stop is under way")
    seen: dict[int, int] = {}
    deadline = time.monotonic() + 3.7
    while time.monotonic() < deadline:
        end = redis.execute_command("ZSCORE", leases, sid)
        if end is not None:
            seen.setdefault(int(float(end)), int(float(end)) - clock.now_ms())
        time.sleep(0.01)
    claimed, *renewed = seen
    assert len(renewed) in {2, 3}, "renewed twice or three times in 3.7 s"
    assert all(abs(left - 4_000) <= SLACK_MS for left in list(seen.values())[1:]), "after a renewal: 4 s"
    assert all(abs(later - earlier - 1_300) <= SLACK_MS for earlier, later in itertools.pairwise(renewed))
    assert 0 <= renewed[0] - claimed <= 1_300 + SLACK_MS, "the first renewal comes within 1.3 s of the claim"
