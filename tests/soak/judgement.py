"""What became of all calls, from the outside: ASAPP's sessions, Twilio's deliveries, and the store's timelines.

**Unwanted frames.** ASAPP's emulator tells when each session began and ended and when each media stream was open, so
when it was transcribing is known to the millisecond. A stretch that must not be heard (a hold, a wait without an agent,
a card number, a survey) has three moments: it began; the service was *informed* (its own 2xx to the callback or to the
desktop, or Twilio's 200 to its look at the conference, whichever was first; a callback that was lost informs nobody);
it ended. From being informed the service has 3.5 s in which a worker lives: 3 s until the media stream is cut, and half
a second for the request. An outage (a worker killed or frozen until its calls may be taken over, Redis away) within
these 3.5 s begins them anew at its end. Transcribing later than that within the stretch counts, in frames of 20 ms.

    unwanted = sum over stretches of |transcribing and [informed + 3.5 s of service, ended]| / 20 ms

The first wait, before any agent, has no such budget: its 3.5 s are 0. Beside that, private audio heard outside every
stretch would escape this sum, so by groups of kinds (`_KINDS`): what was heard of them may not be longer than ASAPP
transcribed within the stretches of that group, on two tracks, and `_SLACK_S` for each stretch (frames on their way).
On a busy machine the emulated audio runs late and catches up in a burst: a stretch counts as longer by as much as was
measured around it (`lateness`), and as much audio more may come in it. The sum above knows moments only and is exact.

**Events lost.** Whatever was answered with success must be in the call's timeline: desktop events by `event_id`,
conference events by their sequence number, stream events by name and stream. What was acknowledged in the last second
of a master that failed over may not have reached its replica: it counts as never told, here and above.

**Recovery.** How long from being informed of a stretch until silence, and how long transcription was missing (gaps
that a failure began), the faults' own duration included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from orchestrator.core import events as e
from orchestrator.core.call import Call, TranscriptionState
from orchestrator.store.reading import CallReader, TimelineEntry
from tests.soak.callers import Caller, Private
from tests.soak.lateness import FRAME_S, Lateness

BOUND_S = 3.5
_SLACK_S = 0.3
_KINDS = {
    "hold": ("hold-music", "held-customer"),
    "wait": ("queue-music", "ivr"),
    "payment": ("payment",),
    "survey": ("survey",),
}
_CALLBACKS = {"hold": "participant-hold", "wait": "participant-leave"}
Span = tuple[float, float]
Json = dict[str, Any]


@dataclass
class Verdict:
    """One call's part of the report; each list names what is wrong."""

    lost: list[str] = field(default_factory=list)
    unwanted_frames: int = 0
    unwanted: list[str] = field(default_factory=list)
    unconverged: list[str] = field(default_factory=list)
    dropped: str = ""
    silence_s: list[float] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)


@dataclass
class Evidence:
    """Everything that was seen, asked for once, after the end."""

    asapp: dict[str, Json]
    twilio: dict[str, Json]
    deliveries: dict[str, list[Json]]
    reads: list[Json]
    outages: list[tuple[float, float, str]]
    forgotten: list[Span]
    store: CallReader
    lateness: Lateness

    def judge(self, caller: Caller) -> Verdict:
        verdict = Verdict()
        call = self.store.load(caller.sid)
        leg = self.twilio[caller.sid]
        if leg["ended_by"] != "hung-up":
            verdict.dropped = f"{leg['ended_by']} at {leg['twiml_position']}"
        if call is None:
            verdict.unconverged.append("not in the store")
            return verdict
        timeline = self.store.timeline(caller.sid)
        verdict.lost = self._lost(caller, timeline)
        verdict.unconverged = list(self._unconverged(call))
        verdict.gap_s = [(gap.end - gap.start) / 1000 for gap in call.gaps if gap.end and gap.reason != "starting"]
        self._hear(caller, verdict)
        return verdict

    # --- events ---------------------------------------------------------------------------------------------------

    def _lost(self, caller: Caller, timeline: list[TimelineEntry]) -> list[str]:
        known = {key for entry in timeline for key in _keys(entry.event)}
        told: list[tuple[str, ...]] = [
            ("desktop", event_id) for at, event_id in caller.acknowledged if not self._is_forgotten(at)
        ]
        for row in self.deliveries[caller.sid]:
            if self._is_taken(row):
                told += _told(row)
        return [" ".join(key) for key in told if key not in known]

    def _unconverged(self, call: Call) -> Iterable[str]:
        seen = self.asapp.get(call.call_sid, {})
        if not call.is_ended:
            yield "not ended"
        if call.transcription.state is not TranscriptionState.OFF:
            yield f"transcription {call.transcription.state}"
        if seen.get("transcribing"):
            yield "ASAPP transcribes"
        if any(stream["open"] for stream in seen.get("streams", [])):
            yield "a media stream is open"
        if call.in_flight is not None:
            yield "an intent without outcome"

    # --- hearing --------------------------------------------------------------------------------------------------

    def _hear(self, caller: Caller, verdict: Verdict) -> None:
        seen = self.asapp.get(caller.sid)
        if seen is None:
            return
        heard = list(transcribing(seen))
        for number, stretch in enumerate(caller.private):
            informed_at = self._informed_at(caller, stretch, is_first=number == 0)
            if informed_at is None:
                continue
            self._hear_stretch(stretch, informed_at, heard, verdict, bound_s=BOUND_S if number else 0.0)
        for group, kinds in _KINDS.items():
            most_s = sum(self._most_s(each, heard) for each in caller.private if each.group == group)
            heard_s = sum(seen["heard_ms"].get(kind, 0) for kind in kinds) / 1000
            if heard_s > most_s:
                verdict.unwanted_frames += round((heard_s - most_s) / FRAME_S)
                verdict.unwanted.append(f"{heard_s:.2f} s of {' and '.join(kinds)} heard, {most_s:.2f} s at most")

    def _most_s(self, stretch: Private, heard: list[Span]) -> float:
        """The longest that both tracks of a stretch can have been heard, late audio included."""
        ended = stretch.ended or inf
        late_s = self.lateness.around(stretch.began, ended)
        during_s = overlap(heard, (stretch.began - _SLACK_S, ended + late_s + _SLACK_S))
        return 2 * (during_s + late_s) + _SLACK_S if during_s else 0.0

    def _hear_stretch(
        self, stretch: Private, informed_at: float, heard: list[Span], verdict: Verdict, *, bound_s: float
    ) -> None:
        ended = stretch.ended or inf
        on = [end for start, end in heard if start <= informed_at < end]
        if on and on[0] < ended:
            verdict.silence_s.append(on[0] - informed_at)
        late_s = overlap(heard, (self._deadline(informed_at, bound_s), ended))
        if late_s > FRAME_S:
            verdict.unwanted_frames += round(late_s / FRAME_S)
            verdict.unwanted.append(
                f"{stretch.group} at {stretch.began:.2f}, informed {informed_at:.2f}: {late_s:.2f} s"
            )

    def _deadline(self, informed_at: float, bound_s: float) -> float:
        deadline = informed_at + bound_s
        for began, ended, _ in sorted(self.outages):
            if bound_s and began < deadline and ended > informed_at:
                deadline = max(deadline, ended + bound_s)
        return deadline

    def _informed_at(self, caller: Caller, stretch: Private, *, is_first: bool) -> float | None:
        if is_first:
            return stretch.began
        if stretch.informed_at is not None:
            return None if self._is_forgotten(stretch.informed_at) else stretch.informed_at
        rows = self.deliveries[caller.sid]
        kind = _CALLBACKS[stretch.group]
        told = [row["at"] for row in rows if row["params"].get("StatusCallbackEvent") == kind and self._is_taken(row)]
        rooms = {row["params"].get("ConferenceSid") for row in rows} - {None}
        read = [
            row["at"]
            for row in self.reads
            if row["status"] == 200 and _room(row) in rooms and row["at"] >= stretch.made
        ]
        return min((at for at in (*told, *read) if at >= stretch.began), default=None)

    def _is_taken(self, row: Json) -> bool:
        """Answered with success, and not by a Redis that was about to be lost."""
        return 200 <= row["status"] < 300 and not self._is_forgotten(row["at"])

    def _is_forgotten(self, at: float) -> bool:
        return any(began <= at <= ended for began, ended in self.forgotten)


def transcribing(seen: Json) -> Iterable[Span]:
    """When ASAPP was transcribing: a session was on and a media stream open."""
    streams = sorted((each["opened_at"], each["closed_at"] or inf) for each in seen["streams"])
    for session in seen["sessions"]:
        began, ended = session["started_at"], session["stopped_at"] or inf
        reached = began
        for opened, closed in streams:
            start, end = max(reached, opened), min(ended, closed)
            if start < end:
                yield (start, end)
                reached = end


def overlap(spans: Iterable[Span], other: Span) -> float:
    return sum(max(0.0, min(end, other[1]) - max(start, other[0])) for start, end in spans)


def _room(row: Json) -> str:
    return str(row["path"]).partition("/Conferences/")[2].partition("/")[0]


def _keys(event: e.Event | None) -> Iterable[tuple[str, ...]]:
    match event:
        case e.ParticipantNews() | e.ConferenceStarted() | e.ConferenceEnded():
            yield ("conference", event.conference, str(event.sequence))
        case e.StreamStarted():
            yield ("stream", event.sid, "stream-started")
        case e.StreamStopped():
            yield ("stream", event.sid, "stream-stopped")
        case e.StreamFailed():
            yield ("stream", event.sid, "stream-error")
        case e.LegEnded():
            yield ("leg", event.leg)
        case e.DesktopEvent() if event.event_id:
            yield ("desktop", event.event_id.rpartition(":")[2])
        case _:
            return


def _told(row: Json) -> Iterable[tuple[str, ...]]:
    params = row["params"]
    match row["kind"]:
        case "conference-status" if "SequenceNumber" in params:
            yield ("conference", params["ConferenceSid"], params["SequenceNumber"])
        case "stream-status":
            yield ("stream", params["StreamSid"], params["StreamEvent"])
        case "call-status" if params.get("CallStatus") == "completed":
            yield ("leg", params["CallSid"])
        case _:
            return


def by_call(deliveries: Iterable[Json], sids: set[str]) -> dict[str, list[Json]]:
    """Deliveries by our call: an agent's leg reports its customer's call in the URL."""
    found: dict[str, list[Json]] = defaultdict(list)
    for row in deliveries:
        named = str(row["url"]).partition("call=")[2][:34]
        sid = named if named in sids else row["params"].get("CallSid", "")
        found[sid].append(row)
    return found
