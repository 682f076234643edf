"""The coverage ledger: how much of what should have been transcribed was, and why the rest was not.

Talk is the time in which transcription was wanted: customer and agent connected, no pause. It is what was transcribed
and what was missing; a stop that took its time does not count as talk but as unwanted. Seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.core.call import Call, Gap, Segment

ORDINARY_START_MS = 1_000
"""From the agent's joining to transcription takes some tenths of a second; that is no gap."""

_WORKERS_ACT_WITHIN_MS = 5_000
_NOBODY = ""


def told_gaps(call: Call) -> list[Gap]:
    """The gaps worth telling: an ordinary start is none."""
    return [
        gap
        for gap in call.gaps
        if gap.reason != "starting" or gap.end is None or gap.end - gap.start >= ORDINARY_START_MS
    ]


def cause_of(gap: Gap, until: int) -> str:
    """`stream-broken`, `vendor-down`, `start-late` or `worker-gone`.

    A gap without any failure told was nobody's but ours: workers act within seconds or are not there.
    """
    if gap.reason == "stream-broken":
        return "stream-broken"
    if gap.reason == "store-away":
        return "worker-gone"
    if gap.reason != "starting":
        return "vendor-down"
    end = until if gap.end is None else gap.end
    return "worker-gone" if end - gap.start > _WORKERS_ACT_WITHIN_MS else "start-late"


def coverage(call: Call) -> dict[str, Any]:
    """One call's ledger; `agents` has the same by agent, the missing time under whoever was served next.

    Talk ends with the call, however long the last stop took.
    """
    until = call.ended_at or call.updated_at
    transcribed: defaultdict[str, int] = defaultdict(int)
    causes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    pauses: defaultdict[str, int] = defaultdict(int)
    for segment in call.segments:
        overheard = sum(_shared(segment, pause.start, pause.end, until) for pause in call.paused)
        transcribed[segment.agent_id] += _length(segment.start, segment.end, until) - overheard
    for gap in told_gaps(call):
        causes[_agent_of(call, gap)][cause_of(gap, until)] += _length(gap.start, gap.end, until)
    for pause in call.paused:
        pauses[pause.reason] += _length(pause.start, pause.end, until)
    missing = {agent: sum(own.values()) for agent, own in causes.items()}
    every_cause: defaultdict[str, int] = defaultdict(int)
    for own in causes.values():
        for cause, length in own.items():
            every_cause[cause] += length
    return {
        **_ratio(sum(transcribed.values()), sum(missing.values())),
        "unwanted_s": call.unwanted_ms / 1000,
        "gaps_s": _seconds(every_cause),
        "pauses_s": _seconds(pauses),
        "agents": {
            name: {**_ratio(transcribed[name], missing.get(name, 0)), "gaps_s": _seconds(causes[name])}
            for name in sorted({*transcribed, *missing} - {_NOBODY})
        },
    }


def _seconds(lengths: Mapping[str, int]) -> dict[str, float]:
    return {name: ms / 1000 for name, ms in sorted(lengths.items())}


def _length(start: int, end: int | None, until: int) -> int:
    return max(0, (until if end is None else min(end, until)) - start)


def _shared(segment: Segment, start: int, end: int | None, until: int) -> int:
    """How much of a pause a segment still heard, since the stop took its time."""
    last = min(until if segment.end is None else segment.end, until if end is None else end, until)
    return max(0, last - max(segment.start, start))


def _ratio(transcribed: int, missing: int) -> dict[str, Any]:
    talk = transcribed + missing
    return {
        "talk_s": talk / 1000,
        "transcribed_s": transcribed / 1000,
        "missing_s": missing / 1000,
        "ratio": round(transcribed / talk, 4) if talk else None,
    }


def _agent_of(call: Call, gap: Gap) -> str:
    """Whose talk was missed: who was transcribed next, else last, else the only one known."""
    after = [each.agent_id for each in call.segments if each.start >= gap.start]
    if after:
        return after[0]
    if call.segments:
        return call.segments[-1].agent_id
    connected = [each.id for each in call.agents if each.has_been_connected]
    return connected[0] if len(connected) == 1 else _NOBODY


def summed(rows: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Per day and agent, from each call's day and ledger; agent `*` is all of that day's calls, unwanted time too."""
    sums: defaultdict[tuple[str, str], defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for day, ledger in rows:
        _add(sums[day, "*"], ledger)
        sums[day, "*"]["unwanted_s"] += ledger.get("unwanted_s", 0)
        for agent, own in ledger.get("agents", {}).items():
            _add(sums[day, agent], own)
    return [{"day": day, "agent": agent, **_rounded(total)} for (day, agent), total in sorted(sums.items())]


def _add(total: defaultdict[str, float], ledger: dict[str, Any]) -> None:
    total["calls"] += 1
    for name in ("talk_s", "transcribed_s", "missing_s"):
        total[name] += ledger[name]
    for cause, seconds in ledger.get("gaps_s", {}).items():
        total[cause] += seconds


CAUSES = ("stream-broken", "vendor-down", "start-late", "worker-gone")


def _rounded(total: defaultdict[str, float]) -> dict[str, Any]:
    talk = total["talk_s"]
    return {
        "calls": int(total["calls"]),
        **{name: round(total[name], 3) for name in ("talk_s", "transcribed_s", "missing_s", "unwanted_s", *CAUSES)},
        "ratio": round(total["transcribed_s"] / talk, 4) if talk else None,
    }
