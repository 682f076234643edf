"""The body of an API event is checked field by field and becomes exactly one event."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import events
from orchestrator.errors import OrchestratorError
from orchestrator.web.desktop_events import TYPES, parse

LEG = "CA" + "b" * 32
AT = 1_700_000_000_000


def read(**body: object) -> events.Event:
    return parse(json.dumps(body).encode(), source="desk").event(AT)


def test_every_type_of_the_contract_has_its_event() -> None:
    """Eleven types, eleven kinds of event."""
    kinds = {type(read(type=name, agent_id="amy")) for name in TYPES}
    assert len(kinds) == len(TYPES) == 11


def test_fields_reach_the_event() -> None:
    """The key's name is the source; event ids of different keys cannot collide."""
    event = read(type="agent-connected", agent_id="amy", agent_leg=LEG, event_id="e1", sequence=3, colour="red")
    assert event == events.AgentConnected(
        at=AT, agent_id="amy", agent_leg=LEG, event_id="desk:e1", sequence=3, source="desk"
    )
    assert read(type="pause", reason="payment") == events.PauseRequested(at=AT, source="desk", reason="payment")
    assert read(type="resume") == events.PauseLifted(at=AT, source="desk", reason="manual")


@pytest.mark.parametrize(("seconds", "expected"), [(0, AT), (3600, AT + 5000), (-3600, AT - 5000)])
def test_the_source_s_time_is_clamped_to_five_seconds(seconds: int, expected: int) -> None:
    """A desktop's wrong clock orders nothing by more than that."""
    moment = {0: "2023-11-14T22:13:20Z", 3600: "2023-11-15T00:13:20+01:00", -3600: "2023-11-14T21:13:20Z"}[seconds]
    assert read(type="hold", occurred_at=moment).occurred_at == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'"hold"',
        b"\xff",
        b'{"type": "dance"}',
        b'{"type": 1}',
        b"{}",
        b'{"type": "agent-connected"}',
        b'{"type": "agent-connected", "agent_id": ""}',
        b'{"type": "hold", "event_id": "a\\nb"}',
        b'{"type": "hold", "sequence": -1}',
        b'{"type": "resume", "reason": "consent"}',
        b'{"type": "pause", "reason": "consent"}',
        b'{"type": "hold", "sequence": "1"}',
        b'{"type": "hold", "occurred_at": "yesterday"}',
        b'{"type": "hold", "occurred_at": "2026-01-01T00:00:00"}',
        b'{"type": "pause", "reason": "hold:desktop"}',
        b'{"type": "pause", "reason": "' + b"a" * 33 + b'"}',
        b'{"type": "agent-disconnected", "agent_leg": "CA1"}',
        b"[" * 60_000,
        b'{"type":' + b'{"a":' * 10_000,
    ],
)
def test_what_is_no_event_is_refused_by_name(body: bytes) -> None:
    """Always `invalid-event`, whatever it is."""
    with pytest.raises(OrchestratorError) as caught:
        parse(body, source="desk")
    assert caught.value.error_id == "invalid-event"


@given(st.dictionaries(st.sampled_from(["type", "agent_id", "reason", "occurred_at", "sequence"]), st.text()))
def test_no_body_does_worse_than_being_refused(body: dict[str, str]) -> None:
    """Nothing but `invalid-event` is ever raised."""
    text = json.dumps(body).encode()
    if body.get("type") not in TYPES:
        with pytest.raises(OrchestratorError, match=r"type must be|Object missing|Expected"):
            parse(text, source="desk")
