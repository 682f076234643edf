"""How many requests a web process answers at a time."""

from __future__ import annotations

import resource

import pytest

from orchestrator.web.server import most_threads, request_threads


@pytest.mark.parametrize(
    ("most", "workers", "inline", "expected"),
    [
        (None, 2, 0, 256),
        (100_000, 64, 0, 256),
        (256, 1, 0, 192),
        (256, 2, 0, 64),
        (256, 2, 16, 48),
        (256, 8, 0, 8),
        (1, 1, 512, 8),
    ],
)
def test_a_limit_is_shared_by_the_processes(most: int | None, workers: int, inline: int, expected: int) -> None:
    """Each keeps some for itself; never so few that a handful of slow clients keep everybody waiting."""
    assert request_threads(most, workers, inline) == expected


def test_the_systems_limit_is_found() -> None:
    """That of this user; a container's may be lower still."""
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    wanted = 5000 if before[1] == resource.RLIM_INFINITY else min(5000, before[1])
    resource.setrlimit(resource.RLIMIT_NPROC, (wanted, before[1]))
    try:
        found = most_threads()
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
    assert found is not None
    assert found <= wanted
