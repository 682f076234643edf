"""Commands on a terminal of their own: `orchestrator calls --watch`, and tables of a terminal's width."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from orchestrator.core import events as e
from orchestrator.core.profile import Profile
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.store.connect import Redis
from tests.integration.conftest import RedisServer

CALL = "CA" + "a" * 32
DEADLINE_S = 20.0
_WITH_CTRL_C = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('orchestrator', run_name='__main__', alter_sys=True)"
)
"""As on a terminal, also where the tests run in the background, whose children ignore Ctrl-C."""


@dataclass
class Terminal:
    """A program on a terminal of so many columns, and what it has drawn."""

    process: subprocess.Popen[bytes]
    line: int
    drawn: str = field(default="")

    def shows(self, text: str) -> str:
        """Waits for it, from what was drawn since the last wait; what came before it."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.drawn:
            assert time.monotonic() < deadline, self.drawn[-2000:]
            if select.select([self.line], [], [], 0.1)[0]:
                self.drawn += os.read(self.line, 65_536).decode(errors="replace")
        before, _, self.drawn = self.drawn.partition(text)
        return before

    def end(self) -> int:
        """Ctrl-C, and how it ended."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the other side is closed
            while select.select([self.line], [], [], 5)[0] and os.read(self.line, 65_536):
                pass
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def terminal(environ: dict[str, str], *arguments: str, columns: int) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-c", _WITH_CTRL_C, *arguments]
    kept = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"}
    process = subprocess.Popen(command, env={**kept, **environ}, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: S603  ours
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        os.close(ours)


@pytest.fixture
def services(redis: Redis, redis_server: RedisServer, environment: dict[str, str]) -> Iterator[Services]:
    """With one call that waits."""
    del redis  # empties the server
    environment["REDIS_URL"] = redis_server.url
    built = build(Settings.from_environment(environment))
    profile = Profile(route="conference")
    built.store.begin(e.CallArrived(at=built.clock.now_ms(), call_sid=CALL, profile=profile, has_stream_url=True))
    yield built
    built.close()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_keeps_itself_up_to_date(services: Services, environment: dict[str, str], columns: int) -> None:
    """What becomes of a call is drawn within the time between two looks; Ctrl-C ends it with 0."""
    with terminal(environment, "calls", "--watch", "--every", "0.2", columns=columns) as shown:
        shown.shows("1 call: 1 waiting")
        shown.shows(CALL)
        services.store.apply(CALL, e.AgentConnected(at=services.clock.now_ms(), agent_id="amy"))
        shown.shows("1 call: 1 starting")
        shown.shows("amy")
        assert shown.end() == 0


def test_a_table_fits_its_terminal(services: Services, environment: dict[str, str]) -> None:
    """Long names of agents are cut on 80 columns, and no line is broken; what is not a terminal gets them whole."""
    at = services.clock.now_ms()
    agent = "client:agent-with-a-very-long-name-indeed"
    services.store.apply(CALL, e.AgentConnected(at=at, agent_id=agent))
    services.store.apply(CALL, e.LegEnded(at=at + 2_000, leg=CALL))
    with terminal(environment, "coverage", columns=80) as shown:
        lines = shown.shows("All in seconds").splitlines()
    assert len(lines) == 3
    assert all(len(line) <= 80 for line in lines), lines
    assert "client:agent-" in lines[2]
    assert agent not in lines[2]
    whole = subprocess.run(
        [sys.executable, "-m", "orchestrator", "coverage"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert agent in whole.stdout


@pytest.mark.usefixtures("services")
def test_colours_are_for_terminals(environment: dict[str, str]) -> None:
    """On one a state has its colour."""
    with terminal(environment, "calls", columns=80) as shown:
        shown.shows(CALL)
        shown.shows("\x1b[37mwaiting")
