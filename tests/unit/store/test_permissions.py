"""What is tried at the start is what the service uses."""

from __future__ import annotations

import re
from pathlib import Path

import orchestrator
from orchestrator.store.permissions import TRIALS

SOURCES = Path(orchestrator.__file__).parent
_CALLED = re.compile(r"""(?:redis\.p?call\(|execute_command\(\s*)['"]([A-Za-z]+)""")
ADMINISTRATIVE = {"CONFIG", "INFO"}
"""Asked for warnings only; a refusal is told as unknown."""


def test_every_command_in_use_is_tried() -> None:
    """Each command of the Lua scripts and of the package is among the trials of `orchestrator.store.permissions`."""
    texts = [path.read_text() for kind in ("*.lua", "*.py") for path in SOURCES.rglob(kind)]
    used = {name.upper() for text in texts for name in _CALLED.findall(text)} - ADMINISTRATIVE
    assert used - {str(trial[0]) for trial in TRIALS} == set()
