"""The desktop's events: the same `event_id` once; ordered by key and `sequence` among events about the same thing."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core import events as e
from tests.unit.core.given import AMY, Story


def reasons(story: Story) -> list[str]:
    return [pause.reason for pause in story.call.pauses]


def test_same_event_id_has_one_effect() -> None:
    """An event delivered again changes nothing, even after its opposite."""
    story = Story().talks().paused("payment", event_id="one").resumed("payment", event_id="two")
    before = story.call
    assert story.at(60_000).paused("payment", event_id="one").call is before


def test_only_so_many_ids_are_remembered() -> None:
    """The ids of the last 64 events are kept."""
    story = Story().talks()
    for number in range(70):
        story.paused(event_id=f"e{number}")
    assert len(story.call.seen_event_ids) == 64


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ((e.UnholdReported, {}), (e.HoldReported, {})),
        ((e.PauseLifted, {"reason": "payment"}), (e.PauseRequested, {"reason": "payment"})),
        ((e.ConsentGiven, {}), (e.ConsentWithdrawn, {})),
        ((e.ConsentGiven, {}), (e.PauseRequested, {"reason": "consent"})),
    ],
)
def test_overtaken_event_is_ignored(newer: tuple[Any, Any], older: tuple[Any, Any]) -> None:
    """What a later sequence of the same key has answered is not undone by an earlier one."""
    story = Story().talks().told(newer[0], sequence=2, **newer[1]).told(older[0], sequence=1, **older[1])
    assert reasons(story) == []


def test_order_holds_for_agents_by_name() -> None:
    """A late `agent-connected` does not bring back the agent whom a later sequence disconnected."""
    story = Story(route="dial:client:amy").arrives()
    story.told(e.AgentDisconnected, agent_id="amy", sequence=2).told(e.AgentConnected, agent_id="amy", sequence=1)
    assert not story.call.agents
    story.told(e.AgentDisconnected, agent_leg=AMY, sequence=3)
    story.told(e.AgentConnected, agent_id="bob", agent_leg=AMY, sequence=2)
    assert not story.call.agents


def test_events_about_other_things_are_not_overtaken() -> None:
    """A late event about something else counts: another agent, another reason, a command."""
    story = Story(survey_url="https://example.com/s").talks().told(e.AgentConnected, agent_id="bob", sequence=9)
    story.told(e.AgentConnected, agent_id="eve", sequence=1).paused("payment", sequence=2).told(
        e.SurveyTransferRequested, sequence=3
    )
    assert [agent.id for agent in story.call.agents] == ["amy", "bob", "eve"]
    assert (reasons(story), story.state) == (["payment"], "survey")


def test_order_is_per_key() -> None:
    """Another desktop's numbers are its own."""
    story = Story().talks().paused("payment", sequence=5, source="one").resumed("payment", sequence=1, source="two")
    assert reasons(story) == []


def test_without_numbers_arrival_decides() -> None:
    """Without a sequence the order of arrival counts, also for a disconnect of nobody in particular."""
    story = Story(route="dial:client:amy").arrives().told(e.AgentConnected, agent_id="amy", sequence=1)
    assert not story.told(e.AgentDisconnected, sequence=1).wanted.transcription
    assert reasons(story.told(e.HoldReported).told(e.UnholdReported)) == []


def test_retry_clears_what_gave_up() -> None:
    """`retry` clears every problem but that of a pause that lasts."""
    story = Story(max_pause_s=1).talks().paused("payment").settles().at(1_000).settles()
    story.told(e.TimePassed, what="restarts-exhausted").told(e.RetryRequested)
    assert story.problems == ["pause-overdue"]
