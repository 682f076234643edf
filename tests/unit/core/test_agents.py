"""Agents are legs, known from several sources; one agent reported by several is one."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from orchestrator.core.actions import ReadLeg
from tests.unit.core.given import AMY, BOB, CUSTOMER, Story, sid


def ids(story: Story) -> list[str]:
    return [agent.id for agent in story.call.agents]


def dialled() -> Story:
    return Story(route="dial:client:amy", agent_identities=("client:agent-*",)).arrives().stream_started()


def test_answered_child_of_a_dial_is_an_agent() -> None:
    """The answered child leg of our dial is an agent's, under its leg SID until a name is known."""
    assert ids(dialled().told(e.LegAnswered, leg=AMY, is_dialled=True)) == [AMY]


def test_identity_that_matches_is_an_agent() -> None:
    """A client identity that matches `agent_identities` makes the leg an agent's; another does not."""
    story = dialled().told(e.LegAnswered, leg=AMY, identity="client:agent-amy")
    story.told(e.LegAnswered, leg=BOB, identity="client:visitor").told(e.LegAnswered, leg=sid("CA", "x"))
    assert ids(story) == ["client:agent-amy"]


def test_leg_that_has_ended_is_not_answered_again() -> None:
    """An overtaken `answered` of a leg that has ended brings no agent back."""
    story = dialled().told(e.LegEnded, leg=AMY, is_dialled=True).told(e.LegAnswered, leg=AMY, is_dialled=True)
    assert not story.wanted.transcription


def test_end_of_an_unknown_leg_is_nothing() -> None:
    """The end of a leg that is nobody's leaves the call as it was."""
    story = dialled()
    before = story.call
    assert story.told(e.LegEnded, leg=BOB).call is before


def test_end_of_a_leg_takes_it_out_of_the_room() -> None:
    """A leg that has ended is in no conference, even if the news of its leaving was lost."""
    story = Story().talks().told(e.LegEnded, leg=AMY)
    assert not story.wanted.transcription
    assert story.told(e.LegEnded, leg=AMY).call == story.call


@pytest.mark.parametrize("label", ["agent", "agent-amy"])
def test_labels_tell_agents(label: str) -> None:
    """Participant labels `agent` and `agent-<id>` name an agent."""
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, AMY, label=label)
    assert ids(story) == ["amy" if label == "agent-amy" else AMY]


@pytest.mark.parametrize("label", ["customer", "supervisor", "agents"])
def test_other_labels_do_not(label: str) -> None:
    """Any other label is nobody's, and nobody asks Twilio about it."""
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, AMY, label=label)
    assert (ids(story), story.call.readings) == ([], ())


def test_unlabelled_leg_is_looked_up_once() -> None:
    """An unlabelled participant makes one read of who it is; a matching identity makes it an agent."""
    story = Story(agent_identities=("client:agent-*",)).arrives().stream_started().customer_joins()
    story.news(e.ParticipantJoined, AMY)
    assert story.next_is(ReadLeg).leg == AMY
    story.told(e.LegRead, leg=AMY, identity="client:agent-amy").news(e.ParticipantModified, AMY)
    assert ids(story) == ["client:agent-amy"]
    assert not story.call.readings


def test_child_of_the_call_is_an_agent() -> None:
    """An unlabelled leg that Twilio calls a child of the customer's leg is the dialled agent's."""
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, AMY)
    story.told(e.LegRead, leg=AMY, identity="+15555550102", is_child_of_call=True)
    assert story.wanted.transcription


def test_stranger_is_not_asked_about_again() -> None:
    """A leg that is nobody's agent stays nobody's, and is not looked up again."""
    other = sid("CF", "other")
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, BOB, room=other, sequence=1)
    story.told(e.LegRead, leg=BOB, identity="+15555550102").news(e.ParticipantModified, BOB, room=other, sequence=2)
    assert (ids(story), story.call.readings) == ([], ())


def test_unreadable_leg_is_asked_again_later() -> None:
    """A read that told nothing is repeated after 2, 4 ... s; until then the leg is nobody."""
    story = Story().arrives().customer_joins().news(e.ParticipantJoined, AMY)
    waits = []
    for _ in range(3):
        story.told(e.LegRead, leg=AMY)
        waits.append(story.call.readings[0].not_before - story.now)
    assert waits == [2_000, 4_000, 8_000]


def test_unreadable_leg_that_nobody_asked_about() -> None:
    """An unasked answer that tells nothing makes the read due all the same."""
    assert [each.key for each in Story().arrives().told(e.LegRead, leg=AMY).call.readings] == [f"leg:{AMY}"]


def test_read_of_a_leg_in_no_room() -> None:
    """A leg that is nobody's and in no room leaves nothing behind."""
    story = Story().arrives()
    before = story.call
    assert story.told(e.LegRead, leg=BOB, identity="+15555550102").call == before


def test_taskrouter_names_the_agent_of_a_leg() -> None:
    """TaskRouter's worker and the label's agent are one when the leg is the same."""
    story = Story().talks().told(e.ReservationAccepted, worker="Amy Pond", leg=AMY)
    assert len(story.call.agents) == 1
    assert ids(story) == ["amy"]
    assert story.call.agents[0].worker_name == "Amy Pond"


def test_accepted_is_not_connected_by_itself() -> None:
    """`reservation.accepted` names an agent; it stands for connected only if the profile says so."""
    story = Story(route="enqueue:WW1").arrives().told(e.ReservationAccepted, worker="amy")
    assert ids(story) == ["amy"]
    assert not story.wanted.transcription


def test_accepted_is_connected_where_the_profile_says_so() -> None:
    """With `accepted_is_connected` the reservation connects, and its end disconnects."""
    story = Story(route="enqueue:WW1", accepted_is_connected=True).arrives()
    assert story.told(e.ReservationAccepted, worker="amy").wanted.agent_id == "amy"
    assert not story.told(e.ReservationEnded, worker="amy").wanted.transcription


def test_end_of_a_reservation_that_connects_nobody() -> None:
    """The end of a reservation disconnects nobody whom the reservation did not connect."""
    story = Story().talks().told(e.ReservationAccepted, worker="amy", leg=AMY)
    assert story.told(e.ReservationEnded, worker="amy").wanted.transcription
    assert story.told(e.ReservationEnded, worker="nobody").wanted.transcription


def test_once_a_conference_was_seen_a_leg_must_be_in_it() -> None:
    """For an agent with a known leg, connected means being in the conference, whatever else was reported."""
    story = Story(accepted_is_connected=True).arrives().told(e.ReservationAccepted, worker="amy", leg=AMY)
    assert story.wanted.transcription
    assert not story.customer_joins().wanted.transcription
    assert story.agent_joins().wanted.transcription


def test_agent_in_another_room_is_not_with_the_customer() -> None:
    """An agent who sits in another conference than the customer's is not connected."""
    story = Story().talks().agent_leaves().agent_joins(room=sid("CF", "elsewhere"))
    assert not story.wanted.transcription


def test_report_without_leg_cannot_be_true_when_all_have_left() -> None:
    """When everybody but the customer has left the conference, a report without a leg does not keep anyone."""
    story = Story().arrives().stream_started().customer_joins().told(e.AgentConnected, agent_id="amy")
    assert story.wanted.transcription
    story.news(e.ParticipantJoined, BOB, label="supervisor")
    assert story.wanted.transcription
    story.news(e.ParticipantLeft, BOB, label="supervisor")
    assert not story.wanted.transcription


def test_coaching_is_not_talking() -> None:
    """A coaching participant is no agent until coaching ends."""
    story = Story().arrives().stream_started().customer_joins().agent_joins(is_coaching=True)
    assert not story.wanted.transcription
    assert story.news(e.ParticipantModified, AMY, is_coaching=False).wanted.transcription


def test_desktop_and_leg_are_one_by_leg() -> None:
    """The desktop's agent is the label's agent when the leg is the same; the API's name wins."""
    story = Story().talks().told(e.AgentConnected, agent_id="a.pond", agent_leg=AMY)
    assert ids(story) == ["a.pond"]


def test_desktop_and_label_are_one_by_id() -> None:
    """Without a leg the id makes them one."""
    assert ids(Story().talks().told(e.AgentConnected, agent_id="amy")) == ["amy"]


def test_nameless_leg_and_legless_name_are_one() -> None:
    """A desktop that reports no leg and a leg that carries no name are one person where there is one of each."""
    story = dialled().told(e.AgentConnected, agent_id="amy").told(e.LegAnswered, leg=AMY, is_dialled=True)
    assert ids(story) == ["amy"]
    assert story.call.agents[0].leg == AMY


def test_two_of_a_kind_stay_two() -> None:
    """With two legless names nobody guesses whose the nameless leg is."""
    story = dialled().told(e.AgentConnected, agent_id="amy").told(e.AgentConnected, agent_id="bob")
    assert len(story.told(e.LegAnswered, leg=AMY, is_dialled=True).call.agents) == 3


def test_order_of_names() -> None:
    """API, label, WorkerName, client identity, leg SID: the first that is known is the agent's id."""
    story = Story(route="conference", agent_identities=("client:*",)).arrives()
    seen = [ids(story.told(e.LegAnswered, leg=AMY, is_dialled=True))]
    seen.append(ids(story.told(e.LegAnswered, leg=AMY, identity="client:a", is_dialled=True)))
    seen.append(ids(story.told(e.ReservationAccepted, worker="w", leg=AMY)))
    seen.append(ids(story.agent_joins("amy")))
    seen.append(ids(story.told(e.AgentConnected, agent_id="api", agent_leg=AMY)))
    assert seen == [[AMY], ["client:a"], ["w"], ["amy"], ["api"]]


def test_longest_connected_agent_is_current() -> None:
    """The current agent is the longest connected who is not held."""
    story = Story().arrives().stream_started().customer_joins().agent_joins("bob").at(1_000).agent_joins("amy")
    assert story.wanted.agent_id == "bob"
    assert story.agent_held("bob").wanted.agent_id == "amy"
    assert story.agent_leaves("bob").at(1).agent_joins("bob").wanted.agent_id == "amy"


def test_disconnect_by_leg() -> None:
    """`agent-disconnected` may name the leg."""
    story = dialled().told(e.AgentConnected, agent_id="amy", agent_leg=AMY)
    assert not story.told(e.AgentDisconnected, agent_leg=AMY).wanted.transcription


def test_disconnect_of_nobody_in_particular() -> None:
    """`agent-disconnected` alone means the last one that the API reported."""
    story = dialled().told(e.AgentConnected, agent_id="amy").at(1).told(e.AgentConnected, agent_id="bob")
    assert story.told(e.AgentDisconnected).wanted.agent_id == "amy"
    assert not story.told(e.AgentDisconnected).wanted.transcription


def test_disconnect_of_an_unknown_agent() -> None:
    """A disconnect of somebody who was never there changes nobody."""
    story = Story().talks()
    before = story.call.agents
    assert story.told(e.AgentDisconnected, agent_id="eve").call.agents == before


def test_rejoin_on_another_leg() -> None:
    """An agent who comes back on another leg is connected by that one; the old leg's report is over."""
    story = dialled().told(e.AgentConnected, agent_id="amy", agent_leg=AMY)
    story.told(e.AgentConnected, agent_id="amy", agent_leg=BOB)
    connected = [agent.leg for agent in story.call.agents if agent.is_reported]
    assert connected == [BOB]
    assert not story.told(e.AgentDisconnected, agent_leg=BOB).wanted.transcription


def test_leg_that_has_ended_ends_the_report() -> None:
    """An agent whose leg has ended is not connected, whatever the desktop last said."""
    story = dialled().told(e.AgentConnected, agent_id="amy", agent_leg=AMY).told(e.LegEnded, leg=AMY)
    assert not story.wanted.transcription


def test_answer_of_the_customers_leg_is_no_agent() -> None:
    """The customer's own answered leg is nobody's agent."""
    assert not dialled().told(e.LegAnswered, leg=CUSTOMER).call.agents
