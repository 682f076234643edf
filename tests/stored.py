"""What Redis holds, readable, for tests that look for words in it."""

from __future__ import annotations

from typing import Any

from orchestrator.store.packing import unpacked


def unpacked_entry(entry: Any) -> dict[bytes, bytes]:
    """An entry of a stream; those of timelines are packed."""
    return {name: unpacked(value) for name, value in entry[1].items()}
