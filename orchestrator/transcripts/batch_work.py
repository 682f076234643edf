"""Where exports keep their work: beside the embedded store's data, in the user's own state folder. And how it goes.

Files hold words of conversations. Whoever ends orderly removes them; those of a process that was killed, or whose day
another machine finished, are cleared away here. A file that a process has open is left to it.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.batch_rows import WorkFile

if TYPE_CHECKING:
    from orchestrator.settings import Settings

KEPT_S = 12 * 3600
"""What was read longer ago than this is read again: the feed may have been made anew since."""

_OURS = re.compile(r"(utterances-(\d{4}-\d{2}-\d{2})-[0-9a-f]{8})\.(work|work-journal|out)\Z")


def work_folder(settings: Settings) -> Path:
    """Not made yet. A new machine starts with none, and the day again from nothing."""
    if settings.embedded_data_dir:
        return Path(settings.embedded_data_dir) / "export"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "asapp-twilio-orchestrator" / "export"


def clear(folder: Path, is_done: Callable[[str], bool] = lambda _: False) -> int:
    """Removes work of days (YYYY-MM-DD) that are done, or untouched for 12 h; returns of how many exports.

    Raises `work-file-unusable`, and what `is_done` raises.
    """
    try:
        touched: defaultdict[tuple[str, str], float] = defaultdict(float)
        for path in folder.glob("utterances-*"):
            if ours := _OURS.match(path.name):
                touched[ours[1], ours[2]] = max(touched[ours[1], ours[2]], path.stat().st_mtime)
        before = time.time() - KEPT_S
        left = [name for (name, day), at in touched.items() if at < before or is_done(day)]
        return sum(_remove(folder / f"{name}.work") for name in left)
    except OSError as error:
        told = f"The export's work folder cannot be cleared: {type(error).__name__}."
        raise OrchestratorError("work-file-unusable", told) from error


def _remove(path: Path) -> bool:
    try:
        with WorkFile(path) as work:  # nobody else has it open
            path.with_suffix(".out").unlink(missing_ok=True)
            path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
            work.discard()
    except OrchestratorError:
        return False
    return True
