"""Timeline entries: small, and the same again."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import events as e
from orchestrator.store import packing
from orchestrator.store.codec import encode, state_of
from orchestrator.store.packing import packed, unpacked
from tests.unit.core.given import Story


@given(st.binary(max_size=2000))
def test_what_was_packed_comes_out_again(text: bytes) -> None:
    """To the byte, whatever it was."""
    assert unpacked(packed(text)) == text


def test_what_was_never_packed_is_left_alone() -> None:
    """Entries of before there was any packing stay readable."""
    assert unpacked(b'{"event": "hold-reported"}') == b'{"event": "hold-reported"}'


@given(st.binary(max_size=200))
def test_what_cannot_be_unpacked_reads_as_nothing(rest: bytes) -> None:
    """A broken entry does not take the timeline with it."""
    broken = b"\x01" + rest
    assert unpacked(broken) == b"{}" or packed(unpacked(broken))[:1] == b"\x01"
    whole = packed(b'{"event":"hold-reported","at":1700000000000}')
    assert unpacked(whole[:-3]) == b"{}"


def test_a_talk_takes_a_fifth() -> None:
    """The words that all entries share are not stored with each."""
    call = Story().talks().customer_held().settles().customer_unheld().at(300).settles().call
    event = encode(e.AgentConnected(at=1_700_000_000_000, agent_id="amy", source="desk"))
    texts = [encode(state_of(call)), event]
    assert sum(len(packed(text)) for text in texts) * 5 <= sum(map(len, texts))


def test_the_dictionary_is_what_it_was() -> None:
    """Calls of the last days were packed with it: a better one gets another number."""
    digest = hashlib.sha256(packing._DICTIONARY).hexdigest()
    assert digest == "d51af58f19273cb06064f46868a1bd6673894851741b713931f516fce7b7b421"
