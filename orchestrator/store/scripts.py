"""Lua scripts, loaded from the files beside this one.

A script is sent by its digest; where Redis has forgotten it (restart, failover, SCRIPT FLUSH) the source follows. A
line `-- include: name` is replaced by that file, so that scripts share functions. A script that refuses has written
nothing: checks come before the first write.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError

from orchestrator.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.store.connect import Redis

_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


def _source(name: str) -> str:
    text = (resources.files("orchestrator.store") / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: _source(found[1]), text)


class Script:
    """One script, by the name of its file without `.lua`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = _source(name)
        self.digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def run(self, redis: Redis, keys: Sequence[str], arguments: Sequence[str | bytes | int | float] = ()) -> Any:
        """The script's reply; raises StoreUnavailable."""
        try:
            return redis.execute_command("EVALSHA", self.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            pass
        try:
            return redis.execute_command("EVAL", self.source, len(keys), *keys, *arguments)
        except RedisError as error:
            raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}", command=self.name) from error
