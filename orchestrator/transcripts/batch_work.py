"""Where exports keep their work: beside the embedded store's data, in the user's own state folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.settings import Settings


def work_folder(settings: Settings) -> Path:
    """Not made yet. A new machine starts with none, and the day again from nothing."""
    if settings.embedded_data_dir:
        return Path(settings.embedded_data_dir) / "export"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "asapp-twilio-orchestrator" / "export"
