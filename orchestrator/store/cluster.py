"""A client of a Redis Cluster that never waits long for the Cluster's map.

redis-py asks for the map of nodes (CLUSTER SLOTS) in its constructor and again within every command that fails: node
after node, up to a second each, one thread at a time while all others queue behind it. Here the map is looked for in a
thread of its own, one look at a time, and a command waits for it so long that it still ends within `connect`'s bound.
A look that no node answers means that the Cluster is away: for `REST_S` commands fail at once, then the next one begins
another look. Before the first command nothing connects.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.cluster import ClusterNode, NodesManager, RedisCluster, get_node_name
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    ConnectionError,  # noqa: A004  redis-py's name
    NoScriptError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
    TimeoutError,  # noqa: A004  redis-py's name
)

from orchestrator.store.errors import StoreUnavailable
from orchestrator.threads import has_begun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REST_S = 1.0
_LOOK_S = 1.0
_LAST_TRY_AFTER_S = 1.5
"""Into a command: one that begins later would end after the bound."""

Address = tuple[str, int]


class ClusterClient:
    """What `connect.Redis` promises, of a Cluster; a command is tried again once, after a look for the nodes."""

    def __init__(self, nodes: Sequence[Address], options: dict[str, Any]) -> None:
        """`nodes`: those to ask first, and again when no other answers; `options`: redis-py's."""
        self._nodes = nodes
        self._options = options
        self._lock = threading.Lock()
        self._client: RedisCluster | None = None
        self._look: _Look | None = None
        self._is_away = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        began_at, command = time.monotonic(), str(args[0])
        try:
            client = self._client
            if client is None or self._is_away:
                client = self._found(began_at, command)
            try:
                return client.execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's
            except AuthenticationError:
                raise
            except (ConnectionError, TimeoutError, ClusterDownError, SlotNotCoveredError):
                client = self._found(began_at, command)
                return client.execute_command(*args, **options)  # type: ignore[no-untyped-call]  # as above
        except NoScriptError:
            raise
        except (RedisError, RedisClusterException) as error:  # the second is no RedisError
            raise _unavailable(error, command) from error

    def get(self, name: str) -> Any:
        return self.execute_command("GET", name)

    def set(self, name: str, value: Any, ex: int | None = None, px: int | None = None, nx: bool = False) -> Any:
        lifetime = [word for option, given in (("EX", ex), ("PX", px)) if given is not None for word in (option, given)]
        return self.execute_command("SET", name, value, *lifetime, *(["NX"] if nx else []))

    def delete(self, *names: str) -> None:
        """One command for each: they may live on different nodes."""
        for name in names:
            self.execute_command("DEL", name)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # --- the map of nodes ----------------------------------------------------------------------------------------

    def _found(self, began_at: float, command: str) -> RedisCluster:
        """The client, with a map not older than the command that began then. Raises StoreUnavailable."""
        look = self._begin(since=began_at)
        look.join(max(0.0, min(look.began_at + _LOOK_S, began_at + _LAST_TRY_AFTER_S) - time.monotonic()))
        client, failure = self._client, look.failure
        if failure is not None:
            raise _unavailable(failure, command) from failure
        if client is None or look.is_alive():
            raise StoreUnavailable("Redis: no node of the Cluster has answered yet", command=command)
        return client

    def _begin(self, *, since: float, failed: str | None = None, told: Sequence[Address] = ()) -> _Look:
        """The look under way; or the last one, if it is young enough or its failure is; or a new one.

        Raises StoreUnavailable where the system has no thread for it; the next command tries again.
        """
        with self._lock:
            look = self._look
            if look is None or not (look.is_alive() or look.is_young(since)):
                look = _Look(partial(self._learn, failed, told))
                if not has_begun(look):
                    raise StoreUnavailable("Redis: no thread is left to look for the Cluster's nodes")
                self._look = look
            return look

    def _learn(self, failed: str | None, told: Sequence[Address]) -> None:
        """Asks the known nodes, last the one that has just `failed`; then those of the configuration."""
        try:
            if self._client is None:
                self._client = self._made()
            else:
                self._renew(self._client, failed, told)
        except Exception as error:
            self._is_away = True
            if isinstance(error, IndexError):  # redis-py's way to say so
                raise RedisClusterException("no node of the Cluster has slots") from error
            raise
        self._is_away = False

    def _made(self) -> RedisCluster:
        nodes = [ClusterNode(*each) for each in self._nodes]  # type: ignore[no-untyped-call]  # redis-py's
        # Slots without a node are no trouble of the calls in other slots.
        client = _Cluster(startup_nodes=nodes, require_full_coverage=False, **self._options)
        client.nodes_manager.initialize = self._noticed  # type: ignore[method-assign]  # else it blocks the command
        return client

    def _renew(self, client: RedisCluster, failed: str | None, told: Sequence[Address]) -> None:
        manager = client.nodes_manager
        others = [each for each in (*told, *self._nodes) if get_node_name(*each) not in manager.startup_nodes]
        NodesManager.initialize(
            manager,
            additional_startup_nodes_info=others,
            disconnect_startup_nodes_pools=False,
            last_failed_node_name=failed,
        )
        if manager.default_node is not None and manager.default_node.name == failed:
            client.replace_default_node()

    def _noticed(
        self,
        additional_startup_nodes_info: list[Address] | None = None,
        disconnect_startup_nodes_pools: bool = True,
        last_failed_node_name: str | None = None,
    ) -> None:
        """redis-py wants to look for the nodes, within a command: a look begins, and the command goes on."""
        del disconnect_startup_nodes_pools  # no connection of ours reads from replicas
        self._begin(since=time.monotonic(), failed=last_failed_node_name, told=additional_startup_nodes_info or ())


class _Cluster(RedisCluster):
    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """Of one that is not on the map too: a node that gets its first slot is asked (ASK) before it has any."""
        found: ClusterNode | None = super().get_node(host, port, node_name)  # type: ignore[no-untyped-call]  # redis-py's
        if found is None and node_name is not None:
            named, _, at = node_name.rpartition(":")
            found = ClusterNode(named, int(at))  # type: ignore[no-untyped-call]  # as above
        return found


class _Look(threading.Thread):
    """One look for the nodes; `failure` is what it ended with, if not well."""

    def __init__(self, learn: Callable[[], None]) -> None:
        super().__init__(name="redis-cluster", daemon=True)
        self.began_at = time.monotonic()
        self.failure: Exception | None = None
        self._ended_at = self.began_at
        self._learn = learn

    def run(self) -> None:
        try:
            self._learn()
        except Exception as error:  # noqa: BLE001  told to whoever waits, whatever it is
            self.failure = error
        self._ended_at = time.monotonic()

    def is_young(self, since: float) -> bool:
        """Of one that has ended: there is no need for another yet."""
        return self.began_at >= since if self.failure is None else time.monotonic() < self._ended_at + REST_S


def _unavailable(error: Exception, command: str) -> StoreUnavailable:
    return StoreUnavailable(f"Redis: {type(error).__name__}: {error}", command=command)
