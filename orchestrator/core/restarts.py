"""How often the media stream was rebuilt lately. Pauses stop that clock: nothing is rebuilt in them."""

from __future__ import annotations

from orchestrator.core.backoff import RESTARTS_WINDOW_MS
from orchestrator.core.call import Call


def recent_restarts(call: Call, now: int) -> tuple[int, ...]:
    """The rebuilds within the last five minutes, not counting the time that was spent in pauses."""
    return tuple(each for each in call.restarts if _unpaused_ms(call, each, now) < RESTARTS_WINDOW_MS)


def _unpaused_ms(call: Call, since: int, now: int) -> int:
    paused = (min(now if each.end is None else each.end, now) - max(each.start, since) for each in call.paused)
    return now - since - sum(max(0, each) for each in paused)
