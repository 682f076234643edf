"""The Twilio emulator: how dials and queues end, what is answered and what is bridged, calls from agents' devices."""

from collections.abc import Iterator

import pytest

from tests.contract.twilio_peer import NUMBER, Emulator, Peer, running, wait_for

_PROGRESS = 'statusCallbackEvent="initiated ringing answered completed"'


@pytest.fixture(name="twilio")
def _twilio(peer: Peer) -> Iterator[Emulator]:
    with running(peer) as emulator:
        emulator.number(voice_url=f"{peer.url}/voice", status_callback=f"{peer.url}/status")
        peer.documents |= {"/ended": "<Response><Hangup/></Response>", "/left": "<Response><Hangup/></Response>"}
        yield emulator


_SHOWN = f'callerId="{NUMBER}"'


def _dial(peer: Peer, noun: str = "Number", who: str = "+15555550102", more: str = "", dial: str = "") -> str:
    target = f'<{noun} statusCallback="{peer.url}/child?device=x" {_PROGRESS} {more}>{who}</{noun}>'
    return f'<Response><Dial action="/ended" timeout="60" {dial}>{target}</Dial></Response>'


def _enqueue(more: str = "") -> str:
    return f'<Response><Enqueue workflowSid="WW1" action="/left" {more}/></Response>'


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
@pytest.mark.parametrize(
    ("noun", "who"), [("Number", "+15555550102"), ("Client", "agent-amy"), ("Sip", "sip:amy@desk.example")]
)
def test_a_dialed_party_that_is_not_had_is_told_with_its_reason(
    peer: Peer, twilio: Emulator, status: str, noun: str, who: str
) -> None:
    """DialCallStatus is the reason; the caller was answered all the same."""
    peer.documents["/voice"] = _dial(peer, noun, who)
    sid = twilio.ring()
    child = twilio.act(sid, "agent-declines", status=status)["sid"]
    ended = wait_for(lambda: peer.at("/ended"))[0].params
    assert (ended["DialCallStatus"], ended["DialCallSid"], ended["CallStatus"]) == (status, child, "in-progress")
    assert wait_for(lambda: peer.at("/child", CallStatus=status))[0].query == "device=x"


def test_a_decline_of_another_kind_is_refused(peer: Peer, twilio: Emulator) -> None:
    """A misspelt status does not become an outcome."""
    peer.documents["/voice"] = _dial(peer)
    assert twilio.post(f"calls/{twilio.ring()}/agent-declines", {"status": "bored"}).status_code == 400


@pytest.mark.parametrize(("is_answered", "status"), [(False, "canceled"), (True, "completed")])
def test_a_caller_who_goes_first_ends_the_dial(peer: Peer, twilio: Emulator, *, is_answered: bool, status: str) -> None:
    """Canceled while it rang, completed once it was answered; the child ends with the caller."""
    peer.documents["/voice"] = _dial(peer)
    sid = twilio.ring()
    wait_for(lambda: peer.at("/child", CallStatus="ringing"))
    if is_answered:
        twilio.act(sid, "agent-answers")
        wait_for(lambda: peer.at("/child", CallStatus="in-progress"))
    twilio.act(sid, "hangup")
    assert wait_for(lambda: peer.at("/ended"))[0].params["DialCallStatus"] == status
    assert wait_for(lambda: peer.at("/child", CallStatus=status))


def test_a_caller_whose_dial_answers_on_bridge_hears_ringing_until_then(peer: Peer, twilio: Emulator) -> None:
    """answerOnBridge leaves the caller's leg ringing; the answer of the agent is its answer."""
    peer.documents["/voice"] = _dial(peer, dial='answerOnBridge="true"')
    sid = twilio.ring()
    wait_for(lambda: peer.at("/child", CallStatus="ringing"))
    assert twilio.call(sid)["status"] == "ringing"
    twilio.act(sid, "agent-answers")
    wait_for(lambda: twilio.call(sid)["status"] == "in-progress")


@pytest.mark.parametrize("noun", ["Number", "Client", "Sip"])
def test_a_whisper_that_hangs_up_was_answered_and_not_bridged(peer: Peer, twilio: Emulator, noun: str) -> None:
    """The called party hears its own document first; `answered` is told, DialBridged is false."""
    who = "sip:amy@desk.example" if noun == "Sip" else "amy"
    peer.documents |= {
        "/voice": _dial(peer, noun, who, f'url="{peer.url}/whisper"'),
        "/whisper": "<Response><Say>A call for you</Say><Hangup/></Response>",
    }
    sid = twilio.ring()
    child = twilio.act(sid, "agent-answers")["sid"]
    assert wait_for(lambda: peer.at("/whisper"))[0].params["CallSid"] == child
    ended = wait_for(lambda: peer.at("/ended"))[0].params
    assert (ended["DialCallStatus"], ended["DialBridged"]) == ("completed", "false")
    assert peer.at("/child", CallStatus="in-progress")


def test_answered_is_told_before_a_whisper_and_bridged_is_after_it(peer: Peer, twilio: Emulator) -> None:
    """While the agent hears the whisper the two do not hear each other."""
    peer.documents |= {
        "/voice": _dial(peer, more=f'url="{peer.url}/whisper"', dial='timeLimit="15"'),
        "/whisper": "<Response><Play>tune</Play></Response>",
    }
    sid = twilio.ring()
    child = twilio.act(sid, "agent-answers")["sid"]
    wait_for(lambda: peer.at("/child", CallStatus="in-progress"))
    assert twilio.call(child)["playing"] == "ivr"
    wait_for(lambda: [leg["sid"] for leg in twilio.call(child)["legs"]] == [sid])
    ended = wait_for(lambda: peer.at("/ended"))[0].params
    assert (ended["DialCallStatus"], ended["DialBridged"]) == ("completed", "true")
    assert int(ended["DialCallDuration"]) >= 15


@pytest.mark.parametrize("outcome", ["queue-full", "error", "system-error"])
def test_a_caller_who_is_not_queued_is_told_why(peer: Peer, twilio: Emulator, outcome: str) -> None:
    """For one call, or by the switch for all; no queue is named then."""
    peer.documents["/voice"] = _enqueue()
    one = twilio.ring(enqueue_outcome=outcome)
    left = wait_for(lambda: peer.at("/left", CallSid=one))[0].params
    assert (left["QueueResult"], "QueueSid" in left, "QueueTime" in left) == (outcome, False, False)
    twilio.post("switches", {"enqueue-outcome": outcome})
    other = twilio.ring()
    assert wait_for(lambda: peer.at("/left", CallSid=other))[0].params["QueueResult"] == outcome


def test_a_queue_takes_as_many_as_it_says(peer: Peer, twilio: Emulator) -> None:
    """The second caller finds a queue of one full."""
    peer.documents["/voice"] = _enqueue('maxQueueSize="1"')
    first = twilio.ring()
    wait_for(lambda: twilio.call(first)["queued"])
    second = twilio.ring()
    assert wait_for(lambda: peer.at("/left"))[0].params["CallSid"] == second


def test_a_caller_may_leave_the_queue_by_itself(peer: Peer, twilio: Emulator) -> None:
    """QueueResult is leave, with the queue and the time waited."""
    peer.documents["/voice"] = _enqueue()
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["queued"])
    twilio.act(sid, "leaves-queue")
    left = wait_for(lambda: peer.at("/left"))[0].params
    assert left["QueueResult"] == "leave"
    assert left["QueueSid"].startswith("QU")


def test_a_task_that_is_no_object_is_an_error(peer: Peer, twilio: Emulator) -> None:
    """The text of `<Task>` must be a JSON object."""
    peer.documents["/voice"] = (
        '<Response><Enqueue workflowSid="WW1" action="/left"><Task>[1]</Task></Enqueue></Response>'
    )
    twilio.ring()
    assert wait_for(lambda: peer.at("/left"))[0].params["QueueResult"] == "error"


def test_a_device_dials_a_customer_whose_child_leg_carries_both_voices(peer: Peer, twilio: Emulator) -> None:
    """The webhook says client; the child's callbacks keep the query; the child is the customer's leg."""
    peer.documents["/voice"] = _dial(peer, who="+15555550123", dial=_SHOWN)
    device = twilio.ring(**{"from": "client:agent-amy", "to": "+15555550123", "number": NUMBER})
    asked = wait_for(lambda: peer.at("/voice"))[0].params
    assert (asked["From"], asked["To"], asked["Direction"]) == ("client:agent-amy", "+15555550123", "inbound")
    customer = twilio.act(device, "agent-answers")["sid"]
    answered = wait_for(lambda: peer.at("/child", CallStatus="in-progress"))[0]
    assert answered.query == "device=x"
    assert (answered.params["CallSid"], answered.params["ParentCallSid"]) == (customer, device)
    assert (answered.params["From"], answered.params["Direction"]) == (NUMBER, "outbound-dial")
    assert (twilio.call(device)["role"], twilio.call(customer)["role"]) == ("agent", "customer")


@pytest.mark.parametrize(("value", "is_left"), [("disconnect", False), ("keep", True)])
def test_a_device_that_hangs_up_leaves_the_customer_by_switch(
    peer: Peer, twilio: Emulator, value: str, *, is_left: bool
) -> None:
    """The vendor ends the child with its parent; the switch lets an answered one live on."""
    twilio.post("switches", {"child-on-parent-hangup": value})
    peer.documents["/voice"] = _dial(peer, who="+15555550123", dial=_SHOWN)
    device = twilio.ring(**{"from": "sip:agent-amy@desk.example"})
    customer = twilio.act(device, "agent-answers")["sid"]
    wait_for(lambda: twilio.call(customer)["legs"])
    twilio.act(device, "hangup")
    wait_for(lambda: twilio.is_over(device))
    assert twilio.is_over(customer) is not is_left


def test_a_ringing_customer_never_outlives_the_device(peer: Peer, twilio: Emulator) -> None:
    """Only an answered child can be left behind."""
    twilio.post("switches", {"child-on-parent-hangup": "keep"})
    peer.documents["/voice"] = _dial(peer, who="+15555550123", dial=_SHOWN)
    device = twilio.ring(**{"from": "client:agent-amy"})
    wait_for(lambda: peer.at("/child", CallStatus="ringing"))
    twilio.act(device, "hangup")
    wait_for(lambda: peer.at("/child", CallStatus="canceled"))


def test_a_redirected_device_may_leave_its_customer(peer: Peer, twilio: Emulator) -> None:
    """With the switch at keep the customer outlives the redirect, and then the device's end."""
    twilio.post("switches", {"child-on-parent-redirect": "keep"})
    peer.documents |= {
        "/voice": _dial(peer, who="+15555550123", dial=_SHOWN),
        "/next": "<Response><Pause length='60'/></Response>",
    }
    device = twilio.ring(**{"from": "client:agent-amy"})
    customer = twilio.act(device, "agent-answers")["sid"]
    wait_for(lambda: twilio.call(customer)["legs"])
    twilio.client.calls(device).update(url=f"{peer.url}/next")
    wait_for(lambda: peer.at("/next"))
    twilio.act(device, "hangup")
    wait_for(lambda: twilio.is_over(device))
    assert twilio.call(customer)["status"] == "in-progress"


def test_a_customer_is_moved_from_the_device_to_a_conference(peer: Peer, twilio: Emulator) -> None:
    """A transfer: the customer's leg is redirected, the device's dial ends, another agent joins."""
    peer.documents["/voice"] = _dial(peer, who="+15555550123", dial=_SHOWN)
    device = twilio.ring(**{"from": "client:agent-amy"})
    customer = twilio.act(device, "agent-answers")["sid"]
    wait_for(lambda: twilio.call(customer)["legs"])
    callback = f"{peer.url}/conference"
    moved = twilio.act(customer, "customer-moves", conference="desk", status_callback=callback)
    assert moved == {"conference": "desk"}
    wait_for(lambda: twilio.is_over(device))
    twilio.act(customer, "agent-joins", label="agent-bea")
    joins = wait_for(
        lambda: (
            len(peer.at("/conference", StatusCallbackEvent="participant-join")) == 2
            and peer.at("/conference", StatusCallbackEvent="participant-join")
        )
    )
    assert {join.params["ParticipantLabel"] for join in joins} == {"customer", "agent-bea"}


def test_two_agents_who_call_each_other_are_no_customers(peer: Peer, twilio: Emulator) -> None:
    """Client to client: both ends are agents, and what they say is a consultation."""
    peer.documents["/voice"] = _dial(peer, "Client", "agent-bea")
    device = twilio.ring(**{"from": "client:agent-amy", "to": "client:agent-bea", "number": NUMBER})
    other = twilio.act(device, "agent-answers")["sid"]
    assert [twilio.call(sid)["role"] for sid in (device, other)] == ["agent", "agent"]


def test_a_call_over_sip_carries_its_headers(peer: Peer, twilio: Emulator) -> None:
    """SipDomain, SipCallId, SipHeader_*, parameters besides; a number at a trunk is a customer."""
    peer.documents["/voice"] = "<Response><Pause length='60'/></Response>"
    customer = twilio.ring(
        **{"from": "sip:+15555550101@trunk.example", "to": "sip:help@pbx.sip.example:5061;transport=tls"},
        number=NUMBER,
        sip_headers={"X-Customer": "4711"},
        params={"CustomerRef": "abc"},
    )
    asked = wait_for(lambda: peer.at("/voice", CallSid=customer))[0].params
    assert (asked["SipDomain"], asked["SipHeader_X-Customer"], asked["CustomerRef"]) == (
        "pbx.sip.example",
        "4711",
        "abc",
    )
    assert asked["SipCallId"].endswith("@trunk.example")
    assert twilio.call(customer)["role"] == "customer"
    agent = twilio.ring(**{"from": "sip:amy@desk.example"})
    assert twilio.call(agent)["role"] == "agent"
    assert twilio.call(twilio.ring(**{"from": "sip:amy@desk.example"}, role="customer"))["role"] == "customer"


@pytest.mark.parametrize(
    ("caller", "shown", "is_dialled"),
    [
        ("client:visitor", "", False),
        ("sip:amy@desk.example", "", False),
        ("client:visitor", 'callerId="client:visitor"', False),
        ("client:visitor", 'callerId="+15555550177"', False),
        ("client:visitor", _SHOWN, True),
        ("+15555550101", "", True),
        ("+15555550101", 'callerId="+15555550101"', True),
        ("+15555550101", 'callerId="+15555550177"', False),
        ("anonymous", "", True),
    ],
)
def test_a_number_is_not_dialled_without_a_caller_id_of_the_account(
    peer: Peer, twilio: Emulator, caller: str, shown: str, *, is_dialled: bool
) -> None:
    """13214, and the dial has failed; a device is rung all the same, whoever calls."""
    peer.documents["/voice"] = _dial(peer, who="+15555550123", dial=shown)
    sid = twilio.ring(**{"from": caller})
    if is_dialled:
        wait_for(lambda: peer.at("/child", CallStatus="ringing"))
    else:
        ended = wait_for(lambda: peer.at("/ended"))[0].params
        assert (ended["DialCallStatus"], "DialCallSid" in ended) == ("failed", False)
    assert (13214 in [alert["code"] for alert in twilio.get("alerts")]) is not is_dialled
    peer.documents["/voice"] = _dial(peer, "Client", "agent-amy")
    twilio.act(sid, "hangup") if is_dialled else wait_for(lambda: twilio.is_over(sid))
    twilio.ring(**{"from": caller})
    wait_for(lambda: peer.at("/child", CallStatus="ringing", To="client:agent-amy"))
