"""What is counted, derived from changes of calls, and how it reads as Prometheus text.

`measure` is pure: the counters that one event moved. The store adds them to its own in the same commit, so any
process answers for all. A counter's field is its sample's name as Prometheus writes it (labels included); fields that
start with `_` are not shown. What does not belong to one call's change (webhooks' times, requests to vendors,
transcript messages) is collected in a `Tally` per process and handed over from time to time.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from orchestrator.core import actions, events
from orchestrator.core.call import Call, TranscriptionState
from orchestrator.transcripts.coverage import coverage

Counts = dict[str, float]
Change = tuple[Call | None, Call, events.Event]

_FINE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COARSE = (0.1, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_MS = 1000
_LEAK = "utterances-quarantined"

HELP = {
    "orchestrator_webhook_seconds": ("histogram", "Time to answer a request, by endpoint and status."),
    "orchestrator_event_to_action_seconds": ("histogram", "From the wish to the first request to a vendor."),
    "orchestrator_pause_to_off_seconds": ("histogram", "From wanted off to transcription confirmed off."),
    "orchestrator_stream_recovery_seconds": ("histogram", "How long transcription was wanted on and was not."),
    "orchestrator_unwanted_transcription_seconds_total": ("counter", "Audio that may have been heard in a pause."),
    "orchestrator_quarantined_utterances_total": ("counter", "Utterances of a pause, kept out of their transcripts."),
    "orchestrator_calls": ("gauge", "Calls that have not ended, by state."),
    "orchestrator_provider_requests_total": ("counter", "Requests to vendors, by outcome."),
    "orchestrator_provider_seconds": ("histogram", "Time that a vendor took to answer, whatever the answer."),
    "orchestrator_transcript_messages_total": ("counter", "Transcript messages received, by outcome."),
    "orchestrator_sink_deliveries_total": ("counter", "Attempts to tell the sink, by outcome."),
    "orchestrator_dead_letters": ("gauge", "Messages that the sink never took; `orchestrator sinks` lists them."),
    "orchestrator_breaker_open": ("gauge", "1 while requests of this kind are held back, because they fail."),
    "orchestrator_workers": ("gauge", "Worker processes that have given a sign of life lately."),
    "orchestrator_asapp_requests_today": ("gauge", "Of ASAPP's daily limit, used since 00:00 UTC."),
    "orchestrator_asapp_kept_for_stops": ("gauge", "Of ASAPP's daily limit, kept for the stops of what is on."),
    "orchestrator_asapp_daily_limit": ("gauge", "ASAPP's daily limit, where one is set."),
    "orchestrator_parked_calls": ("gauge", "Calls that no worker could work on."),
    "orchestrator_redis_warnings": ("gauge", "Settings of Redis that may lose calls; /readyz names them."),
    "orchestrator_missed_talk_seconds_total": ("counter", "Talk of ended calls that was not transcribed, by reason."),
    "orchestrator_coverage_ratio": ("gauge", "Share of the wanted time that was transcribed, over ended calls."),
}


@lru_cache(maxsize=2048)
def sample(name: str, **labels: str) -> str:
    """A sample's name with its labels, e.g. `x_total{outcome="done"}`."""
    if not labels:
        return name
    text = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{text}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def observed(name: str, seconds: float, buckets: Iterable[float] = _COARSE, **labels: str) -> Counts:
    """One observation of a histogram."""
    edges, total, count = _names(name, tuple(buckets), tuple(labels.items()))
    counts = {bucket: 1.0 for edge, bucket in edges if seconds <= edge}
    counts[total] = max(0.0, seconds)
    counts[count] = 1.0
    return counts


@lru_cache(maxsize=2048)
def _names(
    name: str, buckets: tuple[float, ...], labels: tuple[tuple[str, str], ...]
) -> tuple[list[tuple[float, str]], str, str]:
    """The samples of a histogram: made once, for each request is observed."""
    named = dict(labels)
    edges = [(edge, sample(f"{name}_bucket", le=f"{edge:g}", **named)) for edge in buckets]
    edges.append((math.inf, sample(f"{name}_bucket", le="+Inf", **named)))
    return edges, sample(f"{name}_sum", **named), sample(f"{name}_count", **named)


def measure(before: Call | None, after: Call, event: events.Event) -> Counts:
    """What one event on a call moved."""
    counts: Counts = defaultdict(float)
    for part in (_pause_to_off, _recovery, _unwanted, _quarantined, _waits, _coverage):
        for name, value in part((before, after, event)).items():
            counts[name] += value
    return dict(counts)


def _pause_to_off(change: Change) -> Counts:
    before, after, event = change
    if before is None or before.off_wanted_at is None or after.off_wanted_at is not None:
        return {}
    if after.transcription.state is not TranscriptionState.OFF:
        return {}
    return observed("orchestrator_pause_to_off_seconds", (event.at - before.off_wanted_at) / _MS)


def _recovery(change: Change) -> Counts:
    """A gap with a failure behind it that closed in this change; plain starts are no recoveries."""
    before, after, _ = change
    if before is None or not before.gaps or before.gaps[-1].end is not None:
        return {}
    started = before.gaps[-1].start
    closed = next((gap for gap in after.gaps if gap.start == started and gap.end is not None), None)
    if closed is None or closed.end is None or closed.reason == "starting":
        return {}
    return observed("orchestrator_stream_recovery_seconds", (closed.end - closed.start) / _MS)


def _unwanted(change: Change) -> Counts:
    before, after, _ = change
    grown = after.unwanted_ms - (before.unwanted_ms if before else 0)
    return {"orchestrator_unwanted_transcription_seconds_total": grown / _MS} if grown > 0 else {}


def _quarantined(change: Change) -> Counts:
    """How many more utterances of the call the fence is told to have kept out; the problem's detail begins with it."""
    before, after, event = change
    if before is None or not isinstance(event, events.TimePassed) or event.what != _LEAK:
        return {}
    grown = _leaks(after) - _leaks(before)
    return {"orchestrator_quarantined_utterances_total": float(grown)} if grown > 0 else {}


def _leaks(call: Call) -> int:
    told = next((problem.detail for problem in call.problems if problem.id == _LEAK), "0")
    number = told.partition(" ")[0]
    return int(number) if number.isdecimal() else 0


def _waits(change: Change) -> Counts:
    """From the change that called for an action to its first attempt; repeats have their own ladder."""
    before, _, event = change
    if before is None or not isinstance(event, events.ActionIntended):
        return {}
    match event.action:
        case actions.NoteTime():
            return {}
        case actions.StopTranscription():
            since = before.off_wanted_at if before.transcription.failures == 0 else None
        case actions.StartTranscription(purpose="start"):
            since = before.wanted_since if before.transcription.failures == 0 else None
        case actions.StartTranscription():
            since = None
        case _:
            since = before.updated_at
    if not since:
        return {}
    seconds = (event.at - since) / _MS
    return observed("orchestrator_event_to_action_seconds", seconds, _FINE, action=actions.name_of(event.action))


def _coverage(change: Change) -> Counts:
    """At the end of a call what its ledger says: how long it was transcribed, and how long it was not, and why."""
    before, after, _ = change
    if before is None or before.is_ended or not after.is_ended:
        return {}
    ledger = coverage(after)
    counts = {"_coverage_heard_ms": ledger["transcribed_s"] * _MS, "_coverage_missing_ms": ledger["missing_s"] * _MS}
    for cause, seconds in ledger["gaps_s"].items():
        counts[sample("orchestrator_missed_talk_seconds_total", reason=cause)] = seconds
    return counts


class Tally:
    """Counts of this process, until somebody takes them away. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counts = {}

    def add(self, counts: Mapping[str, float]) -> None:
        with self._lock:
            for name, value in counts.items():
                self._counts[name] = self._counts.get(name, 0.0) + value

    def take(self) -> Counts:
        """All counts so far; they are the caller's now (who adds them again if they cannot be handed over)."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts

    def webhook(self, endpoint: str, status: int, seconds: float) -> None:
        self.add(observed("orchestrator_webhook_seconds", seconds, _FINE, endpoint=endpoint, status=str(status)))

    def provider_request(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        name = "orchestrator_provider_requests_total"
        self.add({sample(name, provider=provider, operation=operation, outcome=outcome): 1.0})
        self.add(observed("orchestrator_provider_seconds", seconds, _FINE, provider=provider, operation=operation))

    def sink_delivery(self, outcome: str) -> None:
        self.add({sample("orchestrator_sink_deliveries_total", outcome=outcome): 1.0})

    def transcript_message(self, outcome: str) -> None:
        self.add({sample("orchestrator_transcript_messages_total", outcome=outcome): 1.0})


def exposition(counters: Mapping[str, float], calls_by_state: Mapping[str, int]) -> str:
    """Everything as Prometheus text."""
    shown = {name: value for name, value in counters.items() if not name.startswith("_")}
    for state, number in calls_by_state.items():
        shown[sample("orchestrator_calls", state=state)] = number
    heard, missing = counters.get("_coverage_heard_ms", 0.0), counters.get("_coverage_missing_ms", 0.0)
    if heard + missing > 0:
        shown["orchestrator_coverage_ratio"] = heard / (heard + missing)
    families: dict[str, list[str]] = {name: [] for name in HELP}
    for name in sorted(shown, key=_order):
        families.setdefault(_family(name), []).append(f"{name} {_number(shown[name])}")
    lines: list[str] = []
    for family, samples in families.items():
        kind, text = HELP.get(family, ("untyped", "Counted elsewhere."))
        lines += [f"# HELP {family} {text}", f"# TYPE {family} {kind}", *samples]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Every digit: a counter that is rounded stands still and then leaps."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _family(name: str) -> str:
    base = name.partition("{")[0]
    for ending in ("_bucket", "_sum", "_count"):
        if base.endswith(ending) and base.removesuffix(ending) in HELP:
            return base.removesuffix(ending)
    return base


def _order(name: str) -> tuple[str, float, str]:
    """Buckets in the order of their edges, as scrapers expect them."""
    base, _, labels = name.partition("{")
    edge = labels.partition('le="')[2].partition('"')[0]
    others = labels.replace(f'le="{edge}"', "")
    return f"{base}{{{others}", float(edge) if edge else 0.0, name
