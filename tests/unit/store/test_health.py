"""Warnings about a Redis that may lose calls."""

from __future__ import annotations

import pytest

from orchestrator.store.health import Health


@pytest.mark.parametrize(
    ("version", "eviction", "aof", "expected"),
    [
        ("Redis 7.0.15", "noeviction", "yes", []),
        ("Valkey 9.1.2", "unknown", "unknown", []),
        ("unknown", "unknown", "unknown", []),
        ("Redis 6.0.9", "noeviction", "yes", ["too old"]),
        ("Redis 7.0.15", "allkeys-lru", "no", ["append-only", "evicts"]),
    ],
)
def test_each_danger_is_named(version: str, eviction: str, aof: str, expected: list[str]) -> None:
    """One sentence per danger, none where there is none or nothing can be known."""
    warnings = Health(1.0, version, eviction, aof).warnings()

    assert len(warnings) == len(expected)
    assert all(word in warning for word, warning in zip(expected, warnings, strict=True))
