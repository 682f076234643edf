"""TaskRouter: who has the task, whose leg it names, and what a reservation's end takes away."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.people import had_agent
from tests.unit.core.given import AMY, BOB, CUSTOMER, Story

TASK = "WT1"


def queued(*, is_counted: bool = True) -> Story:
    return Story(route="enqueue:WW1", accepted_is_connected=is_counted).arrives().stream_started()


def accepted(story: Story, worker: str, reservation: str, order: int, leg: str | None = None) -> Story:
    return story.told(e.ReservationAccepted, worker=worker, reservation=reservation, order=order, task=TASK, leg=leg)


def over(story: Story, worker: str, reservation: str, order: int) -> Story:
    return story.told(e.ReservationEnded, worker=worker, reservation=reservation, order=order, task=TASK)


def test_the_end_of_a_reservation_takes_its_own_worker_away_only() -> None:
    """Amy's wrap-up comes after Bob has taken over: Bob stays."""
    story = accepted(accepted(queued(), "amy", "WR1", 10), "bob", "WR2", 20)
    assert over(story, "amy", "WR1", 30).wanted.agent_id == "bob"


def test_the_same_worker_has_taken_the_task_again() -> None:
    """The end of the first reservation does not end the second one of the same worker."""
    story = accepted(accepted(queued(), "amy", "WR1", 10), "amy", "WR2", 20)
    assert over(story, "amy", "WR1", 30).wanted.agent_id == "amy"
    assert not over(story, "amy", "WR2", 40).wanted.transcription


def test_accepted_comes_after_its_end() -> None:
    """TaskRouter numbers nothing: the time of the event counts, not the order of arrival."""
    story = over(queued(), "amy", "WR1", 30)
    assert not accepted(story, "amy", "WR1", 10).wanted.transcription
    assert not had_agent(story.call)


def test_an_older_reservation_comes_late() -> None:
    """Neither its beginning nor its end touches the newer one."""
    story = accepted(queued(), "amy", "WR2", 20)
    over(accepted(story, "amy", "WR1", 5), "amy", "WR1", 10)
    assert story.wanted.agent_id == "amy"
    assert over(story, "amy", "", 15).wanted.agent_id == "amy"


def test_accepted_twice_does_not_bring_an_agent_back() -> None:
    """A repeat of the same reservation is no news after the desktop said that the agent has gone."""
    story = accepted(queued(), "amy", "WR1", 10).at(1).told(e.AgentDisconnected, agent_id="amy")
    assert not accepted(story, "amy", "WR1", 10).wanted.transcription


def test_the_attributes_name_the_leg_after_the_bridge() -> None:
    """The one worker who has the task and no leg yet is whose leg it is."""
    story = accepted(queued(), "amy", "WR1", 10).told(e.WorkerLegNamed, task=TASK, order=20, leg=AMY)
    assert [(agent.leg, agent.id) for agent in story.call.agents] == [(AMY, "amy")]
    assert story.told(e.WorkerLegNamed, task=TASK, order=21, leg=AMY).call.agents[0].id == "amy"


def test_older_attributes_name_somebody_elses_leg() -> None:
    """Overtaken attributes do not give that leg to who has the task now."""
    story = accepted(queued(), "bob", "WR2", 30).told(e.WorkerLegNamed, task=TASK, order=20, leg=AMY)
    assert [(agent.leg, agent.worker_name) for agent in story.call.agents] == [(None, "bob")]


def test_a_leg_of_no_worker_in_particular() -> None:
    """With two who have the task, or none, the leg is an agent's whose name is not known yet."""
    story = accepted(accepted(queued(), "amy", "WR1", 10), "bob", "WR2", 20)
    story.told(e.WorkerLegNamed, task=TASK, order=30, leg=AMY)
    assert (AMY, None) in [(agent.leg, agent.worker_name) for agent in story.call.agents]


def test_attributes_that_still_name_the_leg_of_the_worker_before() -> None:
    """A transfer's reservation is accepted while the attributes show the old bridge: Bob is not on Amy's leg."""
    story = accepted(accepted(queued(), "amy", "WR1", 10, leg=AMY), "bob", "WR2", 20, leg=AMY)
    assert [(agent.leg, agent.worker_name) for agent in story.call.agents] == [(AMY, "amy"), (None, "bob")]
    story.told(e.WorkerLegNamed, task=TASK, order=30, leg=BOB)
    assert story.call.agents[1].leg == BOB


def test_the_customers_leg_is_no_workers() -> None:
    """Whatever a site writes into its attributes."""
    story = accepted(queued(), "amy", "WR1", 10, leg=CUSTOMER).told(e.WorkerLegNamed, task=TASK, leg=CUSTOMER)
    assert [agent.leg for agent in story.call.agents] == [None]


def test_a_label_without_a_name_is_the_worker_who_accepted() -> None:
    """In a conference the leg says that an agent is there, TaskRouter who it is."""
    story = accepted(queued(is_counted=False).customer_joins(), "amy", "WR1", 10)
    assert not story.wanted.transcription
    assert story.news(e.ParticipantJoined, AMY, label="agent").wanted.agent_id == "amy"
    assert over(story, "amy", "WR1", 20).wanted.agent_id == "amy"


@pytest.mark.parametrize(("task", "order", "is_over"), [(TASK, 20, True), ("WT2", 20, False), (TASK, 5, False)])
def test_the_end_of_the_task(task: str, order: int, is_over: bool) -> None:
    """It ends every reservation of that task that was accepted before."""
    story = accepted(queued(), "amy", "WR1", 10).told(e.TaskEnded, task=task, order=order)
    assert story.wanted.transcription is not is_over
    assert had_agent(story.call)


def test_the_dialled_leg_is_gone_when_the_dial_has_ended() -> None:
    """The child's own end may be lost; what follows the dial names it."""
    story = Story(route="dial:client:amy").arrives().told(e.LegAnswered, leg=AMY, is_dialled=True)
    assert story.wanted.transcription
    assert not story.told(e.DialEnded, outcome="completed", child=AMY).wanted.transcription
    assert had_agent(story.call)


def test_a_leg_that_rang_in_vain_was_no_agent() -> None:
    """Nobody was connected, so no survey follows."""
    story = Story(route="dial:client:amy").arrives().told(e.LegEnded, leg=AMY, reason="busy", is_dialled=True)
    assert not had_agent(story.call)


def test_somebody_elses_conference_is_not_completed() -> None:
    """A customer who waits alone in a room that we did not make may be waited for by people we do not know."""
    story = Story().talks().customer_leaves()
    story.news(e.ParticipantJoined, CUSTOMER, room="CF" + "9" * 32, sequence=1, is_own_room=False)
    assert story.call.alone_since is None
    own = Story().talks().agent_leaves(is_own_room=True)
    assert own.call.alone_since == own.now


def test_a_room_heard_of_late_is_read() -> None:
    """Its first numbers were lost, or Redis was: who is in it is asked."""
    story = Story().arrives().customer_joins(sequence=7)
    assert [each.key.partition(":")[0] for each in story.call.readings] == ["conference"]


def test_a_customer_missing_from_the_room_may_have_hung_up() -> None:
    """A lost leave and a lost end: the leg itself is read."""
    story = Story().talks().at(30_000)
    room = story.call.conferences[0].sid
    snapshot = (e.ParticipantSnapshot(leg=AMY, label="agent-amy"),)
    story.told(e.ParticipantsRead, conference=room, asked_at=story.now, participants=snapshot)
    assert "call" in [each.key for each in story.call.readings]
    assert not story.wanted.transcription


def test_the_desktop_gives_the_customers_leg_for_the_agents() -> None:
    """The customer's leg is nobody's agent, whatever a desktop sends."""
    story = Story(route="dial:client:amy").arrives().told(e.AgentConnected, agent_id="amy", agent_leg=CUSTOMER)
    assert [agent.leg for agent in story.call.agents] == [None]
