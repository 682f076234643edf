"""The page on the call model names tests that exist, and every row of its tables of rules names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "call-model.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
LEAST_RULES = 100


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
    assert named, row
    for file, test in named:
        assert test in _tests_of(TESTS / file), f"{file} has no {test}"


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
