"""Which of the commands that this service needs Redis forbids it: found by trying each on keys of no consequence.

A command that is only missed in the middle of a call would be noticed too late, and within a script after half of its
writes. So a worker looks when it starts. The keys expire within a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError, NoScriptError

from orchestrator.store.errors import StoreUnavailable
from orchestrator.store.keys import PREFIX

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis

_TEXT, _SET, _SORTED, _HASH, _LIST, _STREAM = (
    f"{PREFIX}:{{permissions}}:{kind}" for kind in ("text", "set", "sorted", "hash", "list", "stream")
)
_NOBODY = "0" * 40
TRIALS: tuple[tuple[Any, ...], ...] = (
    ("PING",),
    ("TIME",),
    ("DEL", _TEXT, _SET, _SORTED, _HASH, _LIST, _STREAM),
    ("EVALSHA", _NOBODY, 0),
    ("EVAL", "return 1", 0),
    ("EXISTS", _TEXT),
    ("INCR", _TEXT),
    ("INCRBY", _TEXT, 1),
    ("SET", _TEXT, "1", "EX", 60),
    ("GET", _TEXT),
    ("TTL", _TEXT),
    ("HSET", _HASH, "a", "1"),
    ("HSETNX", _HASH, "a", "1"),
    ("HGET", _HASH, "a"),
    ("HMGET", _HASH, "a"),
    ("HGETALL", _HASH),
    ("HEXISTS", _HASH, "a"),
    ("HINCRBY", _HASH, "n", 1),
    ("HINCRBYFLOAT", _HASH, "n", 1),
    ("HDEL", _HASH, "a"),
    ("LPUSH", _LIST, "a"),
    ("RPUSH", _LIST, "a", "b"),
    ("LTRIM", _LIST, 0, 63),
    ("LPOP", _LIST, 1),
    ("BLPOP", _LIST, "0.1"),
    ("SADD", _SET, "a"),
    ("SCARD", _SET),
    ("XADD", _STREAM, "*", "a", "1"),
    ("XLEN", _STREAM),
    ("XRANGE", _STREAM, "-", "+"),
    ("XREVRANGE", _STREAM, "+", "-"),
    ("XDEL", _STREAM, "0-1"),
    ("XREAD", "COUNT", 1, "STREAMS", _STREAM, "0"),
    ("ZADD", _SORTED, 1, "a"),
    ("ZCARD", _SORTED),
    ("ZCOUNT", _SORTED, "-inf", "+inf"),
    ("ZRANGE", _SORTED, 0, -1),
    ("ZREVRANGE", _SORTED, 0, -1),
    ("ZREVRANK", _SORTED, "a"),
    ("ZRANGEBYSCORE", _SORTED, "-inf", "+inf"),
    ("ZREVRANGEBYSCORE", _SORTED, "+inf", "-inf"),
    ("ZSCORE", _SORTED, "a"),
    ("ZREM", _SORTED, "a"),
    ("ZREMRANGEBYSCORE", _SORTED, "-inf", "+inf"),
    *(("EXPIRE", key, 60) for key in (_LIST, _STREAM, _HASH, _SET)),
    ("PEXPIRE", _TEXT, 60_000),
)


def forbidden(redis: Redis) -> list[str]:
    """Names of the commands that this user may not use, or not on our keys. Raises StoreUnavailable."""
    found = []
    for command in TRIALS:
        try:
            redis.execute_command(*command)
        except NoScriptError:
            pass  # it was looked for, so it may be run
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NoPermissionError):
                raise
            found.append(str(command[0]))
    return list(dict.fromkeys(found))
