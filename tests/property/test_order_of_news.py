"""Conference news in any order, doubled or not, tells the same in the end: who is there, who is held."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core import events as e
from orchestrator.core.people import connected_agents, is_agent_held, is_customer_connected, is_customer_held, seat
from tests.unit.core.given import AMY, BOB, CUSTOMER, ROOM, START_MS, Story

LABELS = {CUSTOMER: "customer", AMY: "agent-amy", BOB: "agent-bob"}
Script = tuple[tuple[type[e.ParticipantNews], str], ...]
JOINED, LEFT, HELD, UNHELD = e.ParticipantJoined, e.ParticipantLeft, e.ParticipantHeld, e.ParticipantUnheld

HOLD_TOGGLED: Script = (
    (JOINED, CUSTOMER),
    (JOINED, AMY),
    *((HELD, CUSTOMER), (UNHELD, CUSTOMER)) * 4,
    (HELD, CUSTOMER),
)
UNHOLD_BEFORE_RESUME: Script = ((JOINED, CUSTOMER), (JOINED, AMY), (HELD, CUSTOMER), (UNHELD, CUSTOMER))
CONSULT_AND_TRANSFER: Script = (
    (JOINED, CUSTOMER),
    (JOINED, AMY),
    (HELD, CUSTOMER),
    (JOINED, BOB),
    (HELD, AMY),
    (UNHELD, CUSTOMER),
    (LEFT, AMY),
)
THREE_WAY: Script = ((JOINED, CUSTOMER), (JOINED, AMY), (JOINED, BOB), (LEFT, BOB))
REJOINED: Script = ((JOINED, CUSTOMER), (HELD, CUSTOMER), (LEFT, CUSTOMER), (JOINED, AMY), (JOINED, CUSTOMER))
SCRIPTS = {
    "3: hold toggled, ending on hold": HOLD_TOGGLED,
    "4: unhold during a payment pause": UNHOLD_BEFORE_RESUME,
    "5: consult and transfer": CONSULT_AND_TRANSFER,
    "6: three-way": THREE_WAY,
    "a hold dies with leaving": REJOINED,
}


def told(script: Script, order: list[int], *, tells_hold: bool) -> Story:
    """The script's events received in this order; each second one tells no hold where `tells_hold` is not set."""
    story = Story().arrives().stream_started().paused("payment")
    held: set[str] = set()
    events: list[e.ParticipantNews] = []
    for sequence, (kind, leg) in enumerate(script):
        held = held | {leg} if kind is HELD else held - {leg}
        is_held = leg in held if tells_hold else None
        events.append(
            kind(at=START_MS, conference=ROOM, leg=leg, label=LABELS[leg], sequence=sequence, is_held=is_held)
        )
    for index in order:
        event = events[index]
        story.at(100).news(type(event), event.leg, label=event.label, sequence=event.sequence, is_held=event.is_held)
    return story


def facts(story: Story) -> dict[str, object]:
    call = story.call
    return {
        "customer": (is_customer_connected(call), is_customer_held(call)),
        "agents": {agent.id: is_agent_held(call, agent) for agent in connected_agents(call)},
        "present": {leg for leg in LABELS if seat(call, leg) is not None},
        "pauses": [pause.reason for pause in call.pauses],
    }


@pytest.mark.parametrize("name", SCRIPTS)
@settings(max_examples=60)
@given(data=st.data(), tells_hold=st.booleans())
def test_order_does_not_matter(name: str, data: st.DataObject, tells_hold: bool) -> None:
    """Any order of arrival, with repeats, ends in the facts of the true order."""
    script = SCRIPTS[name]
    in_order = list(range(len(script)))
    order = data.draw(st.permutations(in_order))
    again = data.draw(st.lists(st.sampled_from(in_order), max_size=4))
    assert facts(told(script, [*order, *again], tells_hold=tells_hold)) == facts(
        told(script, in_order, tells_hold=tells_hold)
    )


def test_what_the_scripts_end_in() -> None:
    """Held after the toggling, the payment pause outliving the unhold, Bob alone after the transfer, Amy alone."""
    ends = {name: facts(told(script, list(range(len(script))), tells_hold=True)) for name, script in SCRIPTS.items()}
    assert ends["3: hold toggled, ending on hold"]["customer"] == (True, True)
    assert ends["4: unhold during a payment pause"] == {
        "customer": (True, False),
        "agents": {"amy": False},
        "present": {CUSTOMER, AMY},
        "pauses": ["payment"],
    }
    assert ends["5: consult and transfer"]["agents"] == {"bob": False}
    assert ends["6: three-way"]["agents"] == {"amy": False}
    assert ends["a hold dies with leaving"]["customer"] == (True, False)
