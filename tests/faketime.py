"""Processes whose wall clock a test sets while they run; their monotonic clock is left alone.

`Faketime(folder)` gives the environment to start a process with, and `jump` sets how far its clock is off. The C
library stands in LD_PRELOAD behind libfaketime, so that a program which brings another allocator starts with it, too.
An interpreter begins with `faketime_startup`, so that it can sleep.
"""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = "/usr/lib"
_STARTUP = Path(__file__).parent / "faketime_startup"


class Faketime:
    """One clock; several processes may share it."""

    def __init__(self, folder: Path, off_by_s: float = 0) -> None:
        self._file = folder / "faketime"
        self.jump(off_by_s)

    def jump(self, off_by_s: float) -> None:
        """Let the clock be off by so much from now on. The file changes at once, never half-written."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{off_by_s:+f}\n")
        new.replace(self._file)

    def environment(self) -> dict[str, str]:
        found = sorted(Path(_LIBRARIES).glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise AssertionError("libfaketime is missing; scripts/require-faketime.sh says how to get it")
        return {
            "LD_PRELOAD": f"{found[0]}:libc.so.6",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(_STARTUP),
        }
