"""Stored calls across releases: what an older one wrote is read whole, what a newer one wrote is left alone."""

from __future__ import annotations

import json

import pytest

from orchestrator.core.call import SCHEMA, Call
from orchestrator.core.events import AuditRequested, CallArrived
from orchestrator.core.profile import Profile
from orchestrator.core.transition import begin, transition
from orchestrator.store.codec import decode_call, encode
from orchestrator.store.errors import CallTooNew, CallUnreadable, StoreUnavailable

SID = "CA" + "1" * 32
CALL = begin(CallArrived(at=1, call_sid=SID, profile=Profile(route="conference")))


def written(**changes: object) -> bytes:
    return json.dumps({**json.loads(encode(CALL)), **changes}).encode()


def test_the_schema_is_always_written() -> None:
    """Also where it is the first there was, and by whoever changed the call last."""
    assert json.loads(encode(CALL))["schema"] == SCHEMA
    old = decode_call(encode(Call(call_sid=SID, profile=CALL.profile, created_at=1)))
    assert (old.schema, transition(old, AuditRequested(at=2)).schema) == (0, SCHEMA)


def test_a_field_that_is_not_known_is_ignored() -> None:
    """A newer release may add what an older one can do without."""
    assert decode_call(written(something_new={"a": 1})) == CALL


@pytest.mark.parametrize("changes", [{}, {"transcription": {"state": "half-on"}}, {"in_flight": {"action": "dance"}}])
def test_a_newer_schema_is_left_alone(changes: dict[str, object]) -> None:
    """Readable or not, it counts as a store that cannot be reached: repeated by senders, put off by workers."""
    with pytest.raises(CallTooNew) as caught:
        decode_call(written(schema=SCHEMA + 1, **changes), SID)
    assert isinstance(caught.value, StoreUnavailable)
    assert caught.value.context["call_sid"] == SID


@pytest.mark.parametrize("document", [b"{", b"[]", written(transcription={"state": "half-on"})])
def test_what_no_release_wrote_is_unreadable(document: bytes) -> None:
    """It is told by name, and is not taken for a newer release's."""
    with pytest.raises(CallUnreadable):
        decode_call(document, SID)
