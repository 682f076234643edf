"""The figures of the call model's table of time limits."""

from __future__ import annotations

import pytest

from orchestrator.core import backoff
from tests.unit.core.given import sid


@pytest.mark.parametrize(
    ("family", "waits"),
    [
        ("429", [1_000, 2_000, 4_000, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000, 30_000]),
        ("5xx", [250, 500, 1_000, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000, 30_000]),
        ("auth", [30_000] * 3),
    ],
)
def test_start_ladder(family: str, waits: list[int]) -> None:
    """ASAPP's own steps, then 5 s steps to 30 s; a wrong key is not hammered with."""
    assert [backoff.start_wait_ms(family, failures) for failures in range(1, len(waits) + 1)] == waits


def test_stop_ladder() -> None:
    """0.25, 0.5, 1 s, then every second while audio may be heard; 2, 4 ... 60 s once it cannot."""
    assert [backoff.stop_wait_ms(each, is_exposed=True) for each in range(1, 6)] == [250, 500, 1_000, 1_000, 1_000]
    assert [backoff.stop_wait_ms(each, is_exposed=False) for each in range(1, 8)] == [
        *(2_000, 4_000, 8_000, 16_000, 32_000),
        *(60_000, 60_000),
    ]


def test_restart_ladder() -> None:
    """0, 1, 2, 4 ... 30 s."""
    assert [backoff.restart_wait_ms(each) for each in range(8)] == [
        *(0, 1_000, 2_000, 4_000),
        *(8_000, 16_000, 30_000, 30_000),
    ]


@pytest.mark.parametrize(
    ("family", "waits"),
    [
        ("429", [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]),
        ("no-url", [1_000, 2_000, 4_000, 5_000]),
        ("5xx", [1_000, 2_000, 4_000, 8_000]),
        ("", [1_000, 2_000, 4_000, 8_000]),
    ],
)
def test_create_ladder(family: str, waits: list[int]) -> None:
    """Soon after a 429, which says nothing about this call; at most 5 s apart without a URL; else as rebuilds."""
    assert [backoff.create_wait_ms(family, failures) for failures in range(1, len(waits) + 1)] == waits


def test_spread_is_steady_and_small() -> None:
    """Jitter adds up to a tenth, the same for the same call, not the same for all."""
    waits = {backoff.spread(sid("CA", str(each)), 10_000) for each in range(50)}
    assert len(waits) > 30
    assert min(waits) >= 10_000
    assert max(waits) < 11_000
    assert backoff.spread("CA1", 10_000) == backoff.spread("CA1", 10_000)


def test_doubling_never_overflows() -> None:
    """However often something failed, the most is the most."""
    assert backoff.doubling_ms(1_000, 10_000, 60_000) == 60_000
