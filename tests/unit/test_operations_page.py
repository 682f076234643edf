"""docs/operations.md names every problem that a call can have and every line of /readyz."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
CORE = [path.read_text(encoding="utf-8") for path in (ROOT / "orchestrator/core").rglob("*.py")]
PROBLEMS = sorted({found for text in CORE for found in re.findall(r'with(?:_auth)?_problem\([^"\n]*"([a-z-]+)"', text)})
HEALTH = (ROOT / "orchestrator/web/health.py").read_text(encoding="utf-8")
LINES = sorted(set(re.findall(r'_line\("(\w+)"', HEALTH)))


def test_problems_are_found_at_all() -> None:
    """Otherwise the next test would prove nothing."""
    assert {"asapp-refused", "twilio-unauthorized", "pause-overdue", "parked"} <= set(PROBLEMS)
    assert {"redis", "webhooks", "workers"} <= set(LINES)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_is_told_with_what_to_do(problem: str) -> None:
    """One row each."""
    assert re.search(rf"^\| `{problem}`[^|]*\|[^|]+\|[^|]+\|$", PAGE, re.MULTILINE), (
        f"docs/operations.md needs a row: {problem}"
    )


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_readyz_is_told(line: str) -> None:
    """What it shows when it is not well."""
    assert re.search(rf"^\| .*`{line}`.*\|$", PAGE, re.MULTILINE), f"docs/operations.md needs a row: {line}"
