"""Which changes of a call anybody can see."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.seen import is_seen_to_change
from orchestrator.core.transition import transition
from tests.unit.core.given import Story


def test_what_a_desktop_shows_is_seen_to_change() -> None:
    """A pause, an agent, the end."""
    story = Story().arrives()
    for event in (
        e.AgentConnected(at=story.now, agent_id="amy"),
        e.PauseRequested(at=story.now, reason="payment"),
        e.CallEndReported(at=story.now),
    ):
        after = transition(story.call, event)
        assert is_seen_to_change(story.call, after) is not isinstance(event, e.CallEndReported)


@pytest.mark.parametrize("event", [e.AuditRequested(at=1, why="test"), e.TimePassed(at=1, what="test")])
def test_what_only_the_reconciler_needs_is_not(event: e.Event) -> None:
    """Audits, readings and the passing of time."""
    call = Story().arrives().call
    assert not is_seen_to_change(call, transition(call, event))
