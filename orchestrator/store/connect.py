"""Clients with bounded patience, one for each way to run Redis.

    redis://[[user:]password@]host[:port][/db]      rediss://...      unix:///path?db=0
    redis+sentinel://[[user:]password@]host:port,host:port/service[/db]      (rediss+sentinel: TLS)
    redis+cluster://[[user:]password@]host:port,host:port                    (rediss+cluster: TLS)

With TLS the server must show a certificate of a known authority and of its own name, unless `Tls` asks for less.

Promise: one operation ends within `2 * (SOCKET_CONNECT_TIMEOUT_S or SOCKET_TIMEOUT_S)`, about two seconds, whatever
Redis does; redis-py's own defaults are ten retries of five seconds. There is exactly one repetition, here and not in
redis-py, because redis-py repeats the connection's handshake inside the repetition of the command. A repeated command
may have been carried out twice, so every script of this package bears that. `StoreUnavailable` is raised for each
failure of Redis. Nothing connects before the first command.

Blocking commands must block for less than `LONGEST_BLOCK_S` at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import AuthenticationError, ConnectionError, NoScriptError, RedisError, TimeoutError  # noqa: A004  redis-py's names
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel

from orchestrator.store.cluster import ClusterClient
from orchestrator.store.errors import StoreMisconfigured, StoreUnavailable

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SOCKET_TIMEOUT_S = 1.0
SOCKET_CONNECT_TIMEOUT_S = 0.5
LONGEST_BLOCK_S = 0.5
SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
_HIGHEST_PORT = 65535


TLS_VERIFY = ("full", "chain", "none")


@dataclass(frozen=True)
class Tls:
    """How a server on a TLS address shows who it is.

    `verify`: `full` (authority and name), `chain` (authority only: of a certificate that is not for the host's name) or
    `none` (encrypted, but to whoever answers). `ca_file`: authorities that count beside the system's; a self-signed
    certificate is its own.
    """

    verify: str = "full"
    ca_file: str | None = None

    def options(self) -> dict[str, Any]:
        """For redis-py's TLS connections."""
        return {
            "ssl_cert_reqs": "none" if self.verify == "none" else "required",
            "ssl_check_hostname": self.verify == "full",
            "ssl_ca_certs": self.ca_file,
            "redis_connect_func": _greet,
        }


def _greet(connection: Any) -> None:
    connection.on_connect()
    _read_tickets(connection)


def _read_tickets(connection: Any) -> None:
    """One round trip, which reads what TLS 1.3 sends after the handshake.

    redis-py's pool refuses a connection that has something to read; without a password nothing else reads it.
    """
    connection.send_command("PING")
    connection.read_response()


SYSTEMS_OWN = Tls()


class Redis(Protocol):
    """What the service may ask of a client, whichever it is; `execute_command` takes any command of Redis."""

    def execute_command(self, *args: Any, **options: Any) -> Any: ...
    def get(self, name: str) -> Any: ...
    def set(self, name: str, value: Any, ex: int | None = None, px: int | None = None, nx: bool = False) -> Any: ...
    def delete(self, *names: str) -> Any: ...
    def close(self) -> None: ...


class _Bounded:
    """Repeats a command once when the connection failed, and translates what remains."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            try:
                return super().execute_command(*args, **options)  # type: ignore[misc]  # the client it is mixed into
            except AuthenticationError:
                raise
            except (ConnectionError, TimeoutError):
                return super().execute_command(*args, **options)  # type: ignore[misc]  # as above
        except NoScriptError:
            raise  # `scripts.Script` sends the source then
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}", command=str(args[0])) from error


class Client(_Bounded, redis.Redis):
    """A client of one server, or of the master that Sentinel names."""


def settings(max_connections: int) -> dict[str, Any]:
    """Everything that decides how long a command may take, explicitly."""
    return {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,  # a PING before a command would add its own time-out; the repetition is the cure
        "max_connections": max_connections,
        "protocol": 2,
        "decode_responses": False,
    }


_QUIET: dict[str, Any] = {
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    "driver_info": None,  # saves two round trips per connection
}


def connect(url: str, *, max_connections: int = 512, tls: Tls = SYSTEMS_OWN) -> Redis:
    """The client for `url`; raises StoreMisconfigured when the URL cannot be understood."""
    scheme = url.partition("://")[0]
    options = settings(max_connections) | (tls.options() if scheme.startswith("rediss") else {})
    try:
        match scheme:
            case "redis" | "rediss" | "unix":
                return _single(url, options)
            case "redis+sentinel" | "rediss+sentinel":
                return _sentinel(urlsplit(url), options)
            case "redis+cluster" | "rediss+cluster":
                return _cluster(urlsplit(url), options)
    except (ValueError, TypeError) as error:
        raise StoreMisconfigured(f"REDIS_URL cannot be understood: {error}") from None
    raise StoreMisconfigured("REDIS_URL must begin with redis, rediss, unix, redis+sentinel or redis+cluster")


def check(url: str) -> str | None:
    """What keeps `url` from being understood, without its value; None for a good one. Connects to nothing."""
    scheme, separator, rest = url.partition("://")
    if scheme not in SCHEMES or not separator or not rest:
        return f"must start with one of: {', '.join(f'{each}://' for each in SCHEMES)}"
    try:
        if "+" not in scheme:
            parse_url(url)  # type: ignore[no-untyped-call]  # redis-py leaves it without types
        elif scheme.endswith("+sentinel"):
            _sentinel(urlsplit(url), settings(max_connections=1))
        else:
            _hosts(urlsplit(url), DEFAULT_PORT)
    except (ValueError, TypeError):
        form = "host:port,host:port/service/db" if scheme.endswith("+sentinel") else "host:port"
        return f"cannot be understood; write {scheme}://{form}"
    return None


def _single(url: str, options: dict[str, Any]) -> Redis:
    if url.startswith("unix"):
        del options["socket_keepalive"]  # not an option of Unix sockets
    return cast("Redis", Client.from_url(url, **options, **_QUIET))


def _sentinel(parts: SplitResult, options: dict[str, Any]) -> Redis:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel address ends in /service")
    options = options | _credentials(parts) | _QUIET
    shared = ("socket_timeout", "socket_connect_timeout", "retry")
    patience = {name: value for name, value in options.items() if name in shared or name.startswith(("ssl", "redis_"))}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py leaves it without types
        _hosts(parts, DEFAULT_SENTINEL_PORT), sentinel_kwargs=patience, **options, db=int(database or 0)
    )
    return cast("Redis", sentinel.master_for(service, redis_class=Client))  # type: ignore[no-untyped-call]  # as above


def _cluster(parts: SplitResult, options: dict[str, Any]) -> Redis:
    options = options | _credentials(parts) | _QUIET
    if "redis_connect_func" in options:
        options["redis_connect_func"] = _read_tickets  # greets by itself
    return ClusterClient(_hosts(parts, DEFAULT_PORT), options)


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for each in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = each.rpartition(":") if ":" in each else (each, "", "")
        if not host:
            raise ValueError("an address is missing")
        if not 0 < int(port or default_port) <= _HIGHEST_PORT:
            raise ValueError("a port is out of range")
        hosts.append((host, int(port or default_port)))
    return hosts


def _credentials(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    found: dict[str, Any] = dict(parse_qsl(parts.query))
    if parts.scheme.startswith("rediss"):
        found["ssl"] = True
    if user:
        found["username"] = unquote(user)
    if password:
        found["password"] = unquote(password)
    return found
