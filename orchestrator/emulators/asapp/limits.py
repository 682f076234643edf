"""ASAPP's request limits: 100 in a second over all, and a daily number for each endpoint.

Over the daily number every request of that endpoint is 429 until 00:00 UTC (ASAPP: rate limits).
"""

from collections import Counter, deque
from typing import Final

from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.wire import Refusal

_DAY_S: Final = 86400


class Limits:
    """Counts requests; ``now`` is the emulator's clock."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._recent: deque[float] = deque()
        self._today: Counter[str] = Counter()
        self._day = 0

    def count(self, endpoint: str, now: float) -> None:
        """Count one request, or refuse it."""
        self._count_day(endpoint, now)
        spike = self._switches.number("spike-limit")
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if spike and len(self._recent) >= spike:
            raise Refusal(429, "429-01", "spike arrest: too many requests in a second")
        self._recent.append(now)

    def clear(self) -> None:
        self._recent.clear()
        self._today.clear()

    def _count_day(self, endpoint: str, now: float) -> None:
        if self._day != int(now // _DAY_S):
            self._day = int(now // _DAY_S)
            self._today.clear()
        self._today[endpoint] += 1
        daily = self._switches.number("daily-limit")
        if daily and self._today[endpoint] > daily:
            raise Refusal(429, "429-01", "daily limit of requests reached")
