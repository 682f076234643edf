"""One trace per call: who is whose parent, without anything that travels."""

from __future__ import annotations

import threading

import msgspec
import pytest

from orchestrator.core.call import Call
from orchestrator.core.events import AuditRequested, CallArrived
from orchestrator.core.profile import Profile
from orchestrator.tracing import OFF, Span, Tracing, event_id, trace_of

SID, OTHER = "CA" + "1a" * 16, "CA" + "2b" * 16
PROFILE = Profile(route="conference")
ARRIVED, AUDIT = CallArrived(at=1, call_sid=SID, profile=PROFILE), AuditRequested(at=2)


def call(version: int, sid: str = SID) -> Call:
    return Call(call_sid=sid, profile=PROFILE, created_at=1, version=version)


def by_name(spans: list[Span]) -> dict[str, Span]:
    return {span.name: span for span in spans}


def test_the_trace_of_a_call_is_its_sid() -> None:
    """The 128 bits of the SID; what is no SID has none."""
    assert trace_of(SID) == int("1a" * 16, base=16)
    assert [trace_of(text) for text in ("CA" + "0" * 32, "CA1", "", "CA" + "G" * 32, "CA" + "1" * 33)] == [None] * 5


def test_a_call_is_one_tree_over_processes() -> None:
    """Webhook -> event -> action -> request and outcome -> next action, though web and worker share only the call."""
    web_spans: list[Span] = []
    worker_spans: list[Span] = []
    web, worker = Tracing(web_spans.append), Tracing(worker_spans.append)
    with web.webhook("/twilio/voice") as work:
        web.committed(call(1), ARRIVED, 5, is_changed=True)
        work.values["http.response.status_code"] = 200
    with worker.action("start-transcription", call(1)):
        worker.committed(call(2), AUDIT, 6, is_changed=True)
        worker.asked("asapp", "start-transcription", "done", 0.25)
    with web.webhook("/twilio/conference-status"):
        web.committed(call(3), AUDIT, 7, is_changed=True)
    with worker.action("stop-transcription", call(3)):
        worker.asked("asapp", "stop-transcription", "done", 0.1)

    spans = by_name([*worker_spans, *web_spans[:2]])
    root, first = spans["webhook /twilio/voice"], spans["event call-arrived"]
    action, asked = spans["start-transcription"], spans["asapp start-transcription"]
    later, its_event = web_spans[2:]
    assert {span.trace for span in (*web_spans, *worker_spans)} == {trace_of(SID)}
    assert root.parent is None
    assert (first.parent, first.id) == (root.id, event_id(SID, 1))
    assert action.parent == first.id
    assert asked.parent == action.id
    assert later.parent == first.id
    assert (its_event.parent, its_event.id) == (later.id, event_id(SID, 3))
    assert spans["stop-transcription"].parent == its_event.id
    assert root.values == {"call.sid": SID, "http.response.status_code": 200}
    assert (asked.kind, asked.is_failed, asked.ended - asked.began) == ("client", False, 250_000_000)


@pytest.mark.parametrize("outcome", ["failed", "unknown", "terminal", "refused-for-now"])
def test_a_request_that_failed_is_marked(outcome: str) -> None:
    """In the words of the clients' verdicts."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    with tracing.action("stop-transcription", call(1)):
        tracing.asked("asapp", "stop-transcription", outcome, 0.1)
    assert by_name(spans)["asapp stop-transcription"].is_failed


def test_what_concerns_no_call_leaves_no_span() -> None:
    """A request that changed none, an action that did nothing, a vendor asked beside calls, another call's event."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    with tracing.webhook("/healthz"):
        tracing.asked("asapp", "health", "done", 0.1)
    with tracing.action("read-call", call(1)):
        pass
    tracing.asked("asapp", "stream-url", "done", 0.1)
    tracing.committed(call(1), ARRIVED, 1, is_changed=True)
    assert spans == []
    with tracing.action("read-call", call(1)):
        tracing.committed(call(1, OTHER), ARRIVED, 1, is_changed=True)
    assert spans == []


def test_an_event_that_changed_nothing_takes_no_other_events_place() -> None:
    """Its span has an id of its own; and what fails inside still ends its spans."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)

    def fail() -> None:
        with tracing.webhook("/x"):
            tracing.committed(call(1), AUDIT, 1, is_changed=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    webhook, event = spans
    assert event.id != event_id(SID, 1)
    assert webhook.parent == event_id(SID, 1)


def test_what_follows_an_action_is_not_within_it() -> None:
    """An action inside a webhook ends, and the webhook goes on."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    with tracing.webhook("/x"):
        with tracing.action("stop-transcription", call(1)):
            tracing.asked("asapp", "stop-transcription", "done", 0.1)
        tracing.committed(call(2), AUDIT, 1, is_changed=True)
    found = by_name(spans)
    assert found["event audit-requested"].parent == found["webhook /x"].id
    assert found["asapp stop-transcription"].parent == found["stop-transcription"].id


def test_threads_do_not_mix() -> None:
    """What one does is not within the other's work."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    with tracing.webhook("/x"):
        other = threading.Thread(target=lambda: tracing.committed(call(1), ARRIVED, 1, is_changed=True))
        other.start()
        other.join()
    assert spans == []


def test_without_a_sink_nothing_happens() -> None:
    """The same calls, and the same errors pass through."""
    with OFF.webhook("/x"), OFF.action("stop", call(1)):
        OFF.committed(call(1), ARRIVED, 1, is_changed=True)
        OFF.asked("asapp", "stop", "done", 0.1)
    assert not OFF.is_on


def test_no_number_and_no_text_is_in_a_span() -> None:
    """Only names of ours and the Call SID, whatever the event carries."""
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    with tracing.webhook("/twilio/voice"):
        told = msgspec.structs.replace(ARRIVED, customer_number="+15555550101", called_number="+15555550100")
        tracing.committed(call(1), told, 1, is_changed=True)
    assert "5555" not in repr(spans)
