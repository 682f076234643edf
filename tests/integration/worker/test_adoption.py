"""Unknown SIDs that a source named: read at Twilio, then a customer's call, an agent's leg, or nothing."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.call import Progress
from orchestrator.core.desired import desired
from orchestrator.worker.handing_over import hand_over
from tests.integration.worker.conftest import Desk

CUSTOMER = "CA" + "a" * 32
AGENT = "CA" + "b" * 32
DEVICE = "CA" + "d" * 32


def adopt(desk: Desk, sid: str, *events: e.Event) -> None:
    at = desk.services.clock.now_ms()
    profile = desk.services.profiles.default
    desk.services.store.begin(e.CallAdopted(at=at, call_sid=sid, profile=profile, via="test"))
    desk.tell(sid, *events)


def test_an_agents_child_leg_leads_to_its_parent(desk: Desk) -> None:
    """What the desktop told under the agent's leg is true of the customer's call; the leg itself is no call."""
    desk.vendors.leg(CUSTOMER)
    desk.vendors.leg(AGENT, direction="outbound-dial", parent_call_sid=CUSTOMER, to="+15555550177")
    at = desk.services.clock.now_ms()
    adopt(desk, AGENT, e.AgentConnected(at=at, agent_id="amy"), e.PauseRequested(at=at, reason="payment"))
    desk.turns()
    call = desk.call(CUSTOMER)
    assert desk.call(AGENT).progress is Progress.DROPPED
    assert desk.services.store.resolve("leg", AGENT) == CUSTOMER
    assert [(agent.id, agent.leg) for agent in call.agents] == [("amy", AGENT)]
    assert [pause.reason for pause in call.pauses] == ["payment"]
    assert (call.progress, call.customer_number) == (Progress.IN_PROGRESS, "+15555550101")


def test_handing_over_twice_changes_nothing(desk: Desk) -> None:
    """A worker that dies in between leaves it to the next one."""
    desk.vendors.leg(CUSTOMER)
    at = desk.services.clock.now_ms()
    adopt(desk, CUSTOMER)
    adopt(desk, AGENT, e.AgentConnected(at=at, agent_id="amy"))
    read = e.CallRead(at=at, status="in-progress", parent=CUSTOMER, customer_number="client:agent-7")
    assert hand_over(desk.services, desk.call(AGENT), read) == 1
    agents = desk.call(CUSTOMER).agents
    assert hand_over(desk.services, desk.call(AGENT), read) == 1
    assert desk.call(CUSTOMER).agents == agents
    assert [(agent.id, agent.leg) for agent in agents] == [("amy", AGENT)]


def test_a_child_of_an_agents_device_is_the_customer(desk: Desk) -> None:
    """Lost answered callback: the desktop names the customer's leg, Twilio who dialled it."""
    desk.vendors.leg(DEVICE, **{"from": "client:agent-7", "to": "+15555550142"})
    desk.vendors.leg(CUSTOMER, direction="outbound-dial", parent_call_sid=DEVICE, to="+15555550142")
    adopt(desk, CUSTOMER, e.HoldReported(at=desk.services.clock.now_ms()))
    desk.turns()
    call = desk.call(CUSTOMER)
    assert (call.progress, call.customer_number) == (Progress.IN_PROGRESS, "+15555550142")
    assert [(agent.id, agent.leg) for agent in call.agents] == [("client:agent-7", DEVICE)]


def test_an_agents_device_is_no_call(desk: Desk) -> None:
    """Named before the customer has answered: dropped, and nothing is asked of ASAPP."""
    desk.vendors.leg(DEVICE, **{"from": "client:agent-7", "to": "+15555550142"})
    adopt(desk, DEVICE)
    desk.turns()
    assert desk.call(DEVICE).progress is Progress.DROPPED
    assert desk.vendors.requests("streaming") == []


def test_the_numbers_own_profile_counts(desk: Desk) -> None:
    """Adopted with the default profile; its number asks for no transcription."""
    desk.vendors.leg(CUSTOMER, to="+15555550111")
    adopt(desk, CUSTOMER, e.AgentConnected(at=desk.services.clock.now_ms(), agent_id="amy"))
    assert desk.call(CUSTOMER).profile.transcribe
    desk.turns()
    assert not desk.call(CUSTOMER).profile.transcribe
    assert not desired(desk.call(CUSTOMER)).transcription
    assert desk.vendors.requests("/start-streaming") == []


def test_a_replay_of_yesterday_does_nothing(desk: Desk) -> None:
    """Twilio says that it has ended; no stream is made."""
    desk.vendors.leg(CUSTOMER, status="completed")
    adopt(desk, CUSTOMER, e.AgentConnected(at=desk.services.clock.now_ms(), agent_id="amy"))
    desk.turns()
    assert desk.call(CUSTOMER).progress is Progress.DROPPED
    assert desk.vendors.requests("/Streams") == []
    assert desk.vendors.requests("streaming") == []


def test_a_parent_that_cannot_be_read_decides_nothing(desk: Desk) -> None:
    """Nothing is dropped and nobody adopted until Twilio has answered about both legs."""
    desk.vendors.leg(AGENT, direction="outbound-dial", parent_call_sid="CA-not-an-identifier!", to="+15555550177")
    adopt(desk, AGENT)
    desk.turns()
    assert desk.call(AGENT).progress is Progress.UNKNOWN
    assert [each.failures for each in desk.call(AGENT).readings] == [1]
