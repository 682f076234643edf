"""A call cut into stretches of one state each, with the event that began each: why was this not transcribed?

Made of the states that were stored with the timeline, so it tells what was so then, whatever this release would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.core.call import Call
from orchestrator.narration.sentences import sentence
from orchestrator.store.reading import CUT, TimelineEntry

HEARD = {"transcribing": "yes", "pausing": "perhaps"}
"""By state: whether words of this stretch can be in the transcript."""
_SETTLES = {"pausing": "paused", "starting": "transcribing", "interrupted": "transcribing"}
"""What these lead to when a vendor confirms; the cause stays what it was."""
_HOLDS = {
    "hold": "paused: the customer was on hold in the conference",
    "agent-hold": "paused: the agent was on hold in the conference",
}


@dataclass(frozen=True)
class Stretch:
    """From `start` to `end` (ms; None: it lasts). `heard`: `yes`, `no` or `perhaps` (a stop was on its way).

    `why`: the state in words; `cause`: the sentence of the event that led to it, at `caused_at`: of a pause that was
    confirmed not the confirmation, but what it was asked for.
    """

    start: int
    end: int | None
    state: str
    heard: str
    why: str
    cause: str
    caused_at: int

    def within(self, start: int, end: int) -> tuple[int, int] | None:
        """The part of it that lies between two moments."""
        first, last = max(start, self.start), end if self.end is None else min(end, self.end)
        return (first, last) if first < last else None


def stretches(entries: Sequence[TimelineEntry], call: Call) -> list[Stretch]:
    """In order and without gaps, from the first entry on; `call` is the one whose timeline it is."""
    found: list[Stretch] = []
    for entry, why in _marks([entry for entry in entries if entry.name != CUT], call):
        start = max(entry.at, found[-1].start if found else entry.at)  # commits of the same moment may overtake
        if found:
            found[-1] = replace(found[-1], end=start)
        found.append(_begun(entry, why, start, found[-1] if found else None, call.call_sid))
    return found


def _begun(entry: TimelineEntry, why: str, start: int, before: Stretch | None, call_sid: str) -> Stretch:
    state = str(entry.state.get("state", ""))
    heard = HEARD.get(state, "no")
    if before is not None and _SETTLES.get(before.state) == state:
        return Stretch(start, None, state, heard, why, before.cause, before.caused_at)
    return Stretch(start, None, state, heard, why, sentence(entry.event, entry.name, call_sid), entry.at)


def _marks(entries: Sequence[TimelineEntry], call: Call) -> Iterator[tuple[TimelineEntry, str]]:
    """The entries at which something changed that matters to transcription."""
    before: tuple[object, ...] | None = None
    for entry in entries:
        why = _more_exactly(reason(entry.state), entry, call)
        now = (entry.state.get("state"), why)
        if now != before:
            before = now
            yield entry, why


def _more_exactly(why: str, entry: TimelineEntry, call: Call) -> str:
    """Who was held, and what had failed, where the call's own books still tell."""
    match entry.state.get("state"):
        case "paused" if not entry.state.get("pauses"):
            found = next((each.reason for each in call.paused if _is_in(entry.at, each.start, each.end)), "")
            return _HOLDS.get(found, why)
        case "interrupted":
            found = next((each.reason for each in call.gaps if _is_in(entry.at, each.start, each.end)), "")
            return f"{why}: {found}" if found else why
        case _:
            return why


def _is_in(at: int, start: int, end: int | None) -> bool:
    return start <= at and (end is None or at < end)


def reason(state: dict[str, Any]) -> str:  # noqa: C901, PLR0912 - a table of states, one line each
    """Why a call in this state is, or is not, transcribed."""
    problem = f" (problem: {state['problem']})" if state.get("problem") else ""
    match state.get("state"):
        case "transcribing":
            return f"transcribed for agent {state.get('transcribed_agent', '')}".rstrip()
        case "waiting" if not state.get("agents"):
            return "no agent was connected"
        case "waiting":
            return "the customer was not connected"
        case "paused" if state.get("pauses"):
            return f"paused: {', '.join(state['pauses'])}"
        case "paused":
            return "paused: somebody was on hold in the conference"
        case "pausing" if state.get("transcription") == "unknown":
            return "not known whether it was transcribed: a stop was on its way"
        case "pausing":
            return f"a stop was on its way, and ASAPP had not confirmed it{problem}"
        case "starting" if state.get("stream") not in {"live", None}:
            return f"wanted, and waiting for media stream {state.get('stream_name', '')}".rstrip()
        case "starting":
            return "wanted, and a start was on its way"
        case "interrupted":
            return f"wanted, and broken off{problem}"
        case "survey":
            return "the customer was in the survey"
        case "not-transcribed":
            return "the profile says that these calls are not transcribed"
        case "ended":
            return "the call had ended"
        case other:
            return str(other)
