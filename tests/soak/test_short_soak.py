"""A soak of 40 s with a fixed seed; `python -m tests.soak` runs long ones."""

from __future__ import annotations

import pytest

from tests.soak.run import soak


@pytest.mark.timeout(240)
def test_short_soak() -> None:
    """Random calls under random faults: nothing lost, nobody dropped, nothing heard that must not be, all converge."""
    report = soak(seconds=40, seed=3, calls_per_minute=40, patience_s=100)
    assert report.is_good, report.text()
