"""What the vendor's documents leave open, each with its allowed values; the first is the default.

Set at the start with ``--switch name=value`` or at run time with ``POST /_emulator/switches``.
An unknown name or value is an error, so that a misspelt test does not pass by accident.
"""

from collections.abc import Mapping
from typing import Final

SWITCHES: Final[dict[str, tuple[str, ...]]] = {
    # The query string of a stream's URL: dropped before dialing (field reports), or not dialed at all.
    "stream-url-query": ("strip", "refuse"),
    # Which callbacks follow when an established WebSocket is cut or closed by the other side.
    "stream-break": ("error-then-stopped", "stopped-then-error", "stopped-only", "error-only", "silent"),
    # Which callbacks follow when a stream's WebSocket cannot be opened ("silent" was seen in the field).
    "stream-connect-failure": ("error-only", "error-then-stopped", "stopped-then-error", "silent"),
    # Media streams when a REST update gives the call new TwiML.
    "streams-on-redirect": ("survive", "end"),
    # A stream by REST: does its callback overtake the answer of the request that caused it?
    "stream-callback": ("after-response", "before-response"),
    # Status code of a stream's creation (the specification says 200).
    "stream-create-status": ("200", "201"),
    # Stopping a stream that is already stopped, on a call in progress.
    "stop-stopped-stream": ("404", "200", "21220"),
    # Stopping a stream on a call that has ended.
    "stop-on-ended-call": ("21220", "404", "200"),
    # Reads of a call: exact, or still saying in-progress for 2 s after the end ("eventually consistent").
    "call-reads": ("exact", "late"),
    # A second live stream of the same name on one call.
    "duplicate-stream-name": ("refuse", "accept"),
    # `<Stop>` of a stream that does not run: passed over, or the document fails.
    "stop-unknown-stream": ("ignore", "fail"),
    # `media.chunk` counted for each track or over both.
    "chunk-numbering": ("per-track", "per-stream"),
    # Connection overrides (`#rc=...`) on the callback of a stream.
    "stream-overrides": ("honour", "ignore"),
    # HTTP status of 21220, "the call is not in progress".
    "not-in-progress-status": ("400", "404"),
    # First SequenceNumber of a conference.
    "conference-first-sequence": ("1", "0"),
    # Events of a TwiML conference that names a callback but no events.
    "conference-default-events": ("start-end", "none", "all"),
    # What a held participant hears where no HoldUrl is given.
    "hold-without-url": ("music", "silence"),
    # The child of a `<Dial>` when its parent is redirected.
    "child-on-parent-redirect": ("disconnect", "keep"),
    # The child of a `<Dial>`, once it has answered, when its parent hangs up: an agent's device and its customer.
    "child-on-parent-hangup": ("disconnect", "keep"),
    # The action URL of a `<Dial>` whose caller hangs up.
    "action-after-hangup": ("send", "omit"),
    # `I-Twilio-Idempotency-Token`: on every attempt, or on repeated ones only.
    "idempotency-token": ("always", "repeats", "never"),
    # `Caller` and `Called` beside `From` and `To`.
    "caller-called": ("send", "omit"),
    # An empty answer (204, or 200 with no body) where TwiML is expected.
    "empty-document": ("fail", "hang-up"),
    # Does a dialed leg answer of its own, or when it is told to (`agent-answers`)?
    "dial-answer": ("manual", "auto", "no-answer", "busy", "failed"),
    # What becomes of a caller at `<Enqueue>` (a call's own `enqueue_outcome` goes before it).
    "enqueue-outcome": ("queued", "queue-full", "error", "system-error"),
    # QueueResult of a caller who goes while the worker's phone rings.
    "queue-result-while-bridging": ("bridging-in-process", "hangup"),
    # Order of TaskRouter's events that belong together: as seen in the field (task.created is not the first, the
    # task completes before its reservation), as the documents list them, or in any order.
    "taskrouter-order": ("observed", "documented", "shuffled"),
    # TaskRouter's events: at once, or some seconds late.
    "taskrouter-delay": ("none", "late"),
    # Is the task told of its conference or worker's call before the two are connected, or afterwards?
    "taskrouter-attributes": ("after-bridging", "before-bridging"),
    # reservation.accepted and the moment at which customer and worker are connected.
    "taskrouter-accepted": ("before-bridging", "after-bridging"),
    # Who is first in a conference that TaskRouter makes.
    "taskrouter-first-joiner": ("customer", "worker"),
    # Labels of the participants of a conference that TaskRouter makes ("customer", "worker").
    "taskrouter-labels": ("none", "roles"),
    # A worker who leaves a conference that TaskRouter made ends it, unless a transfer was begun.
    "taskrouter-worker-exit": ("ends-conference", "leaves"),
    # What TaskRouter does of its own when a worker's part of the call is over.
    "taskrouter-after-call": ("wrapup", "completed", "none"),
    # HTTP connections of webhooks: a new one for each request, or kept.
    "webhook-connections": ("close", "keep-alive"),
    # Do customer and agents talk of their own while they are connected?
    "conversation": ("auto", "silent"),
}


class UnknownSwitchError(ValueError):
    """A switch or a value that does not exist."""


class Switches:
    """The switches of one emulator. ``switches["name"]`` is always one of the allowed values."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._values: dict[str, str] = {}
        self.reset()
        self.set(given or {})
        self._at_start = dict(self._values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def set(self, given: Mapping[str, str]) -> None:
        """Set some switches, or raise `UnknownSwitchError` and set none."""
        for name, value in given.items():
            if name not in SWITCHES:
                raise UnknownSwitchError(f"no switch {name!r}; there are: {', '.join(sorted(SWITCHES))}")
            if value not in SWITCHES[name]:
                raise UnknownSwitchError(f"switch {name} is one of {', '.join(SWITCHES[name])}, not {value!r}")
        self._values.update(given)

    def reset(self) -> None:
        """Go back to the values given at the start."""
        self._values = dict(getattr(self, "_at_start", None) or {n: v[0] for n, v in SWITCHES.items()})

    def as_dict(self) -> dict[str, str]:
        return dict(self._values)
