"""The clock notices when Redis's was put back, and takes nothing else for that."""

from __future__ import annotations

from orchestrator.clock import Clock


def test_a_step_back_is_counted_once() -> None:
    """A minute back is one; the measurements before and after it are none."""
    clock = Clock()
    for redis_s, here_s in ((100, 10), (110, 20), (60, 30), (70, 40)):
        clock.observe(redis_s * 1000, here_s, here_s)
    assert clock.times_put_back == 1


def test_the_first_measurement_and_a_little_noise_are_no_step_back() -> None:
    """This machine's clock may be hours ahead of Redis's, and a reply may take its time."""
    clock = Clock()
    for redis_s, here_s in ((100, 10), (109.5, 20), (120.4, 30), (129.0, 40)):
        clock.observe(round(redis_s * 1000), here_s, here_s)
    assert clock.times_put_back == 0


def test_a_step_forward_is_none() -> None:
    """Time that is gone makes everything due that was."""
    clock = Clock()
    clock.observe(100_000, 10, 10)
    clock.observe(170_000, 20, 20)
    assert clock.times_put_back == 0
