"""Every point that the vendors leave open, set one way or the other: the emulators' switches of each test site.

`documented` is the emulators' own default, what the documents say or suggest. `flipped` takes another value of every
switch that can touch a call, `third` the remaining one where there are three. What is in none of them stands in
`ELSEWHERE` with its reason. A story that runs on all of them holds whichever way the vendors turn out to be.
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
        "stream-break": "stopped-only",
        "stream-connect-failure": "silent",
        "streams-on-redirect": "end",
        "stream-callback": "before-response",
        "stream-create-status": "201",
        "stop-stopped-stream": "200",
        "stop-on-ended-call": "404",
        "call-reads": "late",
        "duplicate-stream-name": "accept",
        "stop-unknown-stream": "fail",
        "chunk-numbering": "per-stream",
        "stream-overrides": "ignore",
        "not-in-progress-status": "404",
        "conference-first-sequence": "0",
        "conference-default-events": "all",
        "child-on-parent-redirect": "keep",
        "action-after-hangup": "omit",
        "idempotency-token": "never",
        "caller-called": "omit",
        "empty-document": "hang-up",
        "queue-result-while-bridging": "hangup",
        "taskrouter-order": "shuffled",
        "taskrouter-delay": "late",
        "taskrouter-attributes": "before-bridging",
        "taskrouter-accepted": "after-bridging",
        "taskrouter-first-joiner": "worker",
        "taskrouter-labels": "roles",
        "taskrouter-after-call": "completed",
        "webhook-connections": "keep-alive",
    },
    asapp={
        "stream-url-host": "localhost",
        "bad-token": "close-1008",
        "mg-codes": "generic",
        "start-before-media": "accept",
        "start-with-new-agent": "switch",
        "stop-before-start": "400-203",
        "stream-ids-after-resume": "same",
        "offsets-after-resume": "continue",
        "after-reconnect": "still-started",
        "second-stream": "replace",
        "redaction-rules": "always",
        "is-ok-false-body": "streams",
        "utterance-end": "utterance-start",
        "summary": "cumulative",
        "webhook-content-type": "text/plain",
        "webhook-reorder": "0.3",
        "messages-complete-after-s": "60",
        "messages-before-complete": "empty",
        "messages-order": "unordered",
        "messages-unknown": "empty",
        "messages-external-id": "null",
        "messages-timestamps": "one",
    },
)
THIRD = Switched(
    twilio={
        "stream-break": "stopped-then-error",
        "stream-connect-failure": "error-then-stopped",
        "stop-stopped-stream": "21220",
        "stop-on-ended-call": "200",
        "hold-without-url": "silence",
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
        "stop-fields": "guid",
        "same-role-tracks": "accept",
        "after-reconnect": "resumes",
        "second-stream": "refuse",
        "missing-track": "absent",
        "webhook-connections": "close",
        "webhook-content-type": "application/json; charset=utf-8",
        "messages-before-complete": "404",
        "messages-external-id": "absent",
        "messages-kept": "last",
    },
)
SWITCHED = {"documented": DOCUMENTED, "flipped": FLIPPED, "third": THIRD}

_SCRIPTED = "what people do, not what a vendor leaves open: the stories' scenarios say it call by call"
_EXPORTER = "the nightly File Exporter is in no story: integration/transcripts/test_batch.py"
_DETAILED = "no story's profile asks for it: contract/test_asapp_client.py, unit/transcripts"
_PACE = "a measure of pace or size, at its documented value in every story"

ELSEWHERE: Mapping[str, str] = {
    "twilio stream-break=error-only": "story 9 breaks a stream so by name",
    "twilio stream-break=silent": "story 9 breaks a stream so by name, on a number whose probe can find it",
    "twilio stream-connect-failure=stopped-then-error": "a failed stream is failed by the first word of it: unit/core",
    "twilio dial-answer": _SCRIPTED,
    "twilio enqueue-outcome": _SCRIPTED,
    "twilio conversation": _SCRIPTED,
    "asapp stream-url-form=query": "Twilio drops the query, so no stream would open: contract/test_asapp_client.py",
    "asapp bad-token=403": "Twilio tells the same of every refusal, 31920: no story could see the difference",
    "asapp wrong-credentials=401": "a story's credentials are right: contract/test_asapp_client.py",
    "asapp missing-track=4080": "a story's streams carry both tracks: unit/emulators/test_asapp_gateway.py",
    "asapp redaction-rules=none": "the default profile is refused: contract/test_asapp_client.py",
    "asapp redaction-refusal": "no story's profile is refused: contract/test_asapp_client.py",
    "asapp detailed-token-form": _DETAILED,
    "asapp both-redactions-form": _DETAILED,
    "asapp feeds": _EXPORTER,
    "asapp feed-values": _EXPORTER,
    "asapp feed-formats": _EXPORTER,
    "asapp feed-intervals": _EXPORTER,
    "asapp feed-packing": _EXPORTER,
    "asapp feed-split-rows": _EXPORTER,
    "asapp feed-success": _EXPORTER,
    "asapp feed-duplicates": _EXPORTER,
    "asapp feed-link-ttl-s": _EXPORTER,
    "asapp feed-link-scheme": _EXPORTER,
    "asapp feed-sender-type": _EXPORTER,
    "asapp stream-url-ttl-s": _PACE,
    "asapp stream-known-after-ms": _PACE,
    "asapp webhook-timeout-ms": _PACE,
    "asapp webhook-queue": _PACE,
    "asapp webhook-in-flight": _PACE,
    "asapp transcript-latency-min-ms": _PACE,
    "asapp transcript-latency-max-ms": _PACE,
    "asapp messages-cap": "story 20 lists 1,000 of 1,200 messages",
    "asapp spike-limit": "429 in integration/faults/test_fault_asapp.py",
    "asapp daily-limit": "429 for the rest of the day: integration/faults/test_fault_asapp.py",
    "asapp health-failed-status=503": "nothing of a call asks for ASAPP's health: contract/test_asapp_client.py",
    "asapp max-stream-s": "the end of a stream as story 9 has it, told by a close of ASAPP's",
    "asapp idle-timeout-s": "Twilio sends frames all the time, silence too",
}
"""Values, or whole switches, that are in none of the sets, each with its reason and who tests it."""
