"""Lines that fit the terminal; where there is none, whole lines, so that they can be searched."""

from __future__ import annotations

import shutil
import sys
import textwrap

_WIDEST = 120


def counted(number: int, what: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


def wrapped(first: str, text: str, indent: int) -> str:
    """`text` after `first` (no wider than `indent`), broken at the terminal's width and kept to the right of it."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=first.ljust(indent),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped_for_people(first: str, text: str, indent: int) -> str:
    """The same on a terminal; else one line."""
    return wrapped(first, text, indent) if sys.stdout.isatty() else f"{first.ljust(indent)}{text}"
