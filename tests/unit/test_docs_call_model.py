"""The page on the call model names tests that exist; a rule without one says "not yet"."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "call-model.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
LEAST_RULES = 100
LEAST_TRIALS = 25


def _rules() -> list[str]:
    tables = PAGE.read_text().partition("## Every rule and its test")[2].partition("## Which rules were tried")[0]
    rows = [line for line in tables.splitlines() if line.startswith("| ")]
    return [row for row in rows if not row.startswith("| Rule ")]


def test_the_page_accounts_for_the_rules() -> None:
    """A page that lost its tables would pass every other test here."""
    assert len(_rules()) >= LEAST_RULES


@pytest.mark.parametrize("row", _rules(), ids=lambda row: row.split("|")[1].strip())
def test_each_rule_names_tests_that_exist(row: str) -> None:
    """File and function, by their exact names."""
    named = NAMED.findall(row)
    assert named or row.endswith("| not yet |"), row
    for file, test in named:
        assert test in _tests_of(TESTS / file), f"{file} has no {test}"


def test_what_was_tried_names_tests_that_exist() -> None:
    """At least 25 rules were taken out, each with a test that failed."""
    tried = NAMED.findall(PAGE.read_text().partition("### One by one")[2])
    assert len(tried) >= LEAST_TRIALS
    assert [f"{file}::{test}" for file, test in tried if test not in _tests_of(TESTS / file)] == []


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
