"""The slow queue's threads: what is done for a call after its end, beside the calls and never in their way.

A key is a Call SID (its transcript is fetched, put together and archived, `transcripts.after_call`) or a Call SID
behind a prefix (its transcript goes to the sink, `transcripts.sink`). A look may wait ten seconds for somebody else,
so there are a few threads of their own for it; of ASAPP's budget they get what calls leave. A look that fails is due
again half a minute later, then ever later, up to an hour apart, as long as Redis keeps the call. After one that took
longer than its lease another one follows, too.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from orchestrator.core.backoff import doubling_ms, spread
from orchestrator.errors import OrchestratorError
from orchestrator.transcripts import after_call, sink

if TYPE_CHECKING:
    from orchestrator.services import Services
    from orchestrator.store.queue import Claim

log = structlog.get_logger(__name__)

LEASE_MS = 120_000
"""More than the longest look: ten seconds of waiting, the archive, and merging."""

_IDLE_WAIT_S = 1.0
_AGAIN_MS, _LATEST_MS = 30_000, 3_600_000


def thread_count(threads: int) -> int:
    """Of a worker with so many threads for calls."""
    return max(2, threads // 4)


class SlowWork:
    """The slow queue's threads of one worker process."""

    def __init__(self, services: Services, worker: str, stopping: threading.Event) -> None:
        self._services = services
        self._worker = worker
        self._stopping = stopping
        self._looking = threading.Lock()
        """One idle thread looks and waits for all of them, as in `worker.loop`; at one shard after the other."""
        self._shard = 0
        self._failures: dict[str, int] = {}
        """In a row, of the keys that this process looked at."""

    def threads(self, count: int) -> list[threading.Thread]:
        """Not started yet; the caller starts and joins them."""
        return [
            threading.Thread(target=self._serve, name=f"after-call-{number}", daemon=True) for number in range(count)
        ]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except OrchestratorError as error:
                log.warning("slow-work-put-off", error=error.error_id)
                self._stopping.wait(_IDLE_WAIT_S)
            except Exception:  # transcripts must not wait for a restart that nothing calls for, as in `worker.loop`
                log.exception("slow-work-thread-failed", thread=threading.current_thread().name)
                self._stopping.wait(_IDLE_WAIT_S)

    def _round(self) -> None:
        queue, shards = self._services.slow_queue, self._services.settings.redis_shards
        with self._looking:
            if self._stopping.is_set():  # while we waited for our turn to look
                return
            self._shard = (self._shard + 1) % shards
            claim = queue.claim(self._worker, shard=self._shard, lease_ms=LEASE_MS)
            if claim is None:
                queue.wait(self._shard, _IDLE_WAIT_S / shards)
                return
        if not queue.release(claim, self._looked(claim)):
            self._look_again(claim.key)

    def _look_again(self, key: str) -> None:
        """After a look that outlived its lease: what it wrote may be older than what another worker wrote meanwhile."""
        log.warning("slow-work-overran", key=key)
        self._services.slow_queue.mark(key, self._services.clock.now_ms() + spread(key, _AGAIN_MS))

    def _looked(self, claim: Claim) -> int | None:
        try:
            look_again_at = look(self._services, claim.key)
        except OrchestratorError as error:
            log.warning("slow-work-failed", key=claim.key, error=error.error_id)
        except Exception:  # one call that always fails must not take the thread, and so the others, with it
            log.exception("slow-work-failed", key=claim.key)
        else:
            self._failures.pop(claim.key, None)
            return look_again_at
        failures = self._failures[claim.key] = self._failures.get(claim.key, 0) + 1
        wait_ms = doubling_ms(_AGAIN_MS, failures - 1, _LATEST_MS)
        return self._services.clock.now_ms() + spread(claim.key, wait_ms)


def look(services: Services, key: str) -> int | None:
    """One look at a key of the slow queue; when to look again (ms), or None."""
    if key.startswith(sink.PREFIX):
        return sink.look(services, key.removeprefix(sink.PREFIX))
    return after_call.work(services, key)
