"""A system without a thread to give costs what wanted the thread, not who wanted it."""

from __future__ import annotations

import threading

import pytest

from orchestrator.threads import Threads, has_begun
from tests.scarce import no_threads


def test_a_thread_that_cannot_begin_is_an_answer() -> None:
    """No exception; while there are threads, it runs."""
    ran = threading.Event()
    assert has_begun(threading.Thread(target=ran.set))
    assert ran.wait(5)
    with no_threads():
        assert not has_begun(threading.Thread(target=ran.clear))
    assert ran.is_set()


def test_a_pool_goes_on_with_the_threads_it_has() -> None:
    """The work waits for one of them, and its future ends."""
    with Threads(8, "few") as threads:
        free = threading.Event()
        first = threads.submit(free.wait, 5)
        with no_threads():
            second = threads.submit(lambda: "done")
        assert not second.done()
        free.set()
        assert second.result(5) == "done"
        assert first.result(5)


def test_a_pool_without_any_thread_cancels() -> None:
    """Who asked learns at once that nobody will; it is not done later, when there are threads again."""
    done: list[str] = []
    with Threads(8, "none") as threads:
        with no_threads():
            assert threads.submit(done.append, "first").cancelled()
        threads.submit(done.append, "second").result(5)
    assert done == ["second"]


def test_a_failure_reaches_who_waits() -> None:
    """As from any pool."""
    with Threads(1, "failing") as threads, pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(5)
