"""Who did what in the console: signing in and out, every action, every transcript opened.

Two capped streams in Redis: one per call, which lives as long as the call is kept, and one of everything, which keeps
the newest for 90 days. The lasting record is the log: each entry is a line there, too. An entry is written before what
it tells is done, so that nothing is done that is not told; what then fails is told by its absence from the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.log import get_logger
from orchestrator.store import keys as names

if TYPE_CHECKING:
    from orchestrator.store.connect import Redis
    from orchestrator.store.keys import Keys

CAP = 20_000
CAP_OF_CALL = 500
_TTL_S = 90 * 86_400
_log = get_logger("orchestrator.audit")


@dataclass(frozen=True)
class AuditEntry:
    """`did` is a slug such as `opened-transcript`; `call_sid` is empty where no call is concerned. `at` in ms."""

    at: int
    name: str
    did: str
    call_sid: str = ""
    detail: str = ""


class AuditTrail:
    """Thread-safe; every method raises StoreUnavailable when Redis is away. `call_ttl_s`: as long as calls are kept."""

    def __init__(self, redis: Redis, keys: Keys, *, call_ttl_s: int) -> None:
        self._redis = redis
        self._keys = keys
        self._call_ttl_s = call_ttl_s

    def record(self, name: str, did: str, *, call_sid: str = "", detail: str = "") -> None:
        _log.info("audit", user=name, did=did, call_sid=call_sid, detail=detail)
        fields = ["name", name, "did", did, "call", call_sid, "detail", detail]
        if call_sid:
            self._add(self._keys.audit(call_sid), CAP_OF_CALL, self._call_ttl_s, fields)
        self._add(names.AUDIT, CAP, _TTL_S, fields)

    def of_call(self, call_sid: str) -> list[AuditEntry]:
        """Newest first."""
        return self._read(self._keys.audit(call_sid), CAP_OF_CALL)

    def latest(self, count: int) -> list[AuditEntry]:
        """Newest first, of all calls and of none."""
        return self._read(names.AUDIT, count)

    def _add(self, key: str, cap: int, ttl_s: int, fields: list[str]) -> None:
        self._redis.execute_command("XADD", key, "MAXLEN", "~", cap, "*", *fields)
        self._redis.execute_command("EXPIRE", key, ttl_s)

    def _read(self, key: str, count: int) -> list[AuditEntry]:
        found = self._redis.execute_command("XREVRANGE", key, "+", "-", "COUNT", count)
        return [_entry(*each) for each in found]


def _entry(identifier: bytes, fields: dict[bytes, bytes]) -> AuditEntry:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    at = int(identifier.partition(b"-")[0])
    return AuditEntry(at, told["name"], told["did"], told["call"], told["detail"])
