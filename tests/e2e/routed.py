"""A site behind a router, as platforms have it: processes are replaced by new ones, and the address stays."""

from __future__ import annotations

from typing import Self

import requests

from orchestrator.store.keys import WORKERS
from tests.e2e.harness import Site
from tests.e2e.processes import READY_S, Process, free_port, poll
from tests.link import Link

ENDED_S = 25.0


class RoutedSite(Site):
    """The Procfile's processes behind a router: `web_url` is the router's, each web process has a port of its own."""

    def __enter__(self) -> Self:
        self.web_port = free_port()
        self.router = Link(self.web_port)
        super().__enter__()
        self._stack.callback(self.router.__exit__)
        return self

    def _public_address(self) -> str:
        return f"http://127.0.0.1:{self.router.port}"

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PORT": str(self.web_port)}

    def release(self) -> None:
        """As a platform does it: new processes first, then the router, then SIGTERM to the old ones."""
        old = [*self.living("web"), *self.living("worker")]
        self.web_port = free_port()
        self.start_service("web")
        workers = [self.start_service("worker") for _ in self.living("worker")]
        poll(self._is_new_web_up, READY_S, "the new web process serves")
        poll(lambda: all(map(self._works, workers)), READY_S, "the new workers work")
        old_port = self.router.lead_to(self.web_port)
        # Connections are taken in their order: once this is answered, all that the router made have been taken.
        assert requests.get(f"http://127.0.0.1:{old_port}/healthz", timeout=10).ok
        for process in old:
            process.popen.terminate()
        poll(lambda: all(process.popen.poll() is not None for process in old), ENDED_S, "the old processes have ended")
        assert {process.name: process.popen.poll() for process in old} == {process.name: 0 for process in old}

    def living(self, name: str) -> list[Process]:
        """The processes of this type that have not been ended."""
        own = [process for process in self.processes if process.name.partition("-")[0] == name]
        return [process for process in own if process.popen.poll() is None]

    def _works(self, worker: Process) -> bool:
        """Whether it has told Redis that it lives."""
        with self.redis() as redis:
            return any(name.endswith(f"-{worker.pid}".encode()) for name in redis.zrange(WORKERS, 0, -1))

    def _is_new_web_up(self) -> bool:
        try:
            return self.http.get(f"http://127.0.0.1:{self.web_port}/healthz", timeout=2).ok
        except requests.ConnectionError:
            return False
