"""A Redis Cluster of masters alone, to be stopped and started with its data, or frozen, as a whole or in part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from tests.integration.conftest import DEADLINE_S, RedisServer, start_redis
from tests.ports import free_port

SLOTS = 16_384


class Cluster:
    """Each node has an equal share of the slots; `servers` are its nodes. `options` are redis-server's."""

    def __init__(self, folder: Path, nodes: int, *options: str) -> None:
        self._folder = folder
        self._nodes = nodes
        self._buses: list[int] = []
        self._options = options
        self.servers: list[RedisServer] = []

    def __enter__(self) -> Self:
        with ExitStack() as started:
            started.callback(self.end)
            for _ in range(self._nodes):
                self._add()
            self._form()
            started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def freeze(self) -> None:
        for server in self.servers:
            server.freeze()

    def thaw(self) -> None:
        for server in self.servers:
            server.thaw()

    def end(self) -> None:
        for server in self.servers:
            server.end()

    def start_again(self) -> None:
        """Nodes that ended, with what they had written; returns once they answer, not once they take commands."""
        for number, server in enumerate(self.servers):
            if server.process.poll() is not None:
                self.servers[number] = self._started(number, server.port)

    def join(self) -> int:
        """One more node, which has no slots; its number."""
        number = self._add()
        self._introduce(number)
        self.wait_until_well()
        return number

    def is_well(self) -> bool:
        """All nodes take commands, and know that the others do."""
        known = str(len(self.servers))
        told = [_info(server) for server in self.servers]
        return all((each.get("cluster_state"), each.get("cluster_known_nodes")) == ("ok", known) for each in told)

    def wait_until_well(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not self.is_well():
            assert time.monotonic() < deadline, "the Cluster never became whole"
            time.sleep(0.02)

    def ask(self, number: int, *command: object) -> Any:
        """That node's own answer."""
        with node(self.servers[number]) as redis:
            return redis.execute_command(*command)

    def _add(self) -> int:
        number = len(self.servers)
        self._buses.append(free_port())
        self._folder_of(number).mkdir()
        self.servers.append(self._started(number, free_port()))
        return number

    def _folder_of(self, number: int) -> Path:
        return self._folder / f"node-{number}"

    def _started(self, number: int, port: int) -> RedisServer:
        options = ("--cluster-enabled", "yes", "--cluster-port", str(self._buses[number]), "--appendonly", "yes")
        return start_redis(self._folder_of(number), *options, *self._options, port=port)

    def _form(self) -> None:
        share = SLOTS // len(self.servers)
        last = len(self.servers) - 1
        for number in range(len(self.servers)):
            end = SLOTS - 1 if number == last else (number + 1) * share - 1
            self.ask(number, "CLUSTER ADDSLOTSRANGE", number * share, end)
            self.ask(number, "CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:
                self._introduce(number)
        self.wait_until_well()

    def _introduce(self, number: int) -> None:
        self.ask(0, "CLUSTER MEET", "127.0.0.1", self.servers[number].port, self._buses[number])


@contextmanager
def node(server: RedisServer) -> Iterator[Redis]:
    """A client of this node alone."""
    with closing(connect(server.url)) as redis:
        yield redis


def _info(server: RedisServer) -> dict[str, str]:
    """Empty while it gives no answer."""
    with node(server) as redis:
        try:
            return dict(redis.execute_command("CLUSTER INFO"))
        except StoreUnavailable:
            return {}


def succeeds(attempt: Callable[[], object]) -> bool:
    """Whether the store could be asked."""
    try:
        attempt()
    except StoreUnavailable:
        return False
    return True
