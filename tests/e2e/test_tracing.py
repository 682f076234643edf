"""OpenTelemetry: a call's web and worker processes send one trace to a collector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.harness import CUSTOMER, Site
from tests.e2e.processes import DRAIN_S, free_port, poll
from tests.e2e.world import CallSeen, assert_ended_clean
from tests.loopback import Handler, Loopback


@dataclass
class Collector:
    """Takes OTLP over HTTP, as a collector does."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> dict[str, list[Span]]:
        """All that came, by trace."""
        found: dict[str, list[Span]] = defaultdict(list)
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found[span.trace_id.hex()].append(span)
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    taken = Collector()

    class Receiver(Handler):
        def answer(self) -> None:
            assert self.path == "/v1/traces"
            taken.bodies.append(self.body())
            self.send(200, b"", "application/x-protobuf")

    with Loopback(Receiver) as server:
        taken.url = server.url
        yield taken


def test_a_call_is_one_trace_from_its_webhook_to_the_vendors(collector: Collector) -> None:
    """Its id is the Call SID's; one root; a hold's webhook leads to the request that stops ASAPP; no number in it."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with Site(environment=environment) as site:
        call = CallSeen(site, site.play("two_holds").call_sid)
        name = call.sid.removeprefix("CA")
        poll(lambda: has_ended(collector, name), 20, "the end of the call is in its trace")
    spans = {span.span_id: span for span in collector.spans()[name]}
    (root,) = [span for span in spans.values() if not span.parent_span_id]
    assert root.name == "webhook /twilio/voice"
    assert [span.name for span in spans.values() if span.parent_span_id and span.parent_span_id not in spans] == []

    (stop, *_) = [span for span in spans.values() if span.name == "asapp stop-transcription"]
    line = ancestry(spans, stop)
    assert line[:2] == ["asapp stop-transcription", "stop-transcription"]
    assert line[2].startswith("event ")
    assert line[-1] == "webhook /twilio/voice"
    assert stop.kind == Span.SPAN_KIND_CLIENT
    assert not any(CUSTOMER.removeprefix("+").encode() in body for body in collector.bodies)


def test_a_collector_that_is_away_costs_nobody_anything() -> None:
    """Calls are looked after as without one, and the processes end in time."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with Site(environment=environment) as site:
        assert_ended_clean(CallSeen(site, site.play("two_holds").call_sid))
        for name in ("worker", "web"):
            process = site.process(name)
            process.popen.terminate()
            assert process.popen.wait(DRAIN_S) == 0, process.tail()


def has_ended(collector: Collector, name: str) -> bool:
    return any(span.name == "event leg-ended" for span in collector.spans()[name])


def ancestry(spans: dict[bytes, Span], span: Span) -> list[str]:
    names = [span.name]
    while span.parent_span_id:
        span = spans[span.parent_span_id]
        names.append(span.name)
    return names
