"""Every event and every action has a sentence of its own, without a phone number."""

from __future__ import annotations

import types
from typing import Any, get_args

import msgspec
import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.profile import Profile
from orchestrator.narration.sentences import sentence
from tests.unit.narration.story import AMY, CALL, answered, arrived, asked, held_once

MADE: dict[Any, Any] = {
    str: "word",
    int: 7,
    bool: True,
    Profile: Profile(route="conference"),
    a.Action: a.StopTranscription(),
    Outcome: Outcome(verdict=Verdict.DONE),
}


def example(kind: Any) -> Any:
    """An instance with what it must have."""
    needed = {field.name: MADE[field.type] for field in msgspec.structs.fields(kind) if field.required}
    return kind(**needed)


@pytest.mark.parametrize("kind", get_args(e.Event), ids=lambda kind: str(kind.__name__))
def test_every_event_has_words(kind: Any) -> None:
    """A capital first, more than its name, and the same however often."""
    event = example(kind)
    words = sentence(event, e.name_of(event), CALL)
    assert words[0].isupper()
    assert words != e.name_of(event)
    assert " " in words


@pytest.mark.parametrize("kind", get_args(a.VendorAction), ids=lambda kind: str(kind.__name__))
def test_every_action_that_asks_a_vendor_has_words(kind: Any) -> None:
    """Asked and answered; reads are told by what was read, so they are never intended."""
    action = example(kind)
    words = sentence(asked(1, action, 3), "action-intended", CALL)
    assert words.startswith("Asked ")
    assert words.endswith("(attempt 3)")
    reads = (a.ReadCall, a.ReadLeg, a.ReadParticipants)
    assert a.name_of(action) not in words or isinstance(action, reads)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_answer_has_words(verdict: Verdict) -> None:
    """With the vendor's code and how much audio it had."""
    words = sentence(
        answered(1, a.StopTranscription(), 1, verdict, code="409-201", duration_ms=120), "action-ended", CALL
    )
    assert words.startswith("ASAPP: ")
    assert "[409-201]" in words
    assert "0.12 s of audio" in words


def test_people_are_named_as_they_are() -> None:
    """The customer by being one, agents by their label."""
    _, entries = held_once()
    words = [sentence(entry.event, entry.name, CALL) for entry in entries]
    assert words[2] == "The customer joined the conference"
    assert words[3] == "Agent amy joined the conference"
    assert words[6] == "The customer was put on hold"
    assert words[-1] == "The customer's leg ended: completed"


def test_no_phone_number_is_told() -> None:
    """Not even one that stands in a name."""
    for event in (arrived(), e.LegRead(at=1, leg=AMY, identity="+15555550123")):
        assert "5550123" not in sentence(event, "x", CALL)
        assert "5550101" not in sentence(event, "x", CALL)


def test_an_event_of_another_release_is_named() -> None:
    """A timeline outlives releases."""
    assert sentence(None, "martian-landed", CALL).endswith("martian-landed")


def test_the_unions_are_what_they_seem() -> None:
    """`get_args` sees every member."""
    assert isinstance(e.Event, types.UnionType)
    assert len(get_args(e.Event)) > 40
