"""Messages that come several times and late, and a request whose answer is lost."""

from __future__ import annotations

import time

import pytest

from tests.e2e.faults.talks import Talk
from tests.e2e.harness import Site
from tests.e2e.processes import poll
from tests.e2e.world import assert_ended_clean

REPAIRED_WITHIN_S = 75.0


@pytest.mark.parametrize("delay_ms", [0, 300], ids=["at-once", "late"])
def test_fault_1_and_4_doubled_and_late(own_site: Site, delay_ms: int) -> None:
    """1, 4: every callback comes five times, or late as well: one segment for each talk, as many starts as for one."""
    talk = Talk(own_site)
    for kind in ("conference-status", "stream-status", "call-status"):
        own_site.twilio("faults", [{"operation": kind, "duplicate": 4, "delay_ms": delay_ms}])
    talk.play("customer calls", "agent amy joins", "wait until transcribing", "wait until heard customer-speech")
    talk.play("customer is held", "wait until paused", "customer is unheld", "wait until transcribing")
    talk.play("wait until heard customer-speech again", "customer hangs up", "wait until ended")
    assert_ended_clean(talk.call)
    assert talk.call.order()[:3] == ["start-streaming", "stop-streaming", "start-streaming"]
    assert talk.call.order()[3:] in ([], ["stop-streaming"]), "the last one may find the stream gone"
    assert [stream["name"] for stream in talk.call.streams()] == ["asapp-1"]
    own_site.http.delete(f"{own_site.twilio_url}/_emulator/faults", timeout=10)


def test_fault_25_a_stream_that_was_made_without_a_word(talk: Talk) -> None:
    """25: Twilio creates the stream and its answer is lost: in the end one stream lives, and it is transcribed."""
    talk.twilio_fault("stream-create", drop_after=True, times=1)
    talk.play("stream breaks with error-then-stopped", "wait until interrupted", "wait until transcribing")
    poll(lambda: live(talk) == 1, 10, f"one stream lives: {talk.call.streams()}")
    assert len(talk.call.created_streams()) >= 1
    talk.play("wait until heard customer-speech again")


def live(talk: Talk) -> int:
    return sum(stream["state"] == "live" for stream in talk.call.streams())


@pytest.mark.timeout(150)
def test_fault_5_a_hold_that_nobody_was_told_of(talk: Talk) -> None:
    """5: the hold's callback is lost and nothing follows it: found by looking, and off within 75 s."""
    lost = {"match": {"StatusCallbackEvent": "participant-hold"}, "drop": True}
    talk.site.twilio("faults", [{"operation": "conference-status", **lost}])
    talk.play("customer is held")
    held_at = time.monotonic()
    talk.settles("paused", REPAIRED_WITHIN_S)
    assert time.monotonic() - held_at <= REPAIRED_WITHIN_S
    assert [row["status"] for row in talk.call.deliveries("conference-status") if row["failure"] == "dropped"] == [0]
    assert "participants-read" in [entry["name"] for entry in talk.call.timeline()]
    talk.play("customer is unheld", "wait until transcribing")
