"""Messages about calls that nobody knows, by the thousand: answered, and nothing is kept of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from structlog.testing import capture_logs

from tests.integration.web.site import Site

SIDS = 10_000
BATCH = 2_500
PARKED_S = 60
GROWTH = 8 * 1024 * 1024
"""Of this process, after the first batch: what it remembers of names is bounded."""


def strangers(numbers: Iterator[int], amount: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Endpoints and forms, each of another call: what Twilio sends of rooms, legs and tasks that are not ours."""
    for number in (next(numbers) for _ in range(amount)):
        sid = f"CA{number:032x}"
        yield (
            ("call-status", {"CallSid": sid, "CallStatus": "completed"}),
            ("call-status", {"CallSid": sid, "CallStatus": "in-progress", "ParentCallSid": f"CA{number + 1:032x}"}),
            (
                "conference-status",
                {
                    "StatusCallbackEvent": "participant-join",
                    "ConferenceSid": f"CF{number:032x}",
                    "CallSid": sid,
                    "SequenceNumber": "1",
                    "Timestamp": "Sat, 21 Nov 2026 09:00:00 +0000",
                },
            ),
            ("taskrouter-events", {"EventType": "reservation.accepted", "TaskSid": f"WT{number:032x}"}),
        )[number % 4]


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_fault_7_ten_thousand_unknown_calls(site: Site) -> None:
    """7: each is answered well, none becomes a call or is looked into, and within a minute nothing is left of any."""
    redis, numbers = site.services.redis, count(1)
    kept = set(redis.execute_command("KEYS", "*"))
    sizes = []
    for _ in range(SIDS // BATCH):
        with capture_logs():  # ten thousand lines for nobody
            answers = {site.twilio(path, form).status_code for path, form in strangers(numbers, BATCH)}
        assert answers <= {200, 204}
        sizes.append(resident())
    assert max(sizes[1:]) - sizes[0] < GROWTH, sizes
    assert site.services.store.list().calls == []
    assert site.services.queue.depth() == 0
    assert site.vendor.requests == []
    left = set(redis.execute_command("KEYS", "*")) - kept
    assert {redis.execute_command("TTL", name) in range(PARKED_S + 1) for name in left} <= {True}
