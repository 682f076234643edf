"""A hold that comes in while Twilio is being read, and does not answer, is stopped as fast as ever."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Site
from tests.e2e.processes import poll
from tests.e2e.world import STOP, CallSeen, assert_ended_clean

HOLD = "customer is held"
STOP_LEAVES_S = 1.0


def test_a_read_that_hangs_does_not_keep_a_stop(site: Site) -> None:
    """The desktop makes the call be read; Twilio hangs; meanwhile the customer is put on hold."""
    hung: list[str] = []

    def look(call_sid: str, sentence: str) -> None:
        if sentence != HOLD or hung:
            return
        hung.append(call_sid)
        site.twilio("faults", {"operation": "call-read", "match": {"call_sid": call_sid}, "hang": True, "times": 1})
        CallSeen(site, call_sid).report("call-ended")
        poll(lambda: not site.twilio("faults"), 5, "Twilio is being read")

    played = site.play("two_holds", on_step=look)
    call = CallSeen(site, played.call_sid)
    held_at = min(step.began for step in played.steps if step.sentence == HOLD)
    first_stop = call.requests(STOP)[0]["at"]
    assert first_stop - held_at == pytest.approx(0, abs=STOP_LEAVES_S)
    assert_ended_clean(call)
