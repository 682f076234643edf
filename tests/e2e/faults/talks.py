"""One call played sentence by sentence, with faults in between, and processes that are killed, frozen and replaced."""

from __future__ import annotations

import os
import signal
from typing import Any

from orchestrator.emulators.scenario import Player, Scenario
from orchestrator.emulators.stage import Stage, Step
from tests.e2e.harness import CUSTOMER, DESKTOP_KEY, NUMBER, Site
from tests.e2e.processes import DRAIN_S, Process, poll
from tests.e2e.world import CallSeen

PATIENCE_S = 20.0


class Talk:
    """See the module. `play` raises where a sentence does not come true."""

    def __init__(self, site: Site) -> None:
        self.site = site
        player = Player(
            site.twilio_url, site.asapp_url, site.web_url, DESKTOP_KEY, speed=site.speed, patience_s=PATIENCE_S
        )
        self._stage = Stage(player, Scenario("A talk with faults", NUMBER, CUSTOMER, ()), site.http)
        self._line = 0

    @property
    def call(self) -> CallSeen:
        return CallSeen(self.site, self._stage.played.call_sid)

    def play(self, *sentences: str) -> None:
        for sentence in sentences:
            self._line += 1
            self._stage.play(Step(sentence, self._line))

    def asapp_fault(self, operation: str, **rule: Any) -> None:
        self.site.asapp("faults", [{"operation": operation, "match": {"guid": self.call.sid}, **rule}])

    def twilio_fault(self, operation: str, **rule: Any) -> None:
        self.site.twilio("faults", [{"operation": operation, "match": {"call_sid": self.call.sid}, **rule}])

    def is_transcribing(self) -> bool:
        return bool(self.call.asapp()["transcribing"])

    def settles(self, state: str, within_s: float) -> None:
        """Ours and ASAPP's view agree, and nothing is left to do but regular looks."""
        poll(lambda: self.call.api()["state"] == state, within_s, f"{state}, now {self.call.timeline()[-5:]}")
        poll(lambda: self.is_transcribing() == (state == "transcribing"), within_s, "ASAPP agrees")


def kill(process: Process) -> None:
    """SIGKILL to the process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.popen.wait(DRAIN_S)


def freeze(process: Process) -> None:
    os.killpg(process.pid, signal.SIGSTOP)


def thaw(process: Process) -> None:
    os.killpg(process.pid, signal.SIGCONT)


def replace_worker(site: Site) -> Process:
    """As a supervisor does; returns once the new one works."""
    worker = site.start_service("worker")
    poll(lambda: "worker-started" in worker.text(), PATIENCE_S, "the new worker has started")
    return worker
