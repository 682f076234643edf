"""A rolling upgrade: the previous release's processes and this one's on the same Redis, forward and back.

`tests/data/previous-release` names the commit that is deployed before; a release moves it forward. Its files come from
this repository's own history, and run with today's dependencies.
"""

from __future__ import annotations

import io
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.call import SCHEMA
from orchestrator.store.keys import Keys
from tests.e2e.faults.talks import PATIENCE_S, Talk
from tests.e2e.harness import Site
from tests.e2e.processes import DRAIN_S, ROOT, Process, poll, procfile
from tests.e2e.world import START, STOP, assert_ended_clean

PREVIOUS = (ROOT / "tests/data/previous-release").read_text().strip()


def git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True, timeout=60).stdout  # noqa: S603, S607  our own repository


class MixedSite(Site):
    """A site whose processes are of either release: `previous` is a folder with the previous one's files."""

    def __init__(self, previous: Path) -> None:
        super().__init__()
        self.previous = previous

    def _start_services(self) -> None:
        for name in ("web", "worker"):
            self.start_previous(name)

    def start_previous(self, name: str) -> Process:
        """A process type of the Procfile, of the previous release."""
        return self._run(f"{name}-previous", shlex.split(procfile()[name]), self.environment(), cwd=self.previous)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedSite]:
    git("merge-base", "--is-ancestor", PREVIOUS, "HEAD")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(git("archive", PREVIOUS, "orchestrator", "config"))) as archive:
        archive.extractall(folder, filter="data")
    with MixedSite(folder) as site:
        yield site


def end(process: Process) -> None:
    process.popen.terminate()
    assert process.popen.wait(DRAIN_S) == 0, process.tail()


def started(process: Process) -> Process:
    poll(lambda: "worker-started" in process.text(), PATIENCE_S, f"{process.name} has started")
    return process


def schema_of(talk: Talk) -> int:
    """As it is stored."""
    with talk.site.redis() as redis:
        document = redis.hget(Keys().of(talk.call.sid).document, "document")
    assert isinstance(document, bytes)
    return SCHEMA if f'"schema":{SCHEMA}'.encode() in document else 0


def test_a_call_lives_through_an_upgrade_and_the_way_back(mixed: MixedSite) -> None:
    """Begun under the previous release, held under both, unheld under this one, ended under the previous one again."""
    old = mixed.process("worker")
    talk = Talk(mixed)
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")

    # 1. Workers of both releases side by side: whoever claims the call does right.
    new = started(mixed.start_service("worker"))
    for _ in range(3):
        talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")

    # 2. The previous release's worker is gone.
    end(old)
    talk.play("customer is held", "wait until paused")
    assert schema_of(talk) == SCHEMA
    talk.play("customer is unheld", "wait until transcribing", "wait until heard customer-speech again")

    # 3. And back: this release's worker is gone, the previous one's reads what it wrote.
    old = started(mixed.start_previous("worker"))
    end(new)
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.play("customer hangs up")

    assert_ended_clean(talk.call)
    assert talk.call.order()[:11] == [*[START, STOP] * 5, START]
    assert [entry["name"] for entry in talk.call.timeline()].count("action-abandoned") == 0


def test_the_previous_releases_web_reads_what_this_one_wrote(mixed: MixedSite) -> None:
    """Its web processes took the messages all the while; its API shows a call that this release's worker changed."""
    new = started(mixed.start_service("worker"))
    talk = Talk(mixed)
    talk.play("customer calls", "agent amy joins", "wait until transcribing")
    talk.settles("transcribing", PATIENCE_S)
    talk.play("customer is held")
    talk.settles("paused", PATIENCE_S)
    talk.play("customer hangs up")
    assert_ended_clean(talk.call)
    end(new)
