"""When transcription is wanted: all conditions together, each alone able to refuse."""

from __future__ import annotations

import pytest

from orchestrator.core import events as e
from tests.unit.core.given import AMY, CUSTOMER, Story, sid


def conversation(**keys: object) -> Story:
    return Story(**keys).arrives().stream_started().customer_joins().agent_joins()


def test_a_conversation_is_wanted_for_its_agent() -> None:
    """With customer and agent connected and nothing against it, transcription and its stream are wanted."""
    wanted = conversation().wanted
    assert (wanted.transcription, wanted.agent_id, wanted.stream) == (True, "amy", True)


def test_profile_that_does_not_transcribe() -> None:
    """A profile with `transcribe = false` wants neither transcription nor a media stream."""
    story = conversation(transcribe=False)
    assert (story.wanted.transcription, story.wanted.stream, story.state) == (False, False, "not-transcribed")


def test_waiting_for_an_agent() -> None:
    """IVR and queue are not transcribed, though the stream is up from the first TwiML."""
    story = Story().arrives().stream_started().customer_joins()
    assert (story.wanted.transcription, story.wanted.stream) == (False, True)


@pytest.mark.parametrize("against", ["held", "paused", "survey", "ended", "customer gone", "agent gone", "agent held"])
def test_each_condition_alone_refuses(against: str) -> None:
    """Hold, pause, survey, end, an absent customer, no agent, and a held only agent each want transcription off."""
    story = conversation()
    {
        "held": story.customer_held,
        "paused": story.paused,
        "survey": lambda: story.told(e.SurveyReached),
        "ended": story.ends,
        "customer gone": story.customer_leaves,
        "agent gone": story.agent_leaves,
        "agent held": story.agent_held,
    }[against]()
    assert not story.wanted.transcription
    assert story.wanted.agent_id is None


def test_inbound_customer_is_connected_before_any_conference() -> None:
    """Once our TwiML was answered the inbound customer counts as connected."""
    story = Story(route="dial:client:amy").arrives().told(e.LegAnswered, leg=AMY, is_dialled=True)
    assert story.wanted.transcription


def test_customer_of_a_conference_must_be_in_it() -> None:
    """Once seen in a conference, connected means being in it."""
    story = conversation().customer_leaves()
    assert not story.wanted.transcription
    assert story.customer_joins().wanted.transcription


def test_adopted_customer_is_connected_when_twilio_says_so() -> None:
    """An adopted call wants nothing before Twilio says in-progress."""
    story = Story().is_adopted().told(e.AgentConnected, agent_id="amy")
    assert not story.wanted.transcription
    assert story.told(e.CallRead, status="in-progress").wanted.transcription


def test_agent_without_a_leg_is_connected_as_the_api_reports() -> None:
    """An agent of whom no leg is known is connected from the API's report until its opposite."""
    story = Story(route="redirect:https://example.com/flow").arrives().told(e.AgentConnected, agent_id="amy")
    assert story.wanted.agent_id == "amy"
    assert not story.told(e.AgentDisconnected, agent_id="amy").wanted.transcription


def test_held_agent_beside_an_unheld_one() -> None:
    """A held agent beside an unheld one leaves transcription on, for the unheld one."""
    story = conversation().at(5_000).agent_joins("bob").agent_held("amy")
    assert story.wanted.agent_id == "bob"


def test_stream_from_agent_connect() -> None:
    """With `stream_from = "agent-connect"` no media stream is wanted before an agent is connected."""
    story = Story(stream_from="agent-connect").arrives()
    assert not story.call.streams
    assert not story.wanted.stream
    assert story.customer_joins().agent_joins().wanted.stream


def test_no_stream_without_a_url_at_hand() -> None:
    """Without a URL at hand the TwiML carries no stream; the reconciler adds it by REST."""
    story = Story().arrives(has_stream_url=False)
    assert not story.call.streams
    assert story.next_action().name == "asapp-1"  # type: ignore[union-attr]


def test_outbound_document_starts_no_stream() -> None:
    """A call that an agent's device places gets its stream by REST, on the customer's child leg."""
    assert not Story().arrives(direction="outbound").call.streams


def test_unlabelled_participant_is_nobody() -> None:
    """An unlabelled leg counts as nobody until known."""
    story = Story().arrives().stream_started().customer_joins()
    story.news(e.ParticipantJoined, sid("CA", "stranger"))
    assert not story.wanted.transcription


def test_customer_sid_is_never_an_agent() -> None:
    """The customer's own leg is not taken for an agent, whatever its label says."""
    story = Story().arrives().news(e.ParticipantJoined, CUSTOMER, label="agent-amy")
    assert not story.call.agents
