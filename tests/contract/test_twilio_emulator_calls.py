"""The Twilio emulator: documents that fail, deliveries that are repeated or spoilt, dialing, redirecting."""

import pytest
import requests
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]

from tests.contract.twilio_peer import (
    NUMBER,
    SID,
    TOKEN,
    Emulator,
    Peer,
    conference,
    document,
    wait_for,
)


def _say(verbs: str) -> str:
    return f"<Response>{verbs}</Response>"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (500, "11200"),
        (404, "11200"),
        ("<Response><Sing/></Response>", "12100"),
        ({"not": "TwiML"}, "12300"),
        (204, "12100"),
    ],
)
def test_a_document_that_fails_is_fetched_from_the_fallback_url(
    peer: Peer, twilio: Emulator, answer: str | int | dict[str, str], code: str
) -> None:
    """The fallback is told what failed and where; the caller hears its document."""
    peer.documents |= {"/voice": answer, "/fallback": _say("<Pause length='60'/>")}
    twilio.number(voice_url=f"{peer.url}/voice", voice_fallback_url=f"{peer.url}/fallback")
    sid = twilio.ring()
    fallback = wait_for(lambda: peer.at("/fallback"))[0]
    assert (fallback.params["ErrorCode"], fallback.params["ErrorUrl"]) == (code, f"{peer.url}/voice")
    assert wait_for(lambda: twilio.call(sid)["status"] == "in-progress")
    assert [alert["code"] for alert in twilio.get("alerts")] == [int(code)]


def test_without_a_fallback_a_failed_document_drops_the_caller(peer: Peer, twilio: Emulator) -> None:
    """The call fails, and says why."""
    peer.documents["/voice"] = 500
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    wait_for(lambda: twilio.is_over(sid))
    assert (twilio.call(sid)["status"], twilio.call(sid)["ended_by"]) == ("failed", "application-error")


def test_a_delivery_is_repeated_as_its_url_says(peer: Peer, twilio: Emulator) -> None:
    """Three attempts, one idempotency token, no fragment on the wire; a plain URL is not repeated."""
    peer.documents["/voice"] = [503, 503, _say("<Pause length='60'/>")]
    twilio.number(voice_url=f"{peer.url}/voice#rc=3&rp=5xx,ct,rt", status_callback=f"{peer.url}/status")
    peer.documents["/status"] = 503
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["status"] == "in-progress")
    tokens = {request.headers["I-Twilio-Idempotency-Token"] for request in peer.at("/voice")}
    assert (len(peer.at("/voice")), len(tokens)) == (3, 1)
    twilio.act(sid, "hangup")
    wait_for(lambda: twilio.get("deliveries?kind=call-status"))
    assert [d["status"] for d in twilio.get("deliveries?kind=call-status")] == [503]


def test_callbacks_are_doubled_dropped_and_overtaken_by_rule(peer: Peer, twilio: Emulator) -> None:
    """Scripted faults act on single kinds of webhooks."""
    peer.documents["/voice"] = document(peer, conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice", status_callback=f"{peer.url}/status")
    rules = [
        {"operation": "stream-status", "match": {"StreamEvent": "stream-started"}, "duplicate": 2},
        {"operation": "conference-status", "match": {"StatusCallbackEvent": "participant-hold"}, "reorder": True},
        {"operation": "call-status", "drop": True},
    ]
    assert twilio.post("faults", rules).status_code == 201
    sid = twilio.ring()
    wait_for(lambda: len(peer.at("/stream", StreamEvent="stream-started")) == 3)
    twilio.act(sid, "hold")
    twilio.act(sid, "unhold")
    wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-hold"))
    assert [r.params["StatusCallbackEvent"] for r in peer.at("/conference")][-2:] == [
        "participant-unhold",
        "participant-hold",
    ]
    twilio.act(sid, "hangup")
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-stopped"))
    wait_for(lambda: twilio.get("deliveries?kind=call-status&failure=dropped"))
    assert not peer.at("/status")


def test_a_rule_for_what_is_no_operation_is_refused(twilio: Emulator) -> None:
    """A misspelt operation is an error that lists those that there are; nothing is set."""
    answer = twilio.post("faults", [{"operation": "call-status"}, {"operation": "calls-status"}])
    assert answer.status_code == 400
    assert "'calls-status'" in answer.text
    assert "call-status, call-update, calls-read" in answer.text
    assert twilio.get("faults") == []


_PROGRESS = 'statusCallbackEvent="initiated ringing answered completed"'


_SHOWN = f'callerId="{NUMBER}"'


def _dial(peer: Peer, noun: str = "Number", who: str = "+15555550102", more: str = "") -> str:
    target = f'<{noun} statusCallback="{peer.url}/child" {_PROGRESS}>{who}</{noun}>'
    return _say(f'<Dial action="/ended" timeout="5" {more}>{target}</Dial>')


def test_a_dialed_agent_answers_talks_and_hangs_up(peer: Peer, twilio: Emulator) -> None:
    """The child's callbacks in order of their numbers, then the action URL with the outcome."""
    peer.documents |= {"/voice": _dial(peer), "/ended": _say("<Hangup/>")}
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    child = twilio.act(sid, "agent-answers")["sid"]
    wait_for(lambda: twilio.call(sid)["legs"] and twilio.call(sid)["legs"][0]["status"] == "in-progress")
    assert [c.sid for c in twilio.client.calls.list(parent_call_sid=sid)] == [child]
    twilio.act(sid, "agent-leaves")
    ended = wait_for(lambda: peer.at("/ended"))[0].params
    assert (ended["DialCallStatus"], ended["DialCallSid"], ended["DialBridged"]) == ("completed", child, "true")
    wait_for(lambda: len(peer.at("/child")) == 4)
    told = sorted(peer.at("/child"), key=lambda request: int(request.params["SequenceNumber"]))
    assert [r.params["CallStatus"] for r in told] == ["initiated", "ringing", "in-progress", "completed"]
    assert {r.params["ParentCallSid"] for r in told} == {sid}


def test_a_dial_that_nobody_takes_ends_with_its_reason(peer: Peer, twilio: Emulator) -> None:
    """Busy when declined, no-answer at the time limit."""
    peer.documents |= {"/voice": _dial(peer, "Client", "agent-amy"), "/ended": _say("<Hangup/>")}
    twilio.number(voice_url=f"{peer.url}/voice")
    declined, ignored = twilio.ring(), twilio.ring()
    twilio.act(declined, "agent-declines", status="busy")
    outcome = wait_for(lambda: peer.at("/ended", CallSid=declined))[0].params["DialCallStatus"]
    assert outcome == "busy"
    outcome = wait_for(lambda: peer.at("/ended", CallSid=ignored))[0].params["DialCallStatus"]
    assert outcome == "no-answer"


def test_an_agents_device_calls_a_customer(peer: Peer, twilio: Emulator) -> None:
    """The device is the parent, the customer its child; the customer's words are on the child's inbound track."""
    peer.documents["/voice"] = _dial(peer, more=_SHOWN)
    twilio.number(voice_url=f"{peer.url}/voice")
    device = twilio.ring(**{"from": "client:agent-amy"})
    customer = twilio.act(device, "agent-answers")["sid"]
    assert twilio.call(customer)["role"] == "customer"
    assert peer.at("/voice")[0].params["From"] == "client:agent-amy"
    twilio.client.calls(customer).streams.create(url=f"{peer.wss_url}/media/x", track="both_tracks")
    wait_for(lambda: peer.sockets and peer.sockets[0].of("media"))
    twilio.act(device, "hangup")
    wait_for(lambda: twilio.is_over(customer))


def test_a_redirect_leaves_the_conference_and_keeps_the_stream(peer: Peer, twilio: Emulator) -> None:
    """The action URL is requested and its answer ignored; participant-leave says why."""
    peer.documents |= {
        "/voice": document(peer, conference(peer, 'action="/ended"')),
        "/ended": _say("<Hangup/>"),
        "/survey": _say("<Say loop='0'>How was it?</Say>"),
    }
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-started"))
    wait_for(lambda: twilio.call(sid)["conference"])
    twilio.client.calls(sid).update(url=f"{peer.url}/survey")
    wait_for(lambda: peer.at("/ended") and twilio.call(sid)["playing"] == "survey")
    left = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-leave"))[0]
    assert left.params["ReasonParticipantLeft"] == "participant_updated_via_api"
    assert [stream["state"] for stream in twilio.call(sid)["streams"]] == ["live"]
    assert twilio.call(sid)["status"] == "in-progress"


def test_a_caller_who_hangs_up_in_the_queue_is_told_to_the_action_url(peer: Peer, twilio: Emulator) -> None:
    """QueueResult is hangup; a redirect says redirected."""
    peer.documents["/voice"] = _say('<Enqueue workflowSid="WW1" action="/left"><Task>{}</Task></Enqueue>')
    peer.documents["/next"] = _say("<Pause length='60'/>")
    twilio.number(voice_url=f"{peer.url}/voice")
    first, second = twilio.ring(), twilio.ring()
    wait_for(lambda: [call["playing"] for call in twilio.get("calls")] == ["queue-music"] * 2)
    twilio.act(first, "hangup")
    twilio.client.calls(second).update(url=f"{peer.url}/next")
    assert wait_for(lambda: peer.at("/left", CallSid=first))[0].params["QueueResult"] == "hangup"
    assert wait_for(lambda: peer.at("/left", CallSid=second))[0].params["QueueResult"] == "redirected"
    assert wait_for(lambda: peer.at("/next"))


def test_the_end_of_a_conference_sends_the_others_on(peer: Peer, twilio: Emulator) -> None:
    """Ending it by REST, kicking and a second label: reasons and refusals as documented."""
    peer.documents["/voice"] = document(peer, conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    twilio.act(sid, "agent-joins", label="agent-amy")
    room = twilio.client.conferences.list(friendly_name="room")[0]
    assert twilio.post(f"calls/{sid}/agent-joins", {"label": "agent-amy"}).status_code == 409
    assert 16025 in [alert["code"] for alert in twilio.get("alerts")]
    added = twilio.client.conferences("room").participants.create(from_=NUMBER, to="client:bea", label="agent-bea")
    twilio.act(added.call_sid, "agent-answers")
    wait_for(lambda: peer.at("/conference", ParticipantLabel="agent-bea", StatusCallbackEvent="participant-join"))
    assert twilio.client.conferences(room.sid).participants("agent-bea").delete()
    wait_for(lambda: peer.at("/conference", ParticipantLabel="agent-bea", StatusCallbackEvent="participant-leave"))
    twilio.client.conferences(room.sid).update(status="completed")
    end = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="conference-end"))[0]
    assert end.params["ReasonConferenceEnded"] == "conference-ended-via-api"
    assert twilio.client.conferences(room.sid).participants.list() == []
    wait_for(lambda: twilio.is_over(sid))


def test_a_number_is_found_and_configured(peer: Peer, twilio: Emulator) -> None:
    """The settings come back as they were given, fragment and all; a method that nobody set is POST."""
    twilio.number()
    (number,) = twilio.client.incoming_phone_numbers.list(phone_number=NUMBER)
    assert (number.voice_method, number.status_callback_method, number.voice_fallback_method) == ("POST",) * 3
    url = f"{peer.url}/voice#rc=3&rp=5xx,ct,rt"
    updated = number.update(voice_url=url, status_callback=f"{peer.url}/status")
    assert (updated.voice_url, updated.status_callback) == (url, f"{peer.url}/status")
    with pytest.raises(TwilioRestException) as refused:
        number.update(voice_url="", voice_fallback_url=f"{peer.url}/fallback")
    assert refused.value.code == 21405


def test_a_call_without_a_voice_url_fails_at_once(twilio: Emulator) -> None:
    """Nothing is requested and nothing is said."""
    twilio.number()
    assert twilio.call(twilio.ring())["status"] == "failed"


@pytest.mark.parametrize(
    ("credentials", "status"),
    [((SID, TOKEN), 200), (("SK1", "fake-secret"), 200), ((SID, "wrong"), 401), (("", ""), 401)],
)
def test_rest_asks_for_credentials(twilio: Emulator, credentials: tuple[str, str], status: int) -> None:
    """Account SID and token, or an API key; else 20003."""
    path = f"{twilio.url}/2010-04-01/Accounts/{SID}/Calls.json"
    answer = requests.get(path, auth=credentials, timeout=5)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == 20003


def test_rest_answers_are_spoilt_by_rule(peer: Peer, twilio: Emulator) -> None:
    """An error in the vendor's form, a foreign body, and work done without an answer."""
    peer.documents["/voice"] = _say("<Pause length='600'/>")
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["status"] == "in-progress")
    rules = [
        {"operation": "call-read", "status": 429, "times": 1},
        {"operation": "call-read", "status": 502, "body": "<html>", "content_type": "text/html", "times": 1},
        {"operation": "stream-create", "drop_after": True, "times": 1},
    ]
    twilio.post("faults", rules)
    for status, code in ((429, 20429), (502, 502)):
        with pytest.raises(TwilioRestException) as refused:
            twilio.client.calls(sid).fetch()
        assert (refused.value.status, refused.value.code) == (status, code)
    with pytest.raises(requests.ConnectionError):
        twilio.client.calls(sid).streams.create(url=f"{peer.wss_url}/media/x", name="asapp-1")
    wait_for(lambda: peer.sockets and peer.sockets[0].of("start"))
    assert twilio.client.calls(sid).fetch().to == NUMBER
    log = twilio.get("requests?operation=stream-create")
    assert (log[0]["form"]["Name"], log[0]["call_sid"]) == ("asapp-1", sid)


def test_a_redirected_customer_outlives_the_agents_device(peer: Peer, twilio: Emulator) -> None:
    """A child leg that got a document of its own is no longer its parent's."""
    peer.documents |= {
        "/voice": _dial(peer, more=_SHOWN),
        "/survey": _say("<Play loop='0'>music</Play>"),
        "/ended": _say(""),
    }
    twilio.number(voice_url=f"{peer.url}/voice")
    device = twilio.ring(**{"from": "client:agent-amy"})
    customer = twilio.act(device, "agent-answers")["sid"]
    wait_for(lambda: twilio.call(customer)["status"] == "in-progress")
    twilio.client.calls(customer).update(url=f"{peer.url}/survey")
    wait_for(lambda: twilio.is_over(device))
    assert twilio.call(customer)["playing"] == "survey"
    assert "DialCallDuration" not in peer.at("/ended")[0].params


def test_a_reset_ends_every_call_without_a_word(peer: Peer, twilio: Emulator) -> None:
    """No callback leaves the emulator for the calls that a reset forgets."""
    peer.documents["/voice"] = document(peer, conference(peer, 'action="/ended"'))
    twilio.number(voice_url=f"{peer.url}/voice", status_callback=f"{peer.url}/status")
    sid = twilio.ring()
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-started"))
    wait_for(lambda: twilio.call(sid)["conference"] and peer.at("/conference"))
    before = len(peer.requests)
    assert twilio.post("reset").status_code == 204
    wait_for(lambda: peer.sockets[0].is_closed)
    assert (twilio.get("calls"), twilio.get("deliveries"), len(peer.requests)) == ([], [], before)
    assert twilio.ring()


@pytest.mark.parametrize(("value", "status"), [("21220", 400), ("404", 404), ("200", 200)])
def test_stopping_a_stream_of_an_ended_call_follows_its_switch(
    peer: Peer, twilio: Emulator, value: str, status: int
) -> None:
    """The vendor's answer is not known: each is a value of the switch."""
    peer.documents["/voice"] = document(peer, conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice")
    twilio.post("switches", {"stop-on-ended-call": value, "call-reads": "late"})
    sid = twilio.ring()
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-started"))
    twilio.act(sid, "hangup")
    assert twilio.client.calls(sid).fetch().status == "in-progress"
    path = f"{twilio.url}/2010-04-01/Accounts/{SID}/Calls/{sid}/Streams/asapp-1.json"
    assert requests.post(path, data={"Status": "stopped"}, auth=(SID, TOKEN), timeout=5).status_code == status
    wait_for(lambda: twilio.client.calls(sid).fetch().status == "completed")


def test_a_stream_that_never_connects_may_be_told_to_nobody(peer: Peer, twilio: Emulator) -> None:
    """A scripted dial fails in silence, the next is refused aloud; the call goes on."""
    peer.documents["/voice"] = document(peer, conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice")
    twilio.post(
        "faults", [{"operation": "stream-dial", "drop": True, "times": 1}, {"operation": "stream-dial", "status": 503}]
    )
    sid = twilio.ring()
    wait_for(lambda: [stream["state"] for stream in twilio.call(sid)["streams"]] == ["failed"])
    assert not peer.at("/stream")
    twilio.client.calls(sid).streams.create(
        url=f"{peer.wss_url}/media/x", name="asapp-2", status_callback=f"{peer.url}/stream"
    )
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-error", StreamName="asapp-2"))
    assert not peer.sockets
    assert twilio.call(sid)["status"] == "in-progress"
