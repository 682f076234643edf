"""Times as people write and read them at the command line: UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time

import click

_DAY_MS = 24 * 60 * 60_000
_EARLY_MS = 60_000


def clock(ms: int) -> str:
    """`12:03:10.250`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def moment_in_call(text: str, began_ms: int) -> int:
    """`12:03:10` or `2026-01-02T12:03:10Z` in milliseconds; a time of day is the first one after the call began.

    A minute before the call still counts as of its day. Raises `BadParameter`.
    """
    try:
        if "T" in text or " " in text:
            full = datetime.fromisoformat(text)
            return round((full if full.tzinfo else full.replace(tzinfo=UTC)).timestamp() * 1000)
        began = datetime.fromtimestamp(began_ms / 1000, UTC)
        found = round(datetime.combine(began.date(), time.fromisoformat(text), UTC).timestamp() * 1000)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time; write 12:03:10 or 2026-01-02T12:03:10Z") from error
    return found if found >= began_ms - _EARLY_MS else found + _DAY_MS
