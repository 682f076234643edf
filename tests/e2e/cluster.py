"""A Redis Cluster of three masters, each with a replica, and a site on it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import redis as redis_py

from orchestrator.store.connect import Redis, connect
from orchestrator.store.keys import Keys
from tests.e2e.harness import Site
from tests.e2e.processes import READY_S, Process, free_port, poll

SHARDS = 6
SLOTS = ((0, 5461), (5462, 10922), (10923, 16383))
NODE_TIMEOUT_MS = 1_000


class ClusterSite(Site):
    """`web` and `worker` of the Procfile over the cluster, calls in `SHARDS` shards."""

    def __init__(self) -> None:
        super().__init__(environment={"REDIS_SHARDS": str(SHARDS)})
        self.nodes: dict[int, Process] = {}

    def _start_redis(self) -> None:
        binary = shutil.which("redis-server")
        assert binary, "redis-server is missing; scripts/require-redis.sh says how to get it"
        bus = {}
        for number in range(2 * len(SLOTS)):
            port, folder = free_port(), self.folder / f"node-{number}"
            folder.mkdir()
            bus[port] = free_port()
            options = {
                "port": port,
                "cluster-port": bus[port],
                "cluster-enabled": "yes",
                "cluster-node-timeout": NODE_TIMEOUT_MS,
                "bind": "127.0.0.1",
                "dir": folder,
                "appendonly": "yes",
                "save": "",
            }
            words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
            self.nodes[port] = self._run(f"redis-{number}", [binary, *words])
        for process in self.nodes.values():
            poll(lambda process=process: "Ready to accept" in process.text(), READY_S, "a node is ready")  # type: ignore[misc]  # mypy cannot infer a lambda's default
        self._form(bus)
        self.redis_url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.nodes)

    def _form(self, bus: dict[int, int]) -> None:
        """Slots for the first three, all meet, the others replicate them."""
        ports = list(self.nodes)
        for epoch, (port, slots) in enumerate(zip(ports, SLOTS, strict=False), start=1):
            self.ask(port, "CLUSTER", "ADDSLOTSRANGE", *slots)
            self.ask(port, "CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for port in ports[1:]:
            self.ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, bus[port])
        poll(lambda: all(self._knows(port, len(ports)) for port in ports), READY_S, "all nodes have met")
        for master, replica in zip(ports[:3], ports[3:], strict=True):
            self.ask(replica, "CLUSTER", "REPLICATE", self.ask(master, "CLUSTER", "MYID"))
        poll(lambda: all(self.is_ok(port) for port in ports), READY_S, "the cluster is whole")
        poll(lambda: all(self._follows(port) for port in ports[3:]), READY_S, "replicas follow")

    def ask(self, port: int, *words: object) -> str:
        with contextlib.closing(redis_py.Redis(port=port, decode_responses=True)) as node:
            node.response_callbacks.clear()
            return str(node.execute_command(*words))  # type: ignore[no-untyped-call]  # redis-py leaves it without types

    def _knows(self, port: int, count: int) -> bool:
        return f"cluster_known_nodes:{count}" in self.ask(port, "CLUSTER", "INFO")

    def is_ok(self, port: int) -> bool:
        return "cluster_state:ok" in self.ask(port, "CLUSTER", "INFO")

    def _follows(self, port: int) -> bool:
        return "master_link_status:up" in self.ask(port, "INFO", "replication")

    @contextlib.contextmanager
    def client(self) -> Iterator[Redis]:
        with contextlib.closing(connect(self.redis_url)) as client:
            yield client

    def master_of(self, call_sid: str) -> int:
        """The port of the node that holds this call now."""
        living = next(port for port, node in self.nodes.items() if node.popen.poll() is None)
        slot = int(self.ask(living, "CLUSTER", "KEYSLOT", Keys(SHARDS).of(call_sid).document))
        for line in self.ask(living, "CLUSTER", "NODES").splitlines():
            words = line.split()
            ranges = [each.split("-") for each in words[8:] if not each.startswith("[")]
            if "master" in words[2] and any(int(each[0]) <= slot <= int(each[-1]) for each in ranges):
                return int(words[1].partition("@")[0].rpartition(":")[2])
        raise AssertionError(f"nobody has slot {slot}")

    def is_idle(self, call_sid: str) -> bool:
        keys = Keys(SHARDS)
        queue = keys.queue("calls", keys.shard_of(call_sid))
        places = (queue.due, queue.urgent, queue.held_due, queue.held_urgent, queue.leases)
        with self.client() as redis:
            return all(redis.execute_command("ZSCORE", place, call_sid) is None for place in places)
