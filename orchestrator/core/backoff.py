"""Waiting times of the retry ladders, in milliseconds. Pure: the jitter comes from the call's SID, not from chance.

The figures are those of the call model's table of time limits.
"""

from __future__ import annotations

from zlib import crc32

STOP_DEADLINE_MS = 3_000
"""From a pause being known to the media stream being cut, if off is not confirmed."""
STOP_REQUEST_MS = 2_000
STOP_WRITE_OFF_MS = 600_000
READ_WHILE_HEARD_MS = 500
"""The most that a look at Twilio takes in all while transcription is not off: a stop must not wait behind it."""
STREAM_STOP_WHILE_HEARD_MS = 1_000
"""The same for stopping a media stream that is one too many."""
SETTLE_MS = 300
STREAM_DEADLINE_MS = 8_000
STREAM_YOUNG_MS = 3_000
"""Within this time of a stream's start ASAPP may not know it yet (400-203 is repeated)."""
STOPPED_ALONE_MS = 1_000
OVERTAKEN_MS = 2_000
"""News of a conference overtakes other news of it by so much at the most."""
REASSERT_MS = 6_000
FORGOTTEN_MS = 30_000
"""A start that was wanted within so long before a failover may have been sent and forgotten in it."""
ASSERT_FRESH_MS = 500
ASSERT_ALL_MS = 60_000
"""After a failover every call that is off is told to stop once more, within this time, each at its moment."""
SURVEY_STEP_MS = 2_000
AUDIT_MS = 60_000
ORPHAN_AUDIT_MS = 300_000
RESTARTS_WINDOW_MS = 300_000
RESTARTS_LIMIT = 10
BUSY_MS = 250
HEAD_START_MS = 60_000
"""What the newest talk is ahead of others that are due, where more is due than can be done."""

_START_429 = (1_000, 2_000, 4_000)
_START_5XX = (250, 500, 1_000)
_STOP = (250, 500)


def spread(key: str, wait_ms: int) -> int:
    """`wait_ms` with up to a tenth added, the same for the same key: calls that fail together come back apart."""
    return wait_ms + wait_ms * (crc32(key.encode()) % 1_000) // 10_000


def scattered(key: str, within_ms: int) -> int:
    """Some time within so many ms, the same for the same key: what nobody waits for is done by all in turn."""
    return crc32(key.encode()) % within_ms


def start_wait_ms(family: str, failures: int) -> int:
    """Before the next start, after so many failures in a row: ASAPP's own steps, then 5 s steps up to 30 s."""
    if family in {"auth", "daily-limit"}:
        return 30_000
    steps = _START_429 if family == "429" else _START_5XX
    if failures <= len(steps):
        return steps[failures - 1]
    return min(5_000 * (failures - len(steps)), 30_000)


def stop_wait_ms(failures: int, *, is_exposed: bool) -> int:
    """Before the next stop: at 0, 0.25, 0.75, 1.75 s and every second while audio may be heard, else 2, 4 ... 60 s."""
    if not is_exposed:
        return doubling_ms(2_000, failures - 1, 60_000)
    return _STOP[failures - 1] if failures <= len(_STOP) else 1_000


def restart_wait_ms(failures: int) -> int:
    """Between rebuilds of the media stream: 0, 1, 2, 4 ... 30 s."""
    return 0 if failures == 0 else doubling_ms(1_000, failures - 1, 30_000)


def create_wait_ms(family: str, failures: int) -> int:
    """Before a media stream that was not made is requested again: as between rebuilds, unless nothing is wrong with it.

    After a 429 others were only before it: 0.1, 0.2 ... 30 s, Twilio's own advice. A missing URL: 1, 2, 4, 5 s.
    """
    if family == "429":
        return doubling_ms(100, failures - 1, 30_000)
    if family == "no-url":
        return doubling_ms(1_000, failures - 1, 5_000)
    return restart_wait_ms(failures)


def doubling_ms(first: int, times: int, most: int) -> int:
    """`first` doubled so many times, `most` at the most."""
    return min(first << min(times, 16), most)
