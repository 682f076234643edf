"""Spans to an OpenTelemetry collector, by OTLP over HTTP. Needs the extra `otel`; imported only where it is asked for.

Spans wait in memory and are sent by a thread of the SDK's; what a collector does not take is dropped there, and no
caller waits. The SDK's own variables count (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES`, ...).
"""

from __future__ import annotations

import atexit
import os
import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from orchestrator import __version__
from orchestrator.tracing import Sink, Span

_LAST_S = 2.0
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("orchestrator", __version__)
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}


def sink(endpoint: str) -> Sink:
    """`endpoint`: the collector's address, without `/v1/traces`. Ends, sending what waits, with the process."""
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "orchestrator"}
    resource = Resource.create({**name, SERVICE_VERSION: __version__})
    processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"))
    atexit.register(_last_time, processor)

    def send(span: Span) -> None:
        processor.on_end(_readable(span, resource))

    return send


def _last_time(processor: BatchSpanProcessor) -> None:
    """What waits is sent if the collector takes it now; one that is away must not hold up the end of the process."""
    sending = threading.Thread(target=processor.shutdown, name="last-spans", daemon=True)
    sending.start()
    sending.join(_LAST_S)


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    parent = None if span.parent is None else SpanContext(span.trace, span.parent, is_remote=True, trace_flags=_SAMPLED)
    return ReadableSpan(
        name=span.name,
        context=SpanContext(span.trace, span.id, is_remote=False, trace_flags=_SAMPLED),
        parent=parent,
        resource=resource,
        attributes=dict(span.values),
        kind=_KINDS[span.kind],
        instrumentation_scope=_SCOPE,
        status=Status(StatusCode.ERROR if span.is_failed else StatusCode.UNSET),
        start_time=span.began,
        end_time=span.ended,
    )
