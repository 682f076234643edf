"""Our Twilio client, documents and signature check against the emulator: a call, a room, streams that flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestrator.asapp.client import FetchedUrl
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.call import Call, MediaStream, StreamState
from orchestrator.core.profile import Profile
from orchestrator.twilio import twiml, wire
from orchestrator.twilio.client import CallsInProgress, TwilioClient
from orchestrator.twilio.signature import SignatureCheck
from tests.contract.twilio_peer import CALLER, NUMBER, SID, TOKEN, wait_for
from tests.contract.vendors import Vendors, running

NOBODY = "CA" + "9" * 32
QUIET = "<Response><Pause length='3000'/></Response>"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    with running(tmp_path_factory.mktemp("vendors")) as vendors:
        yield vendors


@pytest.fixture
def vendors(both: Vendors) -> Vendors:
    both.reset()
    return both


def create(vendors: Vendors, sid: str, name: str = "asapp-1", timeout_ms: int = 3000) -> Outcome:
    url = vendors.asapp.stream_url(requested_at_ms=1)
    assert isinstance(url, FetchedUrl)
    callback = vendors.callbacks.stream_status(sid)
    return vendors.twilio.create_stream(sid, name=name, url=url.url, status_callback=callback, timeout_ms=timeout_ms)


@pytest.mark.parametrize("status", ["200", "201"])
@pytest.mark.parametrize("by", ["name", "sid"])
def test_create_and_stop(vendors: Vendors, status: str, by: str) -> None:
    """A stream of ours flows to ASAPP until it is stopped, by name or by SID."""
    vendors.control("twilio", "switches", {"stream-create-status": status})
    sid = vendors.ring(QUIET)
    created = create(vendors, sid)
    assert created.verdict is Verdict.DONE
    assert created.sid is not None
    (stream,) = wait_for(lambda: vendors.streams(sid))
    assert (stream["name"], stream["sid"]) == ("asapp-1", created.sid)
    assert vendors.twilio.stop_stream(sid, "asapp-1" if by == "name" else created.sid).verdict is Verdict.DONE
    wait_for(lambda: not vendors.streams(sid))


@pytest.mark.parametrize(
    ("answer", "verdict"), [("404", Verdict.NOT_FOUND), ("200", Verdict.DONE), ("21220", Verdict.NOT_IN_PROGRESS)]
)
@pytest.mark.parametrize("not_in_progress", ["400", "404"])
def test_stopping_what_does_not_run(vendors: Vendors, answer: str, verdict: Verdict, not_in_progress: str) -> None:
    """A stopped stream and an ended call answer in one of three ways, each of which means that it does not run."""
    switches = {"stop-stopped-stream": answer, "stop-on-ended-call": answer}
    vendors.control("twilio", "switches", switches | {"not-in-progress-status": not_in_progress})
    sid = vendors.ring(QUIET)
    create(vendors, sid)
    assert vendors.twilio.stop_stream(sid, "asapp-1").verdict is Verdict.DONE
    wait_for(lambda: not vendors.streams(sid))
    assert vendors.twilio.stop_stream(sid, "asapp-1").verdict is verdict
    vendors.control("twilio", f"calls/{sid}/hangup")
    wait_for(lambda: vendors.leg(sid)["status"] == "completed")
    assert vendors.twilio.stop_stream(sid, "asapp-1").verdict is verdict
    assert create(vendors, sid, "asapp-2").verdict is Verdict.NOT_IN_PROGRESS


def test_calls_that_twilio_does_not_know(vendors: Vendors) -> None:
    """Twilio's own 20404 is told as such."""
    assert create(vendors, NOBODY).verdict is Verdict.NOT_FOUND
    assert vendors.twilio.stop_stream(NOBODY, "asapp-1").verdict is Verdict.NOT_FOUND
    assert vendors.twilio.redirect_call(NOBODY, QUIET).verdict is Verdict.NOT_FOUND
    assert vendors.twilio.complete_conference("CF" + "9" * 32).verdict is Verdict.NOT_FOUND
    read = vendors.twilio.read_call(NOBODY, at=1)
    assert isinstance(read, e.CallRead)
    assert read.status == "missing"


def test_wrong_credentials(vendors: Vendors) -> None:
    """Refused for now, of the family that a new key cures."""
    stranger = TwilioClient(vendors.http, vendors.urls["twilio"], SID, lambda: (SID, "fake-other"))
    for got in (stranger.stop_stream(NOBODY, "asapp-1"), stranger.read_call(NOBODY, at=1)):
        assert isinstance(got, Outcome)
        assert (got.verdict, got.family) == (Verdict.REFUSED_FOR_NOW, "auth")


@pytest.mark.parametrize(
    ("rule", "verdict", "family"),
    [
        ({"status": 429, "code": 20429}, Verdict.REFUSED_FOR_NOW, "429"),
        ({"status": 503, "code": 20503}, Verdict.FAILED, "5xx"),
        ({"status": 502, "body": "<html>", "content_type": "text/html"}, Verdict.FAILED, "5xx"),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, Verdict.FAILED, "5xx"),
        ({"hang": True}, Verdict.UNKNOWN, "5xx"),
        ({"drop_after": True}, Verdict.UNKNOWN, "5xx"),
    ],
    ids=str,
)
def test_faults(vendors: Vendors, rule: dict[str, Any], verdict: Verdict, family: str) -> None:
    """Each way in which a create fails has its outcome; one whose answer was lost lives, and stops by its name."""
    sid = vendors.ring(QUIET)
    vendors.control("twilio", "faults", [{"operation": "stream-create", "times": 1, **rule}])
    got = create(vendors, sid, timeout_ms=500)
    assert (got.verdict, got.family) == (verdict, family)
    if "drop_after" in rule:
        wait_for(lambda: vendors.streams(sid))
        assert vendors.twilio.stop_stream(sid, "asapp-1").verdict is Verdict.DONE
    assert [stream["name"] for stream in vendors.streams(sid)] == []


def our_call(sid: str, **profile: Any) -> Call:
    stream = MediaStream(name="asapp-1", generation=1, state=StreamState.REQUESTED, origin="twiml")
    settings = Profile(**({"route": "conference"} | profile))
    return Call(call_sid=sid, profile=settings, created_at=1, streams=(stream,))


def answered(vendors: Vendors, **profile: Any) -> str:
    """A call that met our own document; its SID is only known once it rings, so a redirect brings it."""
    sid = vendors.ring(QUIET)
    url = vendors.asapp.stream_url(requested_at_ms=1)
    assert isinstance(url, FetchedUrl)
    document = twiml.answer(our_call(sid, **profile), stream_url=url.url, urls=vendors.callbacks)
    assert vendors.twilio.redirect_call(sid, document).verdict is Verdict.DONE
    wait_for(lambda: vendors.streams(sid))
    return sid


def events(vendors: Vendors, path: str, parse: Any) -> list[Any]:
    found = [parse(received.params, 1) for received in vendors.peer.at(f"/twilio/{path}")]
    return [incoming.event for incoming in found if incoming is not None]


def test_our_document_runs(vendors: Vendors) -> None:
    """The stream starts, the customer waits in the call's own room, an agent joins, holds, leaves; all is reported."""
    sid = answered(vendors)
    started = wait_for(lambda: events(vendors, "stream-status", wire.stream_event))[0]
    assert (type(started), started.name) == (e.StreamStarted, "asapp-1")
    room = wait_for(lambda: vendors.leg(sid)["conference"])
    assert room["name"] == sid
    assert [participant["label"] for participant in room["participants"]] == ["customer"]
    for action in ("agent-joins", "hold", "unhold", "agent-leaves"):
        vendors.control("twilio", f"calls/{sid}/{action}", {})
    wanted = {e.ParticipantJoined, e.ParticipantHeld, e.ParticipantUnheld, e.ParticipantLeft}
    wait_for(lambda: wanted <= {type(each) for each in events(vendors, "conference-status", wire.conference_event)})
    held = [x for x in events(vendors, "conference-status", wire.conference_event) if type(x) is e.ParticipantHeld]
    assert (held[0].leg, held[0].is_held, held[0].label) == (sid, True, "customer")
    assert all(request.query == f"call={sid}" for request in vendors.peer.at("/twilio/conference-status"))


def test_what_twilio_signs_is_valid(vendors: Vendors) -> None:
    """Every callback verifies with the token against the public base, and with no other token or base."""
    sid = answered(vendors)
    wait_for(lambda: vendors.peer.at("/twilio/stream-status") and vendors.peer.at("/twilio/conference-status"))
    good = SignatureCheck(vendors.peer.url, lambda: [TOKEN])
    for request in list(vendors.peer.requests):
        target = request.path + (f"?{request.query}" if request.query else "")
        signature = request.headers["X-Twilio-Signature"]
        assert good.is_valid(target, request.params.items(), signature)
        assert not SignatureCheck(vendors.peer.url, lambda: ["other"]).is_valid(
            target, request.params.items(), signature
        )
        assert not SignatureCheck("https://other.example", lambda: [TOKEN]).is_valid(
            target, request.params.items(), signature
        )
        assert not good.is_valid(target + "&x=1", request.params.items(), signature)
    assert urlsplit(vendors.callbacks.stream_status(sid)).fragment


def test_reading_a_room_and_ending_it(vendors: Vendors) -> None:
    """Who is in the room, who is held; then it is completed, and empty."""
    sid = answered(vendors)
    room = wait_for(lambda: vendors.leg(sid)["conference"])["sid"]
    vendors.control("twilio", f"calls/{sid}/agent-joins", {"identity": "amy"})
    vendors.control("twilio", f"calls/{sid}/hold", {})

    def read() -> e.ParticipantsRead:
        got = vendors.twilio.read_participants(room, at=1)
        assert isinstance(got, e.ParticipantsRead)
        return got

    wait_for(lambda: any(each.is_held for each in read().participants))
    found = {each.label == "customer": each for each in read().participants}
    assert (found[True].leg, found[True].is_held, found[False].is_held) == (sid, True, False)
    agent = vendors.twilio.read_leg(found[False].leg, call_sid=sid, at=1)
    assert isinstance(agent, e.LegRead)
    assert agent.identity is not None
    assert agent.identity.startswith("client:")
    assert vendors.twilio.complete_conference(room).verdict is Verdict.DONE
    wait_for(lambda: read().participants == ())


def test_reading_calls(vendors: Vendors) -> None:
    """In progress with its numbers, listed as such, ended with a reason."""
    sid = vendors.ring(QUIET)
    read = vendors.twilio.read_call(sid, at=1)
    assert isinstance(read, e.CallRead)
    assert (read.status, read.customer_number, read.called_number) == ("in-progress", CALLER, NUMBER)
    listed = vendors.twilio.list_calls_in_progress()
    assert isinstance(listed, CallsInProgress)
    assert [(leg.sid, leg.parent, leg.direction) for leg in listed.legs] == [(sid, None, "inbound")]
    vendors.control("twilio", f"calls/{sid}/hangup")
    wait_for(lambda: vendors.leg(sid)["status"] == "completed")
    read = vendors.twilio.read_call(sid, at=1)
    assert isinstance(read, e.CallRead)
    assert (read.status, read.reason) == ("ended", "completed")


@pytest.mark.parametrize("survival", ["survive", "end"])
def test_survey_redirect(vendors: Vendors, survival: str) -> None:
    """The document that goes to the survey stops the streams, also those that are gone already."""
    vendors.control("twilio", "switches", {"streams-on-redirect": survival})
    vendors.peer.documents["/survey"] = QUIET
    sid = answered(vendors)
    document = twiml.survey_redirect(["asapp-1", "asapp-2"], f"{vendors.peer.url}/survey")
    assert vendors.twilio.redirect_call(sid, document).verdict is Verdict.DONE
    wait_for(lambda: vendors.peer.at("/survey"))
    wait_for(lambda: not vendors.streams(sid))
    assert vendors.leg(sid)["status"] == "in-progress"


@pytest.mark.parametrize(("how", "outcome"), [("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")])
def test_a_dial_that_finds_no_agent(vendors: Vendors, how: str, outcome: str) -> None:
    """Twilio asks what follows; our answer is spoken."""
    vendors.control("twilio", "switches", {"dial-answer": how})
    vendors.peer.documents["/twilio/dial-ended"] = twiml.apology()
    answered(vendors, route="dial:client:amy")
    asked = wait_for(lambda: vendors.peer.at("/twilio/dial-ended"))[0]
    assert wire.dial_ended(asked.params).outcome == outcome


def test_a_dialled_agent_reports_under_the_call(vendors: Vendors) -> None:
    """The child leg's answer arrives with `?call=` and the device's name."""
    vendors.control("twilio", "switches", {"dial-answer": "auto"})
    sid = answered(vendors, route="dial:client:amy")
    received = wait_for(lambda: vendors.peer.at("/twilio/call-status", CallStatus="in-progress"))[0]
    assert received.query == f"call={sid}"
    incoming = wire.call_status_event(received.params, 1, is_dialled=True)
    assert incoming is not None
    assert incoming.parent == sid
    assert isinstance(incoming.event, e.LegAnswered)
    assert incoming.event.identity == "client:amy"
