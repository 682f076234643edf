"""Browser tokens: what they carry, and everything that ends them."""

from __future__ import annotations

import pytest
from itsdangerous import URLSafeSerializer

from orchestrator.settings import ApiKey
from orchestrator.web.tokens import PREFIX, Caller, caller_of, mint

KEY = ApiKey("desk", "fake-key")
READER = ApiKey("board", "fake-reader", is_read_only=True)
AMY = Caller(key="desk", agent_id="amy")
NOW = 1_700_000_000


def test_a_token_carries_what_it_was_minted_for() -> None:
    """And is known by whoever has the same keys: nothing is stored."""
    claims = Caller(key="desk", is_read_only=True, agent_id="amy", call_sid="CA" + "a" * 32, is_token=True)
    token = mint(KEY, claims, NOW + 60)
    assert caller_of(token, [READER, KEY], NOW) == claims
    assert token.isascii()
    assert "fake-key" not in token


def test_its_time_ends() -> None:
    """To the second."""
    token = mint(KEY, AMY, NOW + 60)
    assert caller_of(token, [KEY], NOW + 59.9) is not None
    assert caller_of(token, [KEY], NOW + 60) is None


def test_it_dies_with_its_key() -> None:
    """Another key of the same name does not keep it alive; the old one beside the new one does."""
    token = mint(KEY, AMY, NOW + 60)
    renewed = ApiKey("desk", "fake-new-key")
    assert caller_of(token, [renewed], NOW) is None
    assert caller_of(token, [renewed, KEY], NOW) is not None


def test_it_never_allows_more_than_its_key() -> None:
    """Not when it is minted, and not when the key is cut down later."""
    assert (found := caller_of(mint(READER, AMY, NOW + 60), [READER], NOW)) is not None
    assert found.is_read_only
    cut_down = ApiKey("desk", "fake-key", is_read_only=True)
    assert (found := caller_of(mint(KEY, AMY, NOW + 60), [cut_down], NOW)) is not None
    assert found.is_read_only


@pytest.mark.parametrize("index", range(0, 60, 7))
def test_no_letter_of_it_can_be_changed(index: int) -> None:
    """A token for another agent cannot be made of one's own."""
    token = mint(KEY, AMY, NOW + 60)
    at = len(PREFIX) + index
    forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert caller_of(forged, [KEY], NOW) is None


def test_other_texts_are_no_tokens() -> None:
    """Not even ones signed with the key for another purpose."""
    other = URLSafeSerializer("fake-key").dumps({"expires_at": NOW + 60, "is_read_only": False})
    for text in ("", PREFIX, PREFIX + "x.y", PREFIX + other, mint(KEY, AMY, NOW + 60)[3:], PREFIX + "x" * 5000):
        assert caller_of(text, [KEY], NOW) is None


def test_reports_of_different_agents_are_ordered_apart() -> None:
    """Two browsers count their own sequence numbers."""
    assert AMY.source != Caller(key="desk", agent_id="bob").source
