"""The table of faults names tests that exist, and every fault has its row."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
TABLE = TESTS / "e2e" / "faults" / "README.md"
FAULTS = 64
_FILE = re.compile(r"`([\w/]+\.py)(?:::([\w*]+))?`|`(test_[\w*]+)`")


def test_every_fault_has_a_row() -> None:
    """In order, each once."""
    numbers = [int(found) for found in re.findall(r"^\| (\d+) \|", TABLE.read_text(), re.MULTILINE)]
    assert numbers == list(range(1, FAULTS + 1))


def test_every_named_test_exists() -> None:
    """A name after a file's is in that file; a star stands for the rest of a name."""
    missing = []
    for row in TABLE.read_text().splitlines():
        text = ""
        for file, name, bare in _FILE.findall(row):
            if file:
                path = TESTS / file
                text = path.read_text() if path.is_file() else ""
                missing += [] if text else [file]
            wanted = (name or bare).rstrip("*")
            missing += [] if f"def {wanted}" in text or not wanted else [f"{row[:6]} {wanted}"]
    assert not missing
