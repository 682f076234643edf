"""Calls that agents' devices place, and adopted SIDs that turn out to be an agent's or a customer's child leg."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.core import events as e
from orchestrator.core.actions import CreateStream
from orchestrator.core.applied.legs import is_agents_leg
from orchestrator.core.call import Call, Progress
from orchestrator.core.people import is_device
from orchestrator.core.transition import begin
from tests.unit.core.given import AMY, CUSTOMER, Story, profile, sid

DEVICE = sid("CA", "device")
AGENTS = ("client:agent-*", "sip:*@desk.example")


class _Placed(Story):
    """A call that begins with the customer's answer to an agent's device."""

    def answers_device(self) -> Story:
        arrived = self.arrival(has_stream_url=False, direction="outbound")
        self._call = begin(replace(arrived, device=DEVICE, device_identity="client:agent-7"))
        return self


def outbound() -> Story:
    return _Placed(agent_identities=AGENTS, survey_url="https://survey.example/s").answers_device()


def read(story: Story, **fields: object) -> Story:
    return story.told(e.CallRead, **{"status": "in-progress", "parent": DEVICE, **fields})


def test_the_answered_customer_is_a_call_with_its_agent() -> None:
    """The device's leg is the agent's, connected; the stream is made by REST on the customer's leg."""
    story = outbound()
    assert story.wanted.agent_id == "client:agent-7"
    assert story.next_is(CreateStream).name == "asapp-1"
    assert story.call.direction == "outbound"


def test_the_device_hangs_up() -> None:
    """Its leg ends, the customer's call goes on without an agent; a repeat of the answer does not bring it back."""
    story = outbound().told(e.LegEnded, leg=DEVICE)
    assert not story.wanted.transcription
    repeat = replace(story.arrival(), device=DEVICE)
    assert not story.hears(replace(repeat, at=story.now)).wanted.transcription
    assert not story.call.is_ended


def test_a_later_transfer_by_conference_keeps_the_call() -> None:
    """Customer and device move into a room: same call; another agent takes over; the device leaves."""
    story = outbound().customer_joins().news(e.ParticipantJoined, DEVICE).agent_joins()
    assert story.wanted.agent_id == "client:agent-7"
    assert story.news(e.ParticipantLeft, DEVICE).wanted.agent_id == "amy"


def test_an_adopted_call_learns_its_device() -> None:
    """A child of an agent's device is itself the customer's leg; whoever placed it is its agent while it lives."""
    story = Story(agent_identities=AGENTS).is_adopted("api")
    read(story, parent_identity="client:agent-7", is_parent_live=True)
    assert (story.call.progress, [agent.leg for agent in story.call.agents]) == (Progress.IN_PROGRESS, [DEVICE])
    assert story.wanted.agent_id == "client:agent-7"
    gone = read(Story(agent_identities=AGENTS).is_adopted("api"), parent_identity="client:agent-7")
    assert not gone.wanted.transcription


def test_another_childs_document_is_dropped() -> None:
    """An agent's leg that a desktop named becomes no call, whether it is still there or not."""
    for status in ("in-progress", "ended"):
        story = Story(agent_identities=AGENTS).is_adopted("api")
        event = e.CallRead(at=story.now, status=status, parent=CUSTOMER, parent_identity="+15555550101")
        assert is_agents_leg(story.call, event)
        assert story.hears(event).call.progress is Progress.DROPPED


def test_an_agents_device_is_no_call() -> None:
    """A desktop names the device's own leg before the customer has answered: nothing is made of it."""
    story = Story(agent_identities=AGENTS).is_adopted("api")
    story.told(e.CallRead, status="in-progress", customer_number="client:agent-7")
    assert story.call.progress is Progress.DROPPED


def test_a_verified_call_stays_whatever_its_parent() -> None:
    """Only an adopted SID is in doubt."""
    story = read(outbound(), parent_identity="+15555550101")
    assert story.call.progress is Progress.IN_PROGRESS


def adopted_then_read(before: e.Event | None = None, **keys: object) -> Call:
    story = Story().is_adopted()
    if before is not None:
        story.hears(replace(before, at=story.now))
    return story.told(e.CallRead, status="in-progress", profile=profile(**keys)).call


def test_an_adopted_calls_own_profile_counts() -> None:
    """Its numbers are known once it was read: from then on what they ask for."""
    assert adopted_then_read(transcribe=False).profile.transcribe is False
    assert [pause.reason for pause in adopted_then_read(consent="required").pauses] == ["consent"]


def test_consent_given_before_the_profile_was_known() -> None:
    """It is remembered; one withdrawn stands whatever the profile."""
    assert not adopted_then_read(e.ConsentGiven(at=0), consent="required").pauses
    assert [each.source for each in adopted_then_read(e.ConsentWithdrawn(at=0, source="desk")).pauses] == ["desk"]
    assert [each.source for each in adopted_then_read(e.ConsentGiven(at=0), consent="required").pauses] == []


def test_the_voice_webhook_brings_the_profile_too() -> None:
    """An adopted call whose webhook arrives later has that one's profile."""
    story = Story().is_adopted()
    story.hears(replace(story.arrival(), profile=profile(consent="required")))
    assert [pause.reason for pause in story.call.pauses] == ["consent"]


def test_devices() -> None:
    """Client and SIP identities by pattern; a SIP address with its port and parameters, too; numbers never."""
    agents = profile(agent_identities=(*AGENTS, "client:+1*"))
    for identity in ("client:agent-7", "sip:amy@desk.example", "sip:amy@desk.example:5061;transport=tls"):
        assert is_device(agents, identity)
    assert not is_device(agents, None)
    for identity in ("", "client:eve", "sip:amy@evil.example", "+15555550101", "sip:desk.example"):
        assert not is_device(agents, identity)
    assert is_device(agents, "client:+1;x")
    assert not is_device(profile(), "client:agent-7")


def test_identity_of_an_answered_device() -> None:
    """A leg whose identity matches is an agent's wherever it comes from."""
    told = Story(agent_identities=AGENTS).arrives().told(e.LegAnswered, leg=AMY, identity="sip:amy@desk.example;x=1")
    assert told.wanted.agent_id == "sip:amy@desk.example;x=1"
