"""SIDs and the vendor's two written forms of time.

Calls, conferences and REST dates are RFC 2822; stream callbacks are ISO 8601 (Twilio: Stream resource).
All times are wall-clock UTC, whatever the emulator's speed.
"""

import uuid
from datetime import UTC, datetime
from email.utils import format_datetime


def sid(prefix: str) -> str:
    """Return a new SID: the two letters of its resource and 32 hexadecimal digits."""
    return prefix + uuid.uuid4().hex


def utc_now() -> datetime:
    return datetime.now(UTC)


def rfc2822(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)


def iso8601(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def yes_no(value: bool) -> str:
    """Write a flag as callbacks do."""
    return "true" if value else "false"


def is_true(value: str | None) -> bool:
    """Read a flag as the vendor does: anything but ``true`` is false."""
    return (value or "").strip().lower() == "true"
