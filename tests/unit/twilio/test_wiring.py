"""What Twilio must be told, and what of it differs."""

from __future__ import annotations

from msgspec.structs import replace

from orchestrator.twilio.account import Workspace
from orchestrator.twilio.client import PhoneNumber
from orchestrator.twilio.wiring import TASK_EVENTS, Change, Wiring

BASE = "https://calls.example.com/pre"
WIRING = Wiring(BASE + "/")
RIGHT = PhoneNumber(
    sid="PN1",
    phone_number="+15555550100",
    voice_url=f"{BASE}/twilio/voice",
    voice_method="POST",
    voice_fallback_url="https://handler.example/bin",
    voice_fallback_method="GET",
    status_callback=f"{BASE}/twilio/call-status",
    status_callback_method="POST",
)


def test_a_number_that_is_right_needs_nothing() -> None:
    """Whatever connection overrides somebody chose, and however the fallback elsewhere is fetched."""
    assert WIRING.of_number(RIGHT) == []
    assert (
        WIRING.of_number(replace(RIGHT, voice_url=RIGHT.voice_url + "#rc=1", status_callback=RIGHT.status_callback))
        == []
    )
    assert WIRING.is_ours(RIGHT)
    assert not WIRING.is_ours(replace(RIGHT, voice_url=f"{BASE}/twilio/voice/"))


def test_each_setting_that_differs_is_a_change() -> None:
    """With what it is and what it must be; only a trunk and an application are taken from something else."""
    wrong = replace(RIGHT, voice_method="GET", status_callback="", trunk_sid="TK1", voice_application_sid="AP1")
    assert WIRING.of_number(wrong) == [
        Change("trunk_sid", "TK1", "", is_taking=True),
        Change("voice_application_sid", "AP1", "", is_taking=True),
        Change("voice_method", "GET", "POST"),
        Change("status_callback", "", f"{BASE}/twilio/call-status#rc=3&rp=5xx,ct,rt"),
    ]


def test_our_own_fallback_is_fetched_by_post() -> None:
    """It is set where there is none, and one outside comes before it."""
    bare = replace(RIGHT, voice_fallback_url="")
    assert [(each.setting, each.wanted) for each in WIRING.of_number(bare)] == [
        ("voice_fallback_url", f"{BASE}/twilio/voice-fallback"),
        ("voice_fallback_method", "POST"),
    ]
    given = "https://handler.example/other"
    assert WIRING.of_number(RIGHT, given) == [Change("voice_fallback_url", RIGHT.voice_fallback_url, given)]


def test_a_workspace_tells_its_events_here() -> None:
    """All of them, or at least those that mean something; another's callback would be taken."""
    ours = f"{BASE}/twilio/taskrouter-events"
    assert WIRING.of_workspace(Workspace(sid="WS1", event_callback_url=ours)) == []
    filtered = Workspace(sid="WS1", event_callback_url=ours, events_filter=",".join(TASK_EVENTS))
    assert WIRING.of_workspace(filtered) == []
    (change,) = WIRING.of_workspace(replace(filtered, events_filter="task.created, task.updated"))
    assert set(change.wanted.split(",")) == {"task.created", *TASK_EVENTS}
    for url, is_taking in (("", False), ("https://reports.example/", True), (f"{BASE}/twilio/old", False)):
        (change,) = WIRING.of_workspace(Workspace(sid="WS1", event_callback_url=url))
        assert (change.now, change.is_taking) == (url, is_taking)
