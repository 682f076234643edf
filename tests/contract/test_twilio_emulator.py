"""The Twilio emulator as a process, against a web service and a WebSocket server that the tests play."""

import base64

import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from orchestrator.emulators.audio import Heard, recognise
from tests.contract.twilio_peer import (
    CALLER,
    NUMBER,
    TOKEN,
    Emulator,
    Peer,
    Received,
    Socket,
    conference,
    document,
    wait_for,
)


def _is_signed(peer: Peer, request: Received) -> bool:
    signature = request.headers["X-Twilio-Signature"]
    query = f"?{request.query}" if request.query else ""
    url = f"{peer.url}{request.path}{query}"
    return bool(RequestValidator(TOKEN).validate(url, request.params, signature))


def _heard(socket: Socket, track: str) -> list[Heard]:
    frames = [m["media"]["payload"] for m in socket.of("media") if m["media"]["track"] == track]
    heard = [recognise(base64.b64decode(frame)) for frame in frames]
    assert None not in heard
    return [item for item in heard if item is not None]


def _kinds(socket: Socket, track: str) -> set[str]:
    return {heard.kind.value for heard in _heard(socket, track)}


def _talk(peer: Peer, twilio: Emulator, dial: str | None = None) -> tuple[str, Socket]:
    """Bring a call into a conference with a live stream."""
    peer.documents["/voice"] = document(peer, dial or conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice", status_callback=f"{peer.url}/status")
    sid = twilio.ring()
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-started"))
    return sid, peer.sockets[-1]


def test_a_call_streams_its_audio_from_the_first_document_to_the_hang_up(peer: Peer, twilio: Emulator) -> None:
    """Voice webhook, Start Stream, conference, conversation, hang-up: every request signed and in form."""
    sid, socket = _talk(peer, twilio)
    wait_for(lambda: "queue-music" in _kinds(socket, "outbound"))
    agent = twilio.act(sid, "agent-joins", label="agent-amy")["sid"]
    wait_for(lambda: "agent-speech" in _kinds(socket, "outbound") and "customer-speech" in _kinds(socket, "inbound"))
    twilio.act(sid, "hangup")
    wait_for(lambda: peer.at("/status") and peer.at("/stream", StreamEvent="stream-stopped") and socket.is_closed)
    voice = peer.at("/voice")[0]
    assert voice.params["CallSid"] == sid
    assert (voice.params["From"], voice.params["To"]) == (CALLER, NUMBER)
    assert (voice.params["CallStatus"], voice.params["Direction"]) == ("ringing", "inbound")
    assert peer.at("/status")[0].params["CallStatus"] == "completed"
    assert all(_is_signed(peer, request) for request in peer.requests)
    assert [r.params["StatusCallbackEvent"] for r in sorted(peer.at("/conference"), key=_sequence)] == [
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    assert socket.messages[0] == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert socket.messages[1]["start"]["tracks"] == ["inbound", "outbound"]
    assert socket.messages[1]["start"]["callSid"] == sid
    assert socket.messages[-1]["event"] == "stop"
    assert socket.query == ""
    assert "queue-music" in _kinds(socket, "outbound")
    wait_for(lambda: twilio.is_over(agent))


def _sequence(request: Received) -> int:
    return int(request.params["SequenceNumber"])


def test_frames_of_both_tracks_are_numbered_and_none_is_left_out(peer: Peer, twilio: Emulator) -> None:
    """Sequence numbers, chunks and timestamps go on without a gap."""
    _, socket = _talk(peer, twilio)
    wait_for(lambda: len(socket.of("media")) > 100)
    media = socket.of("media")[:100]
    assert [int(m["sequenceNumber"]) for m in media] == list(range(2, 102))
    assert [int(m["media"]["timestamp"]) for m in media[::2]] == [20 * n for n in range(1, 51)]
    assert [m["media"]["track"] for m in media] == ["inbound", "outbound"] * 50
    assert len(base64.b64decode(media[0]["media"]["payload"])) == 160


def test_a_held_customer_hears_music_and_is_heard_as_held(peer: Peer, twilio: Emulator) -> None:
    """Hold takes the customer out of the mix both ways; the stream goes on with both."""
    sid, socket = _talk(peer, twilio)
    twilio.act(sid, "agent-joins", label="agent-amy")
    twilio.act(sid, "agent-joins", label="agent-bea")
    wait_for(lambda: "agent-speech" in _kinds(socket, "outbound"))
    room = twilio.client.conferences.list(friendly_name="room", status="in-progress")[0]
    assert room.sid is not None
    twilio.client.conferences(room.sid).participants("customer").update(hold=True)
    before = len(socket.messages)
    wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-hold", CallSid=sid))
    wait_for(lambda: len(socket.messages) > before + 1500)
    held = Socket("", "", {}, socket.messages[before + 20 :])
    assert _kinds(held, "outbound") == {"hold-music"}
    assert "held-customer" in _kinds(held, "inbound")
    assert "customer-speech" not in _kinds(held, "inbound")
    held_now = twilio.client.conferences(room.sid).participants.list(hold=True)
    assert [participant.call_sid for participant in held_now] == [sid]
    twilio.act(sid, "unhold")
    wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-unhold", CallSid=sid))


def test_streams_are_created_and_stopped_by_rest(peer: Peer, twilio: Emulator) -> None:
    """Create with custom parameters, stop by name; a name in use, an ended call and unknowns are refused."""
    sid, _ = _talk(peer, twilio)
    streams = twilio.client.calls(sid).streams
    made = streams.create(
        url=f"{peer.wss_url}/media/token-2",
        name="asapp-2",
        track="both_tracks",
        status_callback=f"{peer.url}/stream",
        parameter1_name="k",
        parameter1_value="v",
    )
    assert made.status == "in-progress"
    assert made.sid is not None
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-started", StreamName="asapp-2"))
    wait_for(lambda: peer.sockets[-1].of("start"))
    assert peer.sockets[-1].of("start")[0]["start"]["customParameters"] == {"k": "v"}
    for name in ("asapp-2", "asapp-3"):
        with pytest.raises(TwilioRestException) as refused:
            streams.create(url=f"{peer.wss_url}/media/x", name=name, track="both_tracks")
        assert refused.value.status == 400
    assert twilio.client.calls(sid).streams("asapp-2").update(status="stopped").status == "stopped"
    wait_for(lambda: peer.at("/stream", StreamEvent="stream-stopped", StreamSid=made.sid))
    with pytest.raises(TwilioRestException) as unknown:
        streams(made.sid).update(status="stopped")
    assert (unknown.value.status, unknown.value.code) == (404, 20404)
    twilio.act(sid, "hangup")
    with pytest.raises(TwilioRestException) as ended:
        streams.create(url=f"{peer.wss_url}/media/x", name="late")
    assert (ended.value.status, ended.value.code) == (400, 21220)


@pytest.mark.parametrize(
    ("mode", "events"),
    [
        ("error-then-stopped", {"stream-started", "stream-error", "stream-stopped"}),
        ("stopped-only", {"stream-started", "stream-stopped"}),
        ("error-only", {"stream-started", "stream-error"}),
        ("silent", {"stream-started"}),
    ],
)
def test_a_broken_stream_leaves_the_call_alone(peer: Peer, twilio: Emulator, mode: str, events: set[str]) -> None:
    """The socket closes, the callbacks that follow are those of the mode, the call goes on."""
    sid, socket = _talk(peer, twilio)
    twilio.act(sid, "break-stream", mode=mode)
    wait_for(lambda: socket.is_closed)
    wait_for(lambda: {request.params["StreamEvent"] for request in peer.at("/stream")} == events)
    assert twilio.call(sid)["status"] == "in-progress"
    assert not socket.of("stop")


def test_a_socket_closed_by_the_server_is_an_error_of_the_stream(peer: Peer, twilio: Emulator) -> None:
    """The server's close is 31921."""
    sid, socket = _talk(peer, twilio)
    socket.close()
    error = wait_for(lambda: peer.at("/stream", StreamEvent="stream-error"))[0]
    assert "31921" in error.params["StreamError"]
    assert twilio.call(sid)["status"] == "in-progress"


def test_a_refused_upgrade_is_an_error_of_the_stream(peer: Peer, twilio: Emulator) -> None:
    """An upgrade answered with 403 is 31920."""
    peer.refuse_sockets_with = 403
    peer.documents["/voice"] = document(peer, conference(peer))
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    error = wait_for(lambda: peer.at("/stream", StreamEvent="stream-error"))[0]
    assert "31920" in error.params["StreamError"]
    assert twilio.call(sid)["status"] == "in-progress"


@pytest.mark.parametrize(
    ("url", "switch"),
    [("ws://127.0.0.1:9/media/x", "strip"), ("https://127.0.0.1:9/x", "strip"), ("WSS/media/x?token=1", "refuse")],
)
def test_a_url_that_is_no_stream_url_is_31922(peer: Peer, twilio: Emulator, url: str, switch: str) -> None:
    """Another scheme, or a query string where that is refused, is an error of the stream and not of the call."""
    twilio.post("switches", {"stream-url-query": switch})
    sid = _parked(peer, twilio)
    dialed = url.replace("WSS", peer.wss_url)
    made = twilio.client.calls(sid).streams.create(url=dialed, status_callback=f"{peer.url}/stream")
    error = wait_for(lambda: peer.at("/stream", StreamEvent="stream-error", StreamSid=made.sid))[0]
    assert "31922" in error.params["StreamError"]
    assert not peer.sockets
    assert twilio.call(sid)["status"] == "in-progress"


def test_a_wrong_track_is_accepted_and_never_heard_of_again(peer: Peer, twilio: Emulator) -> None:
    """REST says 200; the account's alerts show 31941 and there is no callback."""
    sid = _parked(peer, twilio)
    made = twilio.client.calls(sid).streams.create(
        url=f"{peer.wss_url}/media/x", track="sideways", status_callback=f"{peer.url}/stream"
    )
    assert made.sid is not None
    wait_for(lambda: 31941 in [alert["code"] for alert in twilio.get("alerts")])
    assert not peer.at("/stream")


def _parked(peer: Peer, twilio: Emulator) -> str:
    """Bring a call into progress that has no stream."""
    peer.documents["/voice"] = "<Response><Pause length='600'/></Response>"
    twilio.number(voice_url=f"{peer.url}/voice")
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["status"] == "in-progress")
    return sid


def test_a_coach_is_a_participant_that_the_callback_marks(peer: Peer, twilio: Emulator) -> None:
    """Coaching is true in the coach's join, and the coach coaches the agent."""
    sid, _ = _talk(peer, twilio)
    agent = twilio.act(sid, "agent-joins", label="agent-amy")["sid"]
    coach = twilio.act(sid, "coach-joins", label="coach-dana")["sid"]
    joined = wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-join", CallSid=coach))[0]
    assert (joined.params["Coaching"], joined.params["ParticipantLabel"]) == ("true", "coach-dana")
    room = twilio.client.conferences.list(friendly_name="room")[0].sid
    assert twilio.client.conferences(room).participants("coach-dana").fetch().call_sid_to_coach == agent
