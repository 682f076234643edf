"""Documents that earlier releases wrote are read for as long as calls are kept.

`tests/data/stored-calls-1.jsonl` and `stored-events-1.jsonl` were written under schema 1: calls of the random histories
of `tests/property`, chosen so that every field and word that occurred there occurs, and one event of each kind. The
files are never changed; a release that raises the schema adds files of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.core.events import AuditRequested
from orchestrator.core.reconcile import reconcile
from orchestrator.core.transition import transition
from orchestrator.store.codec import decode_call, decode_event, encode, state_of

DATA = Path(__file__).parents[2] / "data"
CALLS = [line for path in sorted(DATA.glob("stored-calls-*.jsonl")) for line in path.read_bytes().splitlines()]
EVENTS = [line for path in sorted(DATA.glob("stored-events-*.jsonl")) for line in path.read_bytes().splitlines()]


def lost(before: object, after: object, path: str = "") -> list[str]:
    """What was written once and is not, or not so, after reading and writing it again."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [each for key, value in before.items() for each in lost(value, after.get(key), f"{path}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [each for one, two in zip(before, after, strict=True) for each in lost(one, two, f"{path}[]")]
    return [] if before == after else [path]


@pytest.mark.parametrize("document", CALLS, ids=range(len(CALLS)))
def test_a_stored_call_is_read_whole_and_goes_on(document: bytes) -> None:
    """Nothing of it is lost by this release, and what comes next for it can be decided."""
    call = decode_call(document)
    assert lost(json.loads(document), json.loads(encode(call))) == []
    later = transition(call, AuditRequested(at=call.updated_at + 1000))
    reconcile(later, call.updated_at + 1000)
    assert state_of(later)["state"]


@pytest.mark.parametrize("text", EVENTS, ids=[json.loads(text)["event"] for text in EVENTS])
def test_a_stored_event_is_known(text: bytes) -> None:
    """A timeline of an earlier release can be told."""
    event = decode_event(text)
    assert event is not None
    assert lost(json.loads(text), json.loads(encode(event))) == []


def test_the_recording_is_there() -> None:
    """Enough of both to mean something."""
    assert len(CALLS) > 25
    assert len(EVENTS) > 30
