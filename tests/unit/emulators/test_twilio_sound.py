"""What a track carries follows from the state of the call alone."""

from collections.abc import Callable

from orchestrator.emulators.audio import Kind, recognise
from orchestrator.emulators.twilio.model import Conference, Leg, Member, Role, Room
from orchestrator.emulators.twilio.sound import inbound, outbound
from orchestrator.emulators.twilio.speech import Conversation

_LONG = 1500  # frames: half a minute


def _leg(role: Role) -> Leg:
    return Leg("+15555550101", "+15555550100", "inbound", role, status="in-progress")


def _enter(room: Room, role: Role) -> Member:
    member = Member(_leg(role))
    member.leg.room = room
    room.members.append(member)
    return member


def _room(*roles: Role) -> tuple[Member, ...]:
    room = Conference(Conversation(0), name="room", status="in-progress")
    return tuple(_enter(room, role) for role in roles)


def _kinds(track: Callable[[Leg, float], bytes], leg: Leg, start: float = 0.0) -> set[str]:
    found = set()
    for tick in range(_LONG):
        heard = recognise(track(leg, start + tick * 0.02))
        assert heard is not None
        found.add(heard.kind.value)
    return found


def test_customer_and_agent_take_turns() -> None:
    """Each microphone speaks and pauses; the customer hears the agent."""
    customer, agent = _room(Role.CUSTOMER, Role.AGENT)
    assert _kinds(inbound, customer.leg) == {"customer-speech", "silence"}
    assert _kinds(outbound, customer.leg, 60) == {"agent-speech", "silence"}
    assert _kinds(outbound, agent.leg, 120) == {"customer-speech", "silence"}


def test_two_listeners_hear_the_same_words() -> None:
    """The customer's own stream and the agent's carry the same frame at the same moment."""
    customer, agent = _room(Role.CUSTOMER, Role.AGENT)
    for tick in range(_LONG):
        assert inbound(customer.leg, tick * 0.02) == outbound(agent.leg, tick * 0.02)


def test_a_held_customer_hears_music_and_talks_to_nobody() -> None:
    """Hold takes the customer out of the mix both ways."""
    customer, agent = _room(Role.CUSTOMER, Role.AGENT)
    customer.held = True
    assert _kinds(outbound, customer.leg) == {"hold-music"}
    assert _kinds(inbound, customer.leg, 60) == {"held-customer", "silence"}
    assert _kinds(outbound, agent.leg, 120) == {"silence"}


def test_agents_beside_a_held_customer_consult_unheard() -> None:
    """The consultation reaches the agents' legs only."""
    customer, first, second = _room(Role.CUSTOMER, Role.AGENT, Role.AGENT)
    customer.held = True
    assert _kinds(outbound, customer.leg) == {"hold-music"}
    assert "consult" in _kinds(outbound, first.leg, 60)
    assert _kinds(inbound, second.leg, 120) <= {"consult", "silence"}


def test_a_coach_is_heard_by_the_coached_agent_only() -> None:
    """A whisper into the agent's ear does not reach the customer."""
    customer, agent, coach = _room(Role.CUSTOMER, Role.AGENT, Role.AGENT)
    coach.coaching, coach.coached_sid = True, agent.leg.sid
    assert coach.leg.room is not None
    coach.leg.room.conversation.say(coach.leg, "tell him about the offer", 0.0)
    heard = recognise(outbound(agent.leg, 0.1))
    assert heard is not None
    assert heard.kind is Kind.CONSULT
    assert outbound(customer.leg, 0.1) == outbound(coach.leg, 0.1)


def test_alone_in_a_room_there_is_waiting_music() -> None:
    """The first to come waits with music, and says nothing."""
    (customer,) = _room(Role.CUSTOMER)
    assert _kinds(outbound, customer.leg) == {"queue-music"}
    assert _kinds(inbound, customer.leg) == {"silence"}


def test_what_twilio_plays_is_heard_first() -> None:
    """A prompt drowns the rest; without any room there is silence."""
    leg = _leg(Role.CUSTOMER)
    assert _kinds(outbound, leg) == {"silence"}
    leg.playing = Kind.SURVEY
    assert _kinds(outbound, leg) == {"survey"}


def test_an_injected_utterance_keeps_its_kind_on_hold() -> None:
    """Card details are payment sound whatever the state of the call."""
    customer, _ = _room(Role.CUSTOMER, Role.AGENT)
    assert customer.leg.room is not None
    customer.leg.room.conversation.say(customer.leg, "four two four two", 0.0, Kind.PAYMENT)
    customer.held = True
    heard = recognise(inbound(customer.leg, 0.02))
    assert heard is not None
    assert (heard.kind, heard.word) == (Kind.PAYMENT, "four")


def test_a_silent_conversation_says_only_what_is_injected() -> None:
    """With conversation switched off nobody speaks of their own."""
    room = Room(Conversation(0, is_silent=True))
    customer = _enter(room, Role.CUSTOMER)
    _enter(room, Role.AGENT)
    assert _kinds(inbound, customer.leg) == {"silence"}
