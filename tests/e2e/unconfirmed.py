"""Every point that the vendors leave open, set one way or the other: the emulators' switches of each test site.

`documented` is the emulators' own default, what the documents say or suggest. `flipped` takes the other value of
every switch that can touch a call, `third` the remaining one where there are three; what only concerns the list of
messages after the call and the summary of a stop is not a story's. A story that runs on all of them holds whichever
way the vendors turn out to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Switched:
    """Switches of both emulators that differ from their defaults."""

    twilio: Mapping[str, str] = field(default_factory=dict)
    asapp: Mapping[str, str] = field(default_factory=dict)


DOCUMENTED = Switched()
FLIPPED = Switched(
    twilio={
        "stream-url-query": "refuse",
        "stream-connect-failure": "silent",
        "streams-on-redirect": "end",
        "stream-callback": "before-response",
        "stream-create-status": "201",
        "stop-stopped-stream": "200",
        "stop-on-ended-call": "404",
        "call-reads": "late",
        "duplicate-stream-name": "accept",
        "chunk-numbering": "per-stream",
        "stream-overrides": "ignore",
        "not-in-progress-status": "404",
        "conference-first-sequence": "0",
        "conference-default-events": "all",
        "child-on-parent-redirect": "keep",
        "action-after-hangup": "omit",
        "idempotency-token": "never",
        "caller-called": "omit",
        "queue-result-while-bridging": "hangup",
        "taskrouter-order": "shuffled",
        "taskrouter-delay": "late",
        "taskrouter-attributes": "before-bridging",
        "taskrouter-accepted": "after-bridging",
        "taskrouter-first-joiner": "worker",
        "taskrouter-labels": "roles",
        "webhook-connections": "keep-alive",
    },
    asapp={
        "bad-token": "close-1008",
        "mg-codes": "generic",
        "start-before-media": "accept",
        "start-with-new-agent": "switch",
        "stop-before-start": "400-203",
        "stream-ids-after-resume": "same",
        "offsets-after-resume": "continue",
        "utterance-end": "utterance-start",
        "after-reconnect": "still-started",
        "second-stream": "replace",
        "is-ok-false-body": "streams",
        "webhook-content-type": "text/plain",
        "messages-order": "unordered",
        "messages-external-id": "null",
        "messages-timestamps": "one",
    },
)
THIRD = Switched(
    twilio={
        "stop-stopped-stream": "21220",
        "stop-on-ended-call": "200",
        "conference-default-events": "none",
        "idempotency-token": "repeats",
        "taskrouter-order": "documented",
        "taskrouter-attributes": "before-bridging",
        "taskrouter-after-call": "none",
        "child-on-parent-hangup": "keep",
        "taskrouter-worker-exit": "leaves",
        "stream-callback": "before-response",
    },
    asapp={
        "bad-token": "404",
        "start-with-new-agent": "ignore",
        "after-reconnect": "resumes",
        "second-stream": "refuse",
        "missing-track": "absent",
        "webhook-content-type": "application/json; charset=utf-8",
        "messages-external-id": "absent",
        "messages-kept": "last",
    },
)
SWITCHED = {"documented": DOCUMENTED, "flipped": FLIPPED, "third": THIRD}
