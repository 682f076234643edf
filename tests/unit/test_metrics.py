"""Counters follow from changes of calls, and read as Prometheus text."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.asapp.client import AsappClient
from orchestrator.core import actions, events
from orchestrator.core.call import Call, Gap, Progress, Segment, Transcription, TranscriptionState
from orchestrator.core.profile import Profile
from orchestrator.core.transition import transition
from orchestrator.http import Http
from orchestrator.metrics import Tally, exposition, measure, observed, sample
from orchestrator.twilio.client import TwilioClient
from tests.scripted_http import ScriptedServer, answer

CALL = Call(call_sid="CA" + "0" * 32, profile=Profile(route="conference"), created_at=1000, updated_at=1000)
TICK = events.TimePassed(at=3000, what="x")


def in_state(state: TranscriptionState, **changes: object) -> Call:
    return replace(CALL, transcription=Transcription(state=state), **changes)


def test_pause_to_off_counts_confirmed_offs_only() -> None:
    """From the wish to the confirmed off; a wish that turned back on is not counted."""
    before = in_state(TranscriptionState.STOPPING, off_wanted_at=1500)
    counts = measure(before, in_state(TranscriptionState.OFF), TICK)
    assert counts["orchestrator_pause_to_off_seconds_sum"] == 1.5
    assert counts['orchestrator_pause_to_off_seconds_bucket{le="2"}'] == 1
    assert 'orchestrator_pause_to_off_seconds_bucket{le="1"}' not in counts
    assert measure(before, in_state(TranscriptionState.UNKNOWN), TICK) == {}


def test_a_closed_gap_with_a_failure_is_a_recovery_and_a_start_is_not() -> None:
    """The first start of a talk is no recovery."""
    for reason, expected in (("stream-error", 1.0), ("starting", None)):
        before = replace(CALL, gaps=(Gap(start=1000, reason=reason),))
        after = replace(CALL, gaps=(Gap(start=1000, reason=reason, end=3000),))
        assert measure(before, after, TICK).get("orchestrator_stream_recovery_seconds_count") == expected


def test_unwanted_time_grows_by_the_difference() -> None:
    """What was counted before is not counted again."""
    counts = measure(replace(CALL, unwanted_ms=500), replace(CALL, unwanted_ms=2000), TICK)
    assert counts == {"orchestrator_unwanted_transcription_seconds_total": 1.5}


def test_requests_are_counted_by_provider_operation_and_outcome() -> None:
    """Each request is one, with its outcome; what a call's events tell of it is not counted again."""
    tally = Tally()
    server = ScriptedServer()
    with server:
        server.script += [answer(500, {}), answer(200, {"streamingUrl": "wss://media.example/fake"})]
        http = Http(1)
        client = AsappClient(http, server.url, lambda: ("fake-id", "fake-secret"), partial(tally.provider_request, "a"))
        client.stop(CALL.call_sid)
        client.stream_url(requested_at_ms=1)
        http.close()
    name = "orchestrator_provider_requests_total"
    counts = tally.take()
    assert {each: value for each, value in counts.items() if each.startswith(name)} == {
        name + '{operation="stop-transcription",outcome="failed",provider="a"}': 1.0,
        name + '{operation="stream-url",outcome="done",provider="a"}': 1.0,
    }
    timed = 'orchestrator_provider_seconds_{}{{operation="stream-url",provider="a"}}'
    assert counts[timed.format("count")] == 1.0
    assert 0 < counts[timed.format("sum")] < 5
    outcome = actions.Outcome(verdict=actions.Verdict.ALREADY)
    ended = events.ActionEnded(at=2000, action=actions.StopTranscription(), attempt=1, outcome=outcome)
    assert measure(CALL, CALL, ended) == {}


def test_reads_of_twilio_are_counted() -> None:
    """A look that finds nothing was a request, too."""
    tally = Tally()
    with ScriptedServer() as server:
        server.script += [answer(404, {"code": 20404, "message": "not found"}), answer(401, {"code": 20003})]
        http = Http(1)
        count = partial(tally.provider_request, "twilio")
        client = TwilioClient(http, server.url, "AC" + "a" * 32, lambda: ("SKfake", "fake-secret"), count)
        client.read_call(CALL.call_sid, at=1)
        client.list_calls_in_progress()
        http.close()
    operations = [name.split('"')[1::2] for name in tally.take() if "_requests_total{" in name]
    assert operations == [["read-call", "done", "twilio"], ["list-calls", "refused-for-now", "twilio"]]


def test_counters_keep_every_digit() -> None:
    """Seven digits and more are told to the last one."""
    text = exposition({"orchestrator_unwanted_transcription_seconds_total": 1234567.0, "x_total": 0.123456789}, {})
    assert "orchestrator_unwanted_transcription_seconds_total 1234567\n" in text
    assert "x_total 0.123456789\n" in text


def test_the_wait_for_an_action_runs_from_its_cause() -> None:
    """A stop's wait starts when off was wanted; a repeated stop is not counted."""
    intended = events.ActionIntended(at=1600, action=actions.StopTranscription(), attempt=1)
    before = in_state(TranscriptionState.ON, off_wanted_at=1500)
    assert measure(before, before, intended)[
        'orchestrator_event_to_action_seconds_sum{action="stop-transcription"}'
    ] == pytest.approx(0.1)
    tried = replace(before, transcription=replace(before.transcription, failures=1))
    assert measure(tried, tried, intended) == {}


def test_coverage_is_counted_once_at_the_end() -> None:
    """Three of four wanted seconds were heard."""
    parts = (Segment(agent_id="amy", start=0, end=3000),)
    gaps = (Gap(start=3000, end=4000, reason="stream-error"), Gap(start=0, end=10, reason="starting"))
    ended = replace(CALL, progress=Progress.ENDED, ended_at=4000, segments=parts, gaps=gaps)
    counts = measure(CALL, ended, TICK)
    assert measure(ended, ended, TICK) == {}
    assert "orchestrator_coverage_ratio 0.75" in exposition(counts, {})
    assert 'orchestrator_missed_talk_seconds_total{reason="vendor-down"} 1' in exposition(counts, {})


def test_the_text_is_what_prometheus_reads() -> None:
    """Every family has type and help; labels survive quotes and line breaks."""
    tally = Tally()
    tally.webhook("voice", 200, 0.02)
    tally.transcript_message('od"d\n')
    counts = tally.take() | observed("orchestrator_pause_to_off_seconds", 400)
    assert tally.take() == {}
    text = exposition(counts, {"waiting": 2})
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["orchestrator_webhook_seconds"].type == "histogram"
    assert found["orchestrator_calls"].samples[0].labels == {"state": "waiting"}
    (message,) = found["orchestrator_transcript_messages"].samples
    assert message.labels == {"outcome": 'od"d\n'}
    assert sample("x") == "x"


def test_leaks_are_counted_once() -> None:
    """A second look that finds one more counts one more; told again, the same ones count nothing."""

    def told(count: int) -> events.TimePassed:
        return events.TimePassed(at=9_000, what="utterances-quarantined", subject=f"{count} utterances were spoken")

    first = transition(CALL, told(2))
    second = transition(first, told(3))
    name = "orchestrator_quarantined_utterances_total"
    assert measure(CALL, first, told(2)) == {name: 2}
    assert measure(first, second, told(3)) == {name: 1}
    assert measure(second, transition(second, told(3)), told(3)) == {}
