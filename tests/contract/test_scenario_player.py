"""Scenarios played against both emulators; the test plays the web service and the agent's desktop."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestrator.emulators.scenario import Played, Player, PlayError, load, shipped
from tests.contract.twilio_peer import NUMBER, Emulator, Peer, conference, running, wait_for

SPEED = 5.0
ID, SECRET = "fake-id", "fake-secret"


class Asapp:
    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"asapp-api-id": ID, "asapp-api-secret": SECRET}

    def stream_url(self) -> str:
        path = f"{self.url}/mg-autotranscribe/v1/twilio-media-stream-url"
        return str(requests.get(path, headers=self.headers, timeout=5).json()["streamingUrl"])

    def start(self, guid: str) -> requests.Response:
        body = {
            "namespace": "twilio",
            "guid": guid,
            "customerId": "customer",
            "agentId": "amy",
            "autotranscribeParams": {"language": "en-US"},
            "twilioParams": {"trackMap": {"inbound": "customer", "outbound": "agent"}},
        }
        path = f"{self.url}/mg-autotranscribe/v1/start-streaming"
        return requests.post(path, json=body, headers=self.headers, timeout=5)

    def call(self, guid: str) -> Any:
        return requests.get(f"{self.url}/_emulator/calls/{guid}", timeout=5).json()


@pytest.fixture(name="asapp")
def _asapp(tmp_path: Path) -> Iterator[Asapp]:
    command = [sys.executable, "-m", "orchestrator.emulators.asapp.main", "--api-id", ID, "--api-secret", SECRET]
    command += ["--speed", str(SPEED), "--ca-file", str(tmp_path / "asapp.pem")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own module
    try:
        assert process.stdout is not None
        yield Asapp(json.loads(process.stdout.readline())["url"])
    finally:
        process.terminate()
        process.wait(5)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(name="twilio")
def _twilio(peer: Peer, asapp: Asapp, tmp_path: Path) -> Iterator[Emulator]:
    with running(peer, "--ca-file", str(tmp_path / "asapp.pem")) as emulator:
        document = (
            f'<Response><Start><Stream name="asapp-1" url="{asapp.stream_url()}" track="both_tracks" '
            f'statusCallback="{peer.url}/stream"/></Start>{conference(peer)}</Response>'
        )
        peer.documents["/voice"] = document
        emulator.number(voice_url=f"{peer.url}/voice")
        yield emulator


def _scenario(folder: Path, *sentences: str) -> Path:
    path = folder / "story.toml"
    path.write_text(f'title = "A story"\nnumber = "{NUMBER}"\nsteps = {json.dumps(sentences)}\n')
    return path


def test_what_is_said_on_the_call_is_what_asapp_hears(
    peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path
) -> None:
    """Speech is heard while transcribing, hold music when the customer is held, queue music never."""
    calls: list[str] = []

    def start_once(call_sid: str, sentence: str) -> None:
        if sentence == "wait until heard customer-speech":
            wait_for(lambda: peer.at("/stream", StreamEvent="stream-started"))
            wait_for(lambda: asapp.start(call_sid).ok)
            calls.append(call_sid)

    player = Player(twilio.url, asapp.url, peer.url, "fake-key", SPEED, start_once, patience_s=10)
    played = player.play(
        load(
            _scenario(
                tmp_path,
                "customer calls",
                "wait 2",
                "agent amy joins",
                "wait until heard customer-speech",
                "wait until heard agent-speech",
                "customer gives card details",
                "wait until heard payment",
                "customer is held",
                "wait until heard hold-music",
                "customer hangs up",
            )
        )
    )
    assert calls == [played.call_sid]
    wait_for(lambda: not any(stream["open"] for stream in asapp.call(played.call_sid)["streams"]))
    seen = asapp.call(played.call_sid)
    assert seen["received_ms"]["queue-music"] > 0
    assert "queue-music" not in {kind for kind, ms in seen["heard_ms"].items() if ms}
    assert "unknown" not in {kind for kind, ms in seen["received_ms"].items() if ms}
    assert {item["role"] for item in seen["heard_text"] if item["kind"] == "customer-speech"} == {"customer"}
    assert {item["role"] for item in seen["heard_text"] if item["kind"] == "agent-speech"} == {"agent"}


def test_the_desktop_sends_what_the_sentence_says(peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path) -> None:
    """Reasons and agents go into their fields, with the key; toggled holds end as asked."""
    sentences = (
        "customer calls",
        "agent amy joins",
        "desktop sends pause payment",
        "desktop sends agent-connected amy",
        "desktop sends survey-transfer",
        "toggle hold 20 times in 1 s ending held",
        "customer is unheld",
        "toggle hold 3 times in 1 s ending unheld",
    )
    player = Player(twilio.url, asapp.url, peer.url, "fake-key", SPEED)
    played = player.play(load(_scenario(tmp_path, *sentences)))
    events = peer.at(f"/api/v1/calls/{played.call_sid}/events")
    assert [json.loads(event.body) for event in events] == [
        {"type": "pause", "reason": "payment"},
        {"type": "agent-connected", "agent_id": "amy"},
        {"type": "survey-transfer"},
    ]
    assert {event.headers["Authorization"] for event in events} == {"Bearer fake-key"}
    assert [step.sentence for step in played.steps] == list(sentences)
    wait_for(lambda: len(peer.at("/conference", StatusCallbackEvent="participant-hold")) == 11)
    wait_for(lambda: len(peer.at("/conference", StatusCallbackEvent="participant-unhold")) == 11)
    assert [p["hold"] for p in twilio.call(played.call_sid)["conference"]["participants"]] == [False, False]


def test_what_does_not_come_true_in_time_names_its_sentence(
    peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path
) -> None:
    """The desktop of this test knows no state."""
    player = Player(twilio.url, asapp.url, peer.url, "fake-key", SPEED, patience_s=0.2)
    with pytest.raises(PlayError, match=r"line 3, 'wait until transcribing'"):
        player.play(load(_scenario(tmp_path, "customer calls", "wait until transcribing")))


def test_a_shipped_scenario_is_played_to_its_end(peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path) -> None:
    """The steps of a shipped file, with a desktop that agrees to everything."""
    path = tmp_path / "two_holds.toml"
    kept = [line for line in shipped()["two_holds"].read_text().splitlines() if "wait until" not in line]
    path.write_text("\n".join(kept))
    played = Player(twilio.url, asapp.url, peer.url, "fake-key", SPEED).play(load(path))
    wait_for(lambda: twilio.is_over(played.call_sid))
    assert twilio.call(played.call_sid)["ended_by"] == "hung-up"
    assert len(peer.at("/conference", StatusCallbackEvent="participant-hold")) == 2


def _dialling(peer: Peer, noun: str, who: str) -> str:
    target = f'<{noun} statusCallback="{peer.url}/child" statusCallbackEvent="answered completed">{who}</{noun}>'
    return f'<Response><Dial action="/ended" callerId="{NUMBER}">{target}</Dial></Response>'


def _play(peer: Peer, asapp: Asapp, twilio: Emulator, folder: Path, *sentences: str) -> Played:
    player = Player(twilio.url, asapp.url, peer.url, "fake-key", SPEED, patience_s=10)
    return player.play(load(_scenario(folder, *sentences)))


def test_a_devices_call_becomes_the_customers_once_they_answer(
    peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path
) -> None:
    """The number dialled goes to the voice URL of the scenario's number; a move reports to the service."""
    peer.documents |= {"/voice": _dialling(peer, "Number", "+15555550123"), "/ended": "<Response><Hangup/></Response>"}
    sentences = ("agent amy dials +15555550123", "customer answers", "customer is moved to a conference")
    played = _play(peer, asapp, twilio, tmp_path, *sentences, "agent bea joins", "agent bea leaves")
    (asked,) = peer.at("/voice")
    assert (asked.params["From"], asked.params["To"]) == ("client:agent-amy", "+15555550123")
    assert twilio.call(played.call_sid)["role"] == "customer"
    wait_for(lambda: peer.at("/twilio/conference-status", ParticipantLabel="agent-bea"))
    wait_for(lambda: peer.at("/twilio/conference-status", ParticipantLabel="customer", CallSid=played.call_sid))


@pytest.mark.parametrize(("action", "status"), [("is busy", "busy"), ("does not answer", "no-answer")])
@pytest.mark.parametrize("who", ["customer", "agent amy"])
def test_who_is_not_had_ends_the_dial(
    peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path, who: str, action: str, status: str
) -> None:
    """Both for a customer whom a device dials and for an agent whom a customer is put through to."""
    peer.documents |= {"/voice": _dialling(peer, "Number", "+15555550123"), "/ended": "<Response><Hangup/></Response>"}
    opening = "customer calls" if who != "customer" else "agent bea dials +15555550123"
    _play(peer, asapp, twilio, tmp_path, opening, f"{who} {action}", "wait until the call is over")
    assert [request.params["DialCallStatus"] for request in peer.at("/ended")] == [status]


def test_workers_take_and_transfer_a_queued_caller(peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path) -> None:
    """TaskRouter and the conference that it makes report to the service."""
    peer.documents["/voice"] = f'<Response><Enqueue workflowSid="WW{"1" * 32}"/></Response>'
    played = _play(
        peer,
        asapp,
        twilio,
        tmp_path,
        "workers amy and bea are there",
        "customer calls",
        "wait until queued",
        "worker amy accepts",
        "worker amy transfers cold to bea",
        "worker bea does not react",
        "worker bea accepts",
        "worker bea wraps up",
        "task completes",
        "customer hangs up if still there",
        "wait until the conference is over",
        "wait until the call is over",
    )
    names = {request.params["EventType"] for request in peer.at("/twilio/taskrouter-events")}
    assert names >= {"reservation.accepted", "reservation.timeout", "task.transfer-initiated", "task.completed"}
    joined = peer.at("/twilio/conference-status", StatusCallbackEvent="participant-join")
    assert len({request.params["CallSid"] for request in joined}) == 3
    assert twilio.is_over(played.call_sid)


def test_a_full_queue_is_one_calls_alone(peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path) -> None:
    """The sentence is about this call; the next is queued."""
    peer.documents |= {
        "/voice": '<Response><Enqueue action="/ended">help</Enqueue></Response>',
        "/ended": "<Response/>",
    }
    _play(
        peer, asapp, twilio, tmp_path, "customer calls and the queue answers queue-full", "wait until the call is over"
    )
    _play(peer, asapp, twilio, tmp_path, "customer calls", "wait until queued")
    assert [request.params["QueueResult"] for request in peer.at("/ended")] == ["queue-full"]


def test_problems_and_barging_in_are_waited_for_and_done(
    peer: Peer, asapp: Asapp, twilio: Emulator, tmp_path: Path
) -> None:
    """A problem is read from the desktop API; a coach who barges in is modified."""
    sentences = ("agent amy joins", "coach cy joins", "coach cy barges in", "agent bea opens the conference")
    player = Player(
        twilio.url,
        asapp.url,
        peer.url,
        "fake-key",
        SPEED,
        lambda sid, _: peer.documents.update({f"/api/v1/calls/{sid}": {"problem": {"id": "x"}}}),
        patience_s=10,
    )
    played = player.play(load(_scenario(tmp_path, "customer calls", *sentences, "wait until problem")))
    coaching = {p["label"]: p["coaching"] for p in twilio.call(played.call_sid)["conference"]["participants"]}
    assert coaching == {"customer": False, "agent-amy": False, "coach-cy": False}
    assert [call["conference"]["name"] for call in twilio.get("calls") if call["from"] == "client:agent-bea"] == [
        played.call_sid
    ]
    player.patience_s = 0.2
    with pytest.raises(PlayError, match="no problem"):
        player.play(load(_scenario(tmp_path, "customer calls", "wait until no problem")))
