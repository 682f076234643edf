"""`orchestrator demo`, as `make demo` starts it: what a stranger sees first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import ROOT, poll

LONGEST_S = 150
_DEMO = [sys.executable, "-m", "orchestrator", "demo", "--port", "0", "--rate", "60"]


@pytest.fixture
def home() -> Iterator[Path]:
    """Where the demo writes; its path is short, as those of sockets must be."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Nothing is configured."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A demo without an end, and the file with what it says."""
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(_DEMO, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  ours
    yield process, said
    process.kill()
    process.wait(LONGEST_S)


def test_it_plays_its_calls_and_tells_what_asapp_heard(environment: dict[str, str], home: Path) -> None:
    """As many as asked for, each to its end; all of the archive is there when it ends, with 0, and nothing is left."""
    done = subprocess.run(  # noqa: S603  ours
        [*_DEMO, "--calls", "11"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    total = re.search(r"^ *all +11 +(\S+) s +(\S+) s +(\S+) s +(\d+)/(\d+) *$", done.stdout, re.MULTILINE)
    assert total is not None, done.stdout[-3000:]
    talk, kept_out, heard_of_that = (float(each) for each in total.groups()[:3])
    assert talk > kept_out > heard_of_that
    assert total[4] == total[5] != "0"
    assert "scripts that could not be played: 0" in done.stdout
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "terminal closed"])
def test_it_ends_with_the_summary(running: tuple[subprocess.Popen[bytes], Path], told: signal.Signals) -> None:
    """Calls that are up are hung up, everything that was started is ended, and the exit code is 0."""
    process, said = running
    poll(lambda: "-> transcribing" in said.read_text(), LONGEST_S, "a call is transcribed")
    found = re.search(r"The service is at (\S+);", said.read_text())
    assert found is not None
    assert requests.get(f"{found[1]}/healthz", timeout=5).ok
    process.send_signal(told)
    assert process.wait(LONGEST_S) == 0, said.read_text()[-3000:]
    assert "What ASAPP heard, counted from the audio" in said.read_text()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{found[1]}/healthz", timeout=5)
