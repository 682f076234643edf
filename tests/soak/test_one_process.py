"""All in one process, as a small machine has it: calls and vendors' faults, within its memory."""

from __future__ import annotations

from statistics import median

import pytest

from tests.soak.run import soak

MOST_MB = 150
GROWS_BY_MB = 15


@pytest.mark.timeout(300)
def test_fault_49_serve_stays_within_its_memory() -> None:
    """49: `orchestrator serve` with its own store: all zeros, 150 MB at most with everything, and it does not grow.

    An hour of the same: `make soak ARGS="--layout serve --seconds 3600"`.
    """
    report = soak(seconds=45, seed=5, calls_per_minute=40, patience_s=60, layout="serve")
    assert report.is_good, report.text()
    assert max(report.memory_mb) <= MOST_MB, report.text()
    part = len(report.memory_mb) // 4
    assert median(report.memory_mb[-part:]) - median(report.memory_mb[part : 2 * part]) < GROWS_BY_MB, report.text()
