"""One trace per call, for OpenTelemetry: webhook -> event -> action -> request to a vendor.

Nothing has to travel: a Call SID is 128 bits, and they are the trace's id; the span of an event is named by the call
and the version that the event made. So a worker that acts on version 7 knows the span it continues, whichever process
wrote it. The first webhook of a call is the root; everything else hangs below the event that led to it.

    webhook /twilio/conference-status
      event participant-held            (version 7)
        stop-transcription              (a worker, seeing version 7)
          event action-intended         (version 8)
          asapp stop-transcription      (the request)
          event action-ended            (version 9)

A process without tracing has `OFF`, whose work is a test of None. Spans carry Call SIDs and names of ours: no phone
number, no text, no URL. Where they go is a `Sink`; `orchestrator.otlp` has the real one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.core.events import Event

_ID_BYTES = 8
_SID = re.compile(r"CA[0-9a-f]{32}\Z")
_NS = 1e9
_FAILURES = frozenset({"failed", "unknown", "terminal", "refused-for-now"})
Value = str | int | bool


@dataclass(frozen=True)
class Span:
    """A finished piece of work. Ids are numbers of 128 (trace) and 64 bits; times are nanoseconds since the epoch."""

    name: str
    kind: str
    """`server`, `client` or `internal`."""
    trace: int
    id: int
    parent: int | None
    began: int
    ended: int
    is_failed: bool = False
    values: dict[str, Value] = field(default_factory=dict)


Sink = Callable[[Span], None]


def trace_of(call_sid: str) -> int | None:
    """The trace of a call; None for what is no Call SID."""
    return int.from_bytes(bytes.fromhex(call_sid[2:])) or None if _SID.match(call_sid) else None


def event_id(call_sid: str, version: int) -> int:
    """The span of the event that made this version of the call."""
    digest = hashlib.sha256(f"{call_sid}:{version}".encode()).digest()
    return int.from_bytes(digest[:_ID_BYTES]) or 1


@dataclass
class Work:
    """What is under way in this thread: a webhook, or an action on a call. Spans within it are kept until its end."""

    id: int
    call_sid: str = ""
    is_first: bool = False
    """The event that began the call was committed within."""
    within: list[Span] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)


_under_way: ContextVar[Work | None] = ContextVar("work", default=None)


def _new_id() -> int:
    return int.from_bytes(secrets.token_bytes(_ID_BYTES)) or 1


class Tracing:
    """Safe to share among threads. Without a sink it does nothing."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink

    @property
    def is_on(self) -> bool:
        return self._sink is not None

    @contextmanager
    def webhook(self, route: str) -> Iterator[Work]:
        """A request that may tell of a call; a trace has it only if it does. The caller may add to `values`."""
        with self._work(f"webhook {route}", "server", Work(_new_id())) as work:
            yield work

    @contextmanager
    def action(self, name: str, call: Call) -> Iterator[None]:
        """What a worker does for a call as it stands."""
        parent = event_id(call.call_sid, call.version)
        with self._work(name, "internal", Work(_new_id(), call.call_sid), parent):
            yield

    @contextmanager
    def _work(self, name: str, kind: str, work: Work, parent: int | None = None) -> Iterator[Work]:
        if self._sink is None:
            yield work
            return
        began, token = time.time_ns(), _under_way.set(work)
        try:
            yield work
        finally:
            _under_way.reset(token)
            trace = trace_of(work.call_sid)
            if trace is not None and work.within:
                if parent is None and not work.is_first:
                    parent = event_id(work.call_sid, 1)
                values = {"call.sid": work.call_sid, **work.values}
                self._sink(Span(name, kind, trace, work.id, parent, began, time.time_ns(), values=values))
                for inner in work.within:
                    self._sink(replace(inner, trace=trace, parent=work.id))

    def committed(self, after: Call, event: Event, began: int, *, is_changed: bool) -> None:
        """An event was committed to a call; it belongs to what is under way in this thread."""
        work = _under_way.get()
        if work is None or work.call_sid not in {"", after.call_sid}:
            return
        work.call_sid = after.call_sid
        is_first = is_changed and after.version == 1
        work.is_first = work.is_first or is_first
        span_id = event_id(after.call_sid, after.version) if is_changed else _new_id()
        name = f"event {event.__struct_config__.tag}"
        values: dict[str, Value] = {"call.version": after.version, "call.is_changed": is_changed}
        work.within.append(Span(name, "internal", 0, span_id, None, began, time.time_ns(), values=values))

    def asked(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """A vendor has been asked, for so long until now."""
        work = _under_way.get()
        if work is None:
            return
        ended = time.time_ns()
        values: dict[str, Value] = {"vendor": provider, "operation": operation, "outcome": outcome}
        began, is_failed = ended - round(seconds * _NS), outcome in _FAILURES
        work.within.append(
            Span(f"{provider} {operation}", "client", 0, _new_id(), None, began, ended, is_failed, values)
        )


OFF = Tracing()
