"""The rules of start and stop, with the switches that change them."""

import json
from itertools import count
from typing import Any

import pytest

from orchestrator.emulators.asapp.calls import Call, Spoken, Stream
from orchestrator.emulators.asapp.gateway import Gateway
from orchestrator.emulators.asapp.switches import SWITCHES, Switches, UnknownSwitchError
from orchestrator.emulators.asapp.wire import Refusal, StartRequest, Track, WithinOk
from orchestrator.emulators.audio import Kind, frames, tone

NOW = 1_000_000.0


async def _close(_code: int) -> None:
    """Close nothing: these streams have no socket."""


def given_gateway(**switches: str) -> Gateway:
    ids = count(1)
    chosen = {name.replace("_", "-"): value for name, value in switches.items()}
    return Gateway(Switches(chosen), lambda: f"stream-{next(ids)}", 1.0)


def given_stream(call: Call, *tracks: Track, name: str = "a") -> Stream:
    stream = Stream(f"MZ{name}", None, tracks or ("inbound", "outbound"), NOW - 10, _close)
    call.streams.append(stream)
    call.receive(stream, stream.tracks[0], tone(Kind.QUEUE_MUSIC), NOW - 9)
    return stream


def given_call(*tracks: Track) -> Call:
    call = Call("CA1")
    given_stream(call, *tracks)
    return call


def order(gateway: Gateway, agent: str = "amy", **params: object) -> StartRequest:
    body = {"namespace": "twilio", "guid": "CA1", "customerId": "c", "agentId": agent}
    return gateway.parse_start(json.dumps(body | {"autotranscribeParams": params}).encode())


def start(gateway: Gateway, call: Call | None, agent: str = "amy", **params: object) -> Any:
    return gateway.start(call, order(gateway, agent, **params), NOW)[0]


def speak(call: Call, text: str, number: int = 1) -> list[Spoken]:
    audio = frames(Kind.CUSTOMER_SPEECH, text, number)
    ended = [call.receive(call.open_streams[-1], "inbound", frame, NOW) for frame in audio]
    return [spoken for spoken in ended if spoken]


def assert_refused(code: str, gateway: Gateway, call: Call | None, agent: str = "amy") -> None:
    with pytest.raises(Refusal) as refused:
        start(gateway, call, agent)
    assert refused.value.code == code


def test_start_before_the_first_audio() -> None:
    """A stream without audio is not found, unless the switch lets it be."""
    call = Call("CA1", [Stream("MZa", None, ("inbound",), NOW - 10, _close)])
    assert_refused("400-203", given_gateway(), call)
    assert start(given_gateway(start_before_media="accept"), call)["isOk"] is True


def test_a_young_stream_is_not_found_yet() -> None:
    """Until the gateway knows a stream, start-streaming does not find it."""
    call = given_call()
    call.streams[0].opened_at = NOW - 0.9
    assert_refused("400-203", given_gateway(), call)
    assert start(given_gateway(stream_known_after_ms="800"), call)["isOk"] is True


def test_start_with_another_agent_while_transcribing() -> None:
    """The switch decides between a conflict, a new session and no effect at all."""
    for policy, agents in [("switch", ["amy", "bob"]), ("ignore", ["amy"])]:
        gateway, call = given_gateway(start_with_new_agent=policy), given_call()
        start(gateway, call)
        assert start(gateway, call, "bob")["isOk"] is True
        assert [session.request.agent_id for session in call.sessions] == agents
        assert_refused("409-201", gateway, call, agents[-1])
    gateway, call = given_gateway(), given_call()
    start(gateway, call)
    assert_refused("409-201", gateway, call, "bob")


def test_stop_before_any_start() -> None:
    """The switch decides between 409-201 and 400-203."""
    for switch in ("409-201", "400-203"):
        with pytest.raises(Refusal) as refused:
            given_gateway(stop_before_start=switch).stop(given_call(), NOW)
        assert refused.value.code == switch


def test_the_summary_covers_a_segment_or_the_call() -> None:
    """Bytes are counted after decoding to 16 bits: 16 for each ms."""
    for switch, duration_ms, transcripts in [("segment", 340, 1), ("cumulative", 1020, 2)]:
        gateway, call = given_gateway(summary=switch), given_call()
        for text in ("one two", "three"):
            start(gateway, call)
            speak(call, text)
            answer: Any = gateway.stop(call, NOW)[0]
        assert answer["autotranscribeResponse"]["customer"]["summary"] == {
            "totalAudioBytes": duration_ms * 16,
            "audioDurationMs": duration_ms,
            "streamingSeconds": 1 if duration_ms < 1000 else 2,
            "transcripts": transcripts,
        }


def test_stream_ids_and_offsets_after_a_resume() -> None:
    """Both may begin anew (the default) or go on."""
    for ids, offsets, same, begins_ms in [("new", "restart", False, 0), ("same", "continue", True, 360)]:
        gateway = given_gateway(stream_ids_after_resume=ids, offsets_after_resume=offsets)
        call = given_call()
        first = start(gateway, call)
        speak(call, "one")
        gateway.stop(call, NOW)
        second = start(gateway, call)
        speak(call, "two", 2)
        (spoken,) = gateway.stop(call, NOW)[1]
        assert (first == second) is same
        assert spoken.utterance.start_ms == begins_ms


def test_a_participant_without_a_track() -> None:
    """The switch decides whether it is reported as fine, as failed or not at all."""
    for switch, expected in [("ok", 1000), ("4080", 4080), ("absent", None)]:
        answer = start(given_gateway(missing_track=switch), given_call("inbound"))
        participant = answer["autotranscribeResponse"].get("agent", {"status": {"code": None}})
        assert participant["status"]["code"] == expected


def test_redaction_settings_that_exclude_each_other() -> None:
    """They are refused in one of three ways, and none of them begins a session."""
    call = given_call()
    with pytest.raises(Refusal) as refused:
        start(given_gateway(redaction_rules="none"), call)
    assert refused.value.code == "400-202"
    with pytest.raises(WithinOk) as within:
        start(given_gateway(redaction_rules="always", redaction_refusal="status"), call, redactionOutput="unredacted")
    assert "4094" in str(within.value.body)
    assert call.sessions == []
    assert start(given_gateway(), call, detailedToken=True, redactionOutput="unredacted")["isOk"] is True


def test_a_new_stream_after_a_break() -> None:
    """By switch the session ends with its stream, lives on deaf, or resumes by itself."""
    for switch, has_session, hears in [
        ("stopped", False, False),
        ("still-started", True, False),
        ("resumes", True, True),
    ]:
        gateway, call = given_gateway(after_reconnect=switch), given_call()
        start(gateway, call)
        call.streams[0].closed_at = NOW
        gateway.stream_closed(call, NOW)
        assert (call.session is not None) is has_session
        gateway.stream_opened(call, given_stream(call, name="b"))
        assert call.is_transcribing is hears


def test_a_second_stream_is_not_heard_by_the_first_ones_session() -> None:
    """Audio of a stream that came after the start is received, not heard."""
    gateway, call = given_gateway(), given_call()
    start(gateway, call)
    given_stream(call, name="b")
    speak(call, "hello")
    assert call.received_ms["customer-speech"] == 340
    assert call.heard_ms() == {}


def test_every_switch_has_a_default_of_its_own() -> None:
    """Each default is one of the allowed values, or a number."""
    assert Switches({name: switch.default for name, switch in SWITCHES.items()}).as_dict()


@pytest.mark.parametrize(
    ("name", "value"), [("summary", "x"), ("daily-limit", "-1"), ("daily-limit", "nan"), ("x", "1")]
)
def test_other_values_are_errors(name: str, value: str) -> None:
    """Neither an unknown name nor an unknown value is let pass."""
    with pytest.raises(UnknownSwitchError):
        Switches({name: value})
