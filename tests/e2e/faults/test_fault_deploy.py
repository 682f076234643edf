"""A release goes out while callers come and talk: fresh processes take over behind a router, nobody notices."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import requests

from orchestrator.store.keys import Keys
from tests.e2e.faults.talks import Talk
from tests.e2e.harness import CUSTOMER, NUMBER, Site
from tests.e2e.processes import poll
from tests.e2e.routed import RoutedSite
from tests.e2e.signing import post_signed
from tests.e2e.world import pause_to_off_s

RESUMED_WITHIN_S = 1.0
RELEASES = 3
LOADERS, PACE_S = 4, 0.1
CALLERS = 100


@dataclass
class Load:
    """Callers and their callbacks, over and over, as Twilio sends them: without a second try."""

    site: Site
    answers: Counter[int] = field(default_factory=Counter)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        count = 0
        while not self.ending.wait(PACE_S):
            count += 1
            sid = f"CA{number:04x}{count:028x}"
            form = {"CallSid": sid, "From": CUSTOMER, "To": NUMBER, "Direction": "inbound", "CallStatus": "ringing"}
            self._post("/twilio/voice", form)
            self._post("/twilio/call-status", {**form, "CallStatus": "completed"})

    def _post(self, path: str, form: dict[str, str]) -> None:
        try:
            status = post_signed(self.site, path, form, keep_alive=False).status_code
        except requests.RequestException:
            status = 0
        self.answers[status] += 1


@pytest.fixture(scope="module")
def routed_site() -> Iterator[RoutedSite]:
    with RoutedSite() as running:
        yield running


def test_fault_48_releases_under_load(routed_site: RoutedSite) -> None:
    """48: three releases in a row: no webhook fails, holds are off and on within a second, no lease is left."""
    talk, load = Talk(routed_site), Load(routed_site)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    threads = [threading.Thread(target=load.run, args=(number,), daemon=True) for number in range(LOADERS)]
    for thread in threads:
        thread.start()
    toggles = 0
    with ThreadPoolExecutor(1) as platform:
        for _ in range(RELEASES):
            release = platform.submit(routed_site.release)
            while not release.done():
                talk.play("customer is held")
                talk.settles("paused", RESUMED_WITHIN_S + 1)
                talk.play("customer is unheld")
                talk.settles("transcribing", RESUMED_WITHIN_S + 2)
                toggles += 1
            release.result()
    assert toggles > RELEASES, "holds came all the time"
    assert load.answers.total() > CALLERS, "callers came all the time"
    load.ending.set()
    for thread in threads:
        thread.join(20)
    assert set(load.answers) <= {200, 204}, f"answers: {load.answers}"
    assert max(pause_to_off_s(talk.call)) < RESUMED_WITHIN_S
    talk.play("customer hangs up", "wait until ended")
    poll(lambda: is_idle(routed_site), 10, "no lease is left")


def is_idle(site: Site) -> bool:
    with site.redis() as redis:
        return int(redis.zcard(Keys().queue("calls", 0).leases)) == 0
