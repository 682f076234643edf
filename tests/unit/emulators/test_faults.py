"""Scripted faults: which rule an operation suffers, and how often."""

import json
from typing import Any

import pytest

from orchestrator.emulators.faults import BadRulesError, Faults

OPERATIONS = {"start", "stop"}


def given_rules(*rules: dict[str, Any], seed: int = 0) -> Faults:
    faults = Faults(OPERATIONS, seed)
    faults.add(json.dumps(list(rules)).encode())
    return faults


def test_the_first_matching_rule_applies() -> None:
    """Rules are asked in the order in which they were posted."""
    faults = given_rules(
        {"operation": "stop", "status": 500},
        {"operation": "start", "status": 503},
        {"operation": "start", "status": 429},
    )
    rule = faults.take("start", {})
    assert rule is not None
    assert rule.status == 503


def test_a_rule_is_spent_after_its_times() -> None:
    """A rule for two operations spares the third."""
    faults = given_rules({"operation": "start", "times": 2, "status": 503})
    taken = [faults.take("start", {}) is not None for _ in range(3)]
    assert taken == [True, True, False]
    assert faults.rules() == []


def test_a_rule_may_let_some_pass_first() -> None:
    """Skipped operations are unharmed and not counted as used."""
    faults = given_rules({"operation": "start", "skip": 2, "times": 1, "hang": True})
    assert [faults.take("start", {}) is not None for _ in range(4)] == [False, False, True, False]


def test_a_rule_for_one_call_leaves_the_others_alone() -> None:
    """All facts of ``match`` must be equal; skipping counts matching operations only."""
    faults = given_rules({"operation": "start", "match": {"guid": "CA1"}, "skip": 1, "status": 500})
    guids = ["CA2", "CA1", "CA2", "CA1"]
    assert [faults.take("start", {"guid": guid}) is not None for guid in guids] == [False, False, False, True]


def test_drawn_faults_repeat_with_the_seed() -> None:
    """The same seed draws the same operations, and about as many as the probability says."""
    rule = {"operation": "start", "probability": 0.3, "status": 500}
    first, second = given_rules(rule, seed=5), given_rules(rule, seed=5)
    drawn = [first.take("start", {}) is not None for _ in range(1000)]
    assert drawn == [second.take("start", {}) is not None for _ in range(1000)]
    assert 240 < sum(drawn) < 360


def test_one_rule_may_be_posted_without_a_list() -> None:
    """A single JSON object is one rule."""
    faults = Faults(OPERATIONS)
    assert faults.add(b'{"operation": "start", "body": "<html>"}') == 1
    rule = faults.take("start", {})
    assert rule is not None
    assert rule.replaces_the_answer


def test_clearing_ends_all_faults() -> None:
    """After clearing, nothing goes wrong any more."""
    faults = given_rules({"operation": "start", "status": 500})
    faults.clear()
    assert faults.take("start", {}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'[{"status": 500}]',
        b'[{"operation": "start", "statsu": 500}]',
        b'[{"operation": "start", "times": 0}]',
    ],
)
def test_rules_in_another_shape_are_refused(body: bytes) -> None:
    """A misspelt rule is an error, not a rule that never applies."""
    with pytest.raises(BadRulesError):
        Faults(OPERATIONS).add(body)


def test_an_operation_that_is_none_is_refused() -> None:
    """A rule that could never apply is an error that names what there is; the rules beside it are not taken either."""
    faults = Faults(OPERATIONS)
    with pytest.raises(BadRulesError, match=r"no operation 'strat'; the operations are: start, stop$"):
        faults.add(b'[{"operation": "start"}, {"operation": "strat"}]')
    assert faults.rules() == []


def test_what_no_rule_could_name_is_no_operation() -> None:
    """An emulator that forgets to list one of its operations finds out at its first use."""
    with pytest.raises(LookupError):
        Faults(OPERATIONS).take("forgotten", {})
