"""The playbook: every problem of a call and every code that people are sent here for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.web.console import playbook

CORE = Path(__file__).parents[4] / "orchestrator" / "core"
STREAM_CODES = (31901, 31902, 31910, 31920, 31921, 31922, 31923, 31924, 31930, 31941, 31950, 31951, 31954)


def test_every_problem_of_a_call_has_an_entry() -> None:
    """Whatever the core may raise."""
    text = "".join(path.read_text() for path in CORE.rglob("*.py"))
    raised = set(re.findall(r'with_(?:auth_)?problem\([^"]*?"([a-z]+-[a-z-]+|parked)"', text))
    assert len(raised) >= 8, raised
    assert raised <= playbook.PROBLEMS.keys()


@pytest.mark.parametrize("code", [*map(str, STREAM_CODES), "11200", "21220", "20404", "400-203", "409-201", "429"])
def test_codes_have_entries(code: str) -> None:
    """With something to do."""
    (entry, *_) = playbook.entries_for("pause-overdue", f"{code} in words")[1:]
    assert code in entry.names()
    assert entry.do


def test_codes_are_found_in_a_detail() -> None:
    """As vendors' words come; other numbers are none."""
    found = playbook.entries_for("asapp-refused", "400-202 redaction of 1 000 ms, see 31920.")
    assert [each.code for each in found] == ["asapp-refused", "400-202", "31920"]


def test_an_unknown_problem_is_told_all_the_same() -> None:
    """Of another release, perhaps."""
    (entry,) = playbook.entries_for("something-new")
    assert entry.title == "Something new"


def test_searching() -> None:
    """All words must be somewhere; none finds all."""
    assert playbook.found("") == list(playbook.ENTRIES)
    assert [each.code for each in playbook.found("twilio handshake")] == ["31920"]
