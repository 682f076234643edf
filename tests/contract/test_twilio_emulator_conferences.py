"""The Twilio emulator: who decides about a conference, agents' own holds, three-way calls, coaching."""

from collections.abc import Iterator

import pytest

from tests.contract.twilio_peer import Emulator, Peer, conference, document, running, wait_for


@pytest.fixture(name="twilio")
def _twilio(peer: Peer) -> Iterator[Emulator]:
    with running(peer) as emulator:
        emulator.number(voice_url=f"{peer.url}/voice")
        peer.documents["/voice"] = document(peer, conference(peer))
        yield emulator


def _events(peer: Peer, path: str = "/conference") -> list[tuple[str, str]]:
    """Event and label of what a conference told, in the order of its numbers."""
    told = sorted(peer.at(path), key=lambda request: int(request.params["SequenceNumber"]))
    return [(r.params["StatusCallbackEvent"], r.params.get("ParticipantLabel", "")) for r in told]


def test_the_first_to_join_fixes_where_and_what_is_told(peer: Peer, twilio: Emulator) -> None:
    """A later participant's callback and events are ignored."""
    sid = twilio.ring()
    late = {"status_callback": f"{peer.url}/late", "status_callback_events": "join leave"}
    twilio.act(sid, "agent-joins", label="agent-amy", **late)
    twilio.act(sid, "hold")
    wait_for(lambda: ("participant-hold", "customer") in _events(peer))
    assert ("participant-join", "agent-amy") in _events(peer)
    assert not peer.at("/late")


def test_a_conference_that_an_agent_opened_tells_nobody_else(peer: Peer, twilio: Emulator) -> None:
    """The agent was first: its callback holds, and the customer's own document cannot change it."""
    peer.documents["/voice"] = "<Response><Pause length='600'/></Response>"
    sid = twilio.ring()
    opened = {"conference": "room", "status_callback": f"{peer.url}/first", "status_callback_events": "join"}
    twilio.act(sid, "agent-opens", label="agent-amy", **opened)
    twilio.client.calls(sid).update(twiml=f"<Response>{conference(peer)}</Response>")
    wait_for(lambda: len(peer.at("/first")) == 2)
    assert _events(peer, "/first") == [("participant-join", "agent-amy"), ("participant-join", "customer")]
    assert not peer.at("/conference")


def test_a_conference_that_was_opened_without_a_callback_tells_nothing(peer: Peer, twilio: Emulator) -> None:
    """Also what the later customer asks for."""
    peer.documents["/voice"] = "<Response><Pause length='600'/></Response>"
    sid = twilio.ring()
    twilio.act(sid, "agent-opens", conference="room", label="agent-amy")
    twilio.client.calls(sid).update(twiml=f"<Response>{conference(peer)}</Response>")
    wait_for(lambda: twilio.call(sid)["conference"])
    assert [p["label"] for p in twilio.call(sid)["conference"]["participants"]] == ["agent-amy", "customer"]
    twilio.act(sid, "hold")
    twilio.act(sid, "hangup")
    assert twilio.get("deliveries?kind=conference-status") == []


def test_a_participant_need_not_have_a_label(peer: Peer, twilio: Emulator) -> None:
    """Its events carry none."""
    sid = twilio.ring()
    agent = twilio.act(sid, "agent-joins", client="agent-amy")["sid"]
    join = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-join", CallSid=agent))[0]
    assert "ParticipantLabel" not in join.params
    assert twilio.call(agent)["from"] == "client:agent-amy"


def test_an_agent_who_holds_itself_is_alone(peer: Peer, twilio: Emulator) -> None:
    """The event names the agent's leg; the customer goes on talking with the other agent."""
    sid = twilio.ring()
    amy = twilio.act(sid, "agent-joins", label="agent-amy")["sid"]
    twilio.act(sid, "agent-joins", label="agent-bea")
    twilio.act(sid, "hold", leg=amy)
    held = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-hold"))[0].params
    assert (held["CallSid"], held["ParticipantLabel"], held["Hold"]) == (amy, "agent-amy", "true")
    flags = {p["label"]: p["hold"] for p in twilio.call(sid)["conference"]["participants"]}
    assert flags == {"customer": False, "agent-amy": True, "agent-bea": False}
    twilio.act(sid, "agent-leaves", leg=amy)
    left = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-leave"))[0].params
    assert left["Hold"] == "true"


def test_a_second_agent_comes_and_goes(peer: Peer, twilio: Emulator) -> None:
    """The conference starts once and lives on."""
    sid = twilio.ring()
    twilio.act(sid, "agent-joins", label="agent-amy")
    bea = twilio.act(sid, "agent-joins", label="agent-bea")["sid"]
    twilio.act(sid, "agent-leaves", leg=bea)
    wait_for(lambda: ("participant-leave", "agent-bea") in _events(peer))
    assert _events(peer) == [
        ("participant-join", "customer"),
        ("participant-join", "agent-amy"),
        ("conference-start", ""),
        ("participant-join", "agent-bea"),
        ("participant-leave", "agent-bea"),
    ]


def test_a_coach_who_barges_in_is_modified(peer: Peer, twilio: Emulator) -> None:
    """participant-modify says Coaching false; from then on everybody hears the coach."""
    peer.documents["/voice"] = document(peer, conference(peer)).replace("leave hold", "leave modify hold")
    sid = twilio.ring()
    amy = twilio.act(sid, "agent-joins", label="agent-amy")["sid"]
    coach = twilio.act(sid, "coach-joins", label="coach-cy", leg=amy)["sid"]
    joined = wait_for(lambda: peer.at("/conference", CallSid=coach))[0].params
    assert joined["Coaching"] == "true"
    twilio.act(sid, "coaching", leg=coach, coaching=False)
    changed = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-modify"))[0].params
    assert (changed["CallSid"], changed["Coaching"]) == (coach, "false")
    twilio.act(sid, "coaching", leg=coach, coaching=True, coached=amy)
    room = twilio.client.conferences.list(friendly_name="room")[0]
    (found,) = [p for p in twilio.client.conferences(room.sid).participants.list() if p.call_sid == coach]
    assert (found.coaching, found.call_sid_to_coach) == (True, amy)
