"""The slow queue's threads: many calls at a time, whatever one of them meets, and first documents before all else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from orchestrator.store.codec import encode
from orchestrator.transcripts.archive import Archive
from orchestrator.worker.slow import SlowWork, look, thread_count
from tests.integration.conftest import RedisServer
from tests.integration.transcripts.conftest import Office, open_office
from tests.scripted_http import answer
from tests.unit.transcripts.conversations import SID, given_call, heard, listed

COUNT = 24
CALLS = [msgspec.structs.replace(given_call(promised=1), call_sid=f"CA{number:032x}") for number in range(COUNT)]
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def office(redis: object, redis_server: RedisServer, tmp_path: Path) -> Iterator[Office]:
    del redis  # empties the server
    with open_office(redis_server, tmp_path) as opened:
        yield opened


@pytest.fixture
def working(office: Office) -> Iterator[list[threading.Thread]]:
    """The threads of a worker with the usual sixteen; the test starts them."""
    stopping = threading.Event()
    threads = SlowWork(office.services, "test", stopping).threads(thread_count(16))
    yield threads
    stopping.set()
    for thread in threads:
        if thread.ident is not None:
            thread.join(15)
            assert not thread.is_alive()


def archived(office: Office) -> int:
    return len(list((office.folder / "archive").rglob("*.json")))


def test_first_documents_do_not_wait_behind_a_vendor_that_hangs(
    office: Office, working: list[threading.Thread], eventually: Eventually
) -> None:
    """While ASAPP answers nobody, calls that end are archived all the same: their first look goes before all others."""
    held = threading.Event()
    office.asapp.otherwise = replace(answer(200, {"items": []}), wait=held)
    asking, ending = CALLS[:3], CALLS[3:]
    for call in CALLS:
        office.put(msgspec.structs.replace(call, ended_at=office.services.clock.now_ms()))
    for call in asking:
        look(office.services, call.call_sid)
        office.services.slow_queue.mark(call.call_sid)
    for thread in working:
        thread.start()
    eventually(lambda: len(office.asapp.asked) == len(asking))
    for call in ending:
        office.services.slow_queue.mark(call.call_sid, urgent=True)
    eventually(lambda: archived(office) == COUNT)
    assert len(office.asapp.asked) == len(asking)
    held.set()


def test_several_calls_are_fetched_at_a_time(
    office: Office, working: list[threading.Thread], eventually: Eventually
) -> None:
    """One slow answer holds up one thread, not the queue."""
    held = threading.Event()
    office.asapp.otherwise = replace(answer(200, {"items": []}), wait=held)
    for call in CALLS[:8]:
        office.put(msgspec.structs.replace(call, ended_at=office.services.clock.now_ms()))
        look(office.services, call.call_sid)
        office.services.slow_queue.mark(call.call_sid)
    for thread in working:
        thread.start()
    eventually(lambda: len(office.asapp.asked) == len(working))
    held.set()
    eventually(lambda: len({each.query["externalId"] for each in office.asapp.asked}) == 8)


def test_a_call_that_always_fails_takes_nobody_with_it(
    office: Office, working: list[threading.Thread], eventually: Eventually
) -> None:
    """Its stored document cannot be read; the others are archived, and it is looked at again later and later."""
    services = office.services
    broken = CALLS[0].call_sid
    services.redis.execute_command(
        "HSET", services.store.keys.of(broken).document, "version", 1, "document", encode(CALLS[0])[:-9]
    )
    office.lists([listed(70_000, "thank you")])
    services.slow_queue.mark(broken, urgent=True)
    for call in CALLS[1:9]:
        office.put(call)
        services.slow_queue.mark(call.call_sid)
    for thread in working:
        thread.start()
    eventually(lambda: archived(office) == 8)
    due = services.store.keys.queue("slow", 0).due

    def waits_s() -> float:
        return float(services.redis.execute_command("ZSCORE", due, broken) or 0) / 1000 - services.clock.now_ms() / 1000

    eventually(lambda: 25 < waits_s() < 35)
    services.slow_queue.mark(broken)
    eventually(lambda: 55 < waits_s() < 68)


def test_what_a_stale_worker_wrote_is_put_right(
    office: Office, working: list[threading.Thread], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hung in the archive for longer than its lease, and then wrote over what another worker had archived."""
    services, call = office.services, given_call(promised=2)
    office.put(call)
    office.hear(call, heard(12_000, 13_000, "hello there"))
    office.lists([])
    queue = services.store.keys.queue("slow", 0)
    hung: list[str] = []

    def pipe(files: LocalFileSystem, path: str, value: bytes, **more: Any) -> None:
        if not hung:
            hung.append(path)
            office.hear(call, heard(20_000, 21_000, "the second sentence"))
            services.redis.execute_command("ZADD", queue.leases, 1, SID)
            while (claim := services.slow_queue.claim("other")) is not None:
                services.slow_queue.release(claim, look(services, SID))
            assert words() == ["hello there", "the second sentence"]
        whole(files, path, value, **more)

    def words() -> list[str]:
        document = Archive(services.settings.archive_url or "").read(call)
        return [] if document is None else [each["text"] for each in document["utterances"]]

    def waits_s() -> float:
        due_ms = float(services.redis.execute_command("ZSCORE", queue.due, SID) or 0)
        return due_ms / 1000 - services.clock.now_ms() / 1000

    whole = LocalFileSystem.pipe_file
    monkeypatch.setattr(LocalFileSystem, "pipe_file", pipe)
    services.slow_queue.mark(SID)
    working[0].start()
    eventually(lambda: 25 < waits_s() < 35)
    assert words() == ["hello there"]
    services.slow_queue.mark(SID)
    eventually(lambda: words() == ["hello there", "the second sentence"])
