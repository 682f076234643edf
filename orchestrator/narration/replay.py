"""A stored timeline run again through this release's core: where would it know, or do, something else?

The events are what was told; the states beside them, and the actions among them, are what the release of that time made
of it. Differences are no faults: they show what an update changes for a call that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from orchestrator.core import events as e
from orchestrator.core.actions import Action, CreateStream, StartTranscription, StopStream, StopTranscription
from orchestrator.core.call import Call
from orchestrator.core.reconcile import reconcile
from orchestrator.core.transition import begin, transition
from orchestrator.errors import OrchestratorError
from orchestrator.store.codec import state_of
from orchestrator.store.reading import TimelineEntry

PATIENCE_MS = 5_000
"""A dead worker's call is taken over within this; an action that nobody took for longer was not planned then."""
_TELLING = StartTranscription | StopTranscription | CreateStream | StopStream


@dataclass(frozen=True)
class Difference:
    """`kind`: `state` (another state after the event), `action` (another action) or `idle` (an action, then none)."""

    at: int
    kind: str
    after: str
    then: Any
    now: Any


def replay(entries: Sequence[TimelineEntry]) -> list[Difference]:
    """Where this release differs, in order. Raises `not-replayable` when the beginning is not there."""
    first = entries[0] if entries else None
    if first is None or not isinstance(first.event, e.CallArrived | e.CallAdopted):
        raise OrchestratorError("not-replayable", "The beginning of this call's timeline is not known any more")
    call = begin(first.event)
    found = _of_state(first, call)
    for entry, following in zip(entries[1:], [*entries[2:], None], strict=True):
        if entry.event is None:
            found.append(
                Difference(entry.at, "state", entry.name, entry.state, "an event that this release does not know")
            )
            continue
        if isinstance(entry.event, e.ActionIntended):
            found += _of_action(entry, entry.event, call)
        call = transition(call, entry.event)
        found += _of_state(entry, call)
        found += _of_idleness(entry, following, call)
    return found


def _of_state(entry: TimelineEntry, call: Call) -> list[Difference]:
    now = state_of(call)
    names = [name for name in {**entry.state, **now} if entry.state.get(name) != now.get(name)]
    if not names:
        return []
    then = {name: entry.state.get(name) for name in names}
    return [Difference(entry.at, "state", entry.name, then, {name: now.get(name) for name in names})]


def _of_action(entry: TimelineEntry, intended: e.ActionIntended, call: Call) -> list[Difference]:
    """What it would do at the moment in which the action was intended; how long it would wait for it does not count."""
    then, now = _named(intended.action), _named(reconcile(call, entry.at).action)
    return [] if then == now else [Difference(entry.at, "action", entry.name, then, now)]


def _of_idleness(entry: TimelineEntry, following: TimelineEntry | None, call: Call) -> list[Difference]:
    """Something would be done, and for some seconds nothing was."""
    if following is None or following.at - entry.at < PATIENCE_MS or call.in_flight is not None:
        return []
    action = reconcile(call, entry.at + PATIENCE_MS).action
    due_already = isinstance(action, _TELLING) and reconcile(call, entry.at + 1).action is not None
    return [Difference(entry.at, "idle", entry.name, None, _named(action))] if due_already else []


def _named(action: Action | None) -> dict[str, Any] | None:
    if action is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(action)
    told.pop("timeout_ms", None)
    return told
