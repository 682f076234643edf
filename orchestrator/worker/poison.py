"""Calls that cannot be worked on: each look raises, whoever takes it.

They come back later and later, up to a minute apart, and are parked after twenty failures in a row: no longer due by
themselves, told in the call (`problem` is `parked`), in `/readyz` and in the log. Any later event of the call, a
`retry` among them, makes it due once more. Nobody can pause such a call, so it is not left listening: ASAPP is sent a
stop at the third failure and at the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.events import TimePassed
from orchestrator.log import get_logger
from orchestrator.store import keys

if TYPE_CHECKING:
    from orchestrator.services import Services

PARKED_AFTER = 20
SILENCED_AFTER = 3
_LONGEST_S = 60
_DAY_S = 86_400
_log = get_logger("orchestrator.worker.poison")


def met(services: Services, call_sid: str, failures: int) -> int | None:
    """When to look again (ms), or None: parked. Never raises."""
    if failures in {SILENCED_AFTER, PARKED_AFTER}:
        _silence(services, call_sid)
    if failures < PARKED_AFTER:
        wait_s = _LONGEST_S if failures >= _LONGEST_S.bit_length() else 1 << failures
        return services.clock.now_ms() + wait_s * 1_000
    _log.error("call-parked", call_sid=call_sid, failures=failures)
    _tell(services, call_sid, failures)
    return None


def cured(services: Services, call_sid: str) -> None:
    """It could be worked on after all. Raises StoreUnavailable."""
    services.redis.execute_command("ZREM", keys.PARKED, call_sid)
    services.store.apply(call_sid, TimePassed(at=services.clock.now_ms(), what="unparked"))


def parked(services: Services) -> list[str]:
    """The calls parked within the last days. Raises StoreUnavailable."""
    oldest = services.clock.now_ms() - services.settings.call_ttl_days * _DAY_S * 1_000
    services.redis.execute_command("ZREMRANGEBYSCORE", keys.PARKED, "-inf", oldest)
    return [sid.decode() for sid in services.redis.execute_command("ZRANGE", keys.PARKED, 0, -1)]


def _silence(services: Services, call_sid: str) -> None:
    outcome = services.asapp.stop(call_sid)
    _log.warning("call-silenced", call_sid=call_sid, verdict=str(outcome.verdict))


def _tell(services: Services, call_sid: str, failures: int) -> None:
    now = services.clock.now_ms()
    try:
        services.redis.execute_command("ZADD", keys.PARKED, now, call_sid)
        services.redis.execute_command("EXPIRE", keys.PARKED, services.settings.call_ttl_days * _DAY_S)
        told = TimePassed(at=now, what="parked", subject=f"{failures} failures in a row")
        services.store.apply(call_sid, told)
    except Exception:  # noqa: BLE001  what cannot be worked on may not take news either; the list above shows it
        _log.exception("parking-not-told", call_sid=call_sid)
