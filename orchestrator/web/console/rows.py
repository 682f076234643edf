"""One call in a line: what lists, counts and charts need of it, small enough to keep ten thousand of them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from orchestrator.core.call import Call, Gap, TranscriptionState
from orchestrator.core.desired import state_of
from orchestrator.core.people import current_agent
from orchestrator.transcripts.coverage import coverage

_HEARD_AFTER_MS = 2_000
_SLOW_START_MS = 5_000
_MS = 1_000


class Row(msgspec.Struct, frozen=True, gc=False):
    """Times in ms. `since`: when the state began. `offs`: of each pause, how long it took to be off."""

    call_sid: str
    created_at: int
    ended_at: int | None
    updated_at: int
    state: str
    since: int
    number: str
    agents: tuple[str, ...]
    problem: str
    problem_since: int
    has_given_up: bool
    problems: tuple[str, ...]
    pauses: tuple[str, ...]
    talk_ms: int
    transcribed_ms: int
    missing_ms: int
    unwanted_ms: int
    offs: tuple[int, ...]
    is_on: bool

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def coverage(self) -> float | None:
        return self.transcribed_ms / self.talk_ms if self.talk_ms else None


class Need(NamedTuple):
    """How much a call needs somebody: the lower the rank the more; `why` names it."""

    rank: int
    why: str


HEARD = Need(0, "heard")
GAVE_UP = Need(1, "gave-up")
INTERRUPTED = Need(2, "interrupted")
PROBLEM = Need(3, "problem")
SLOW = Need(4, "slow-start")
NONE = Need(5, "")
PROBLEM_BEFORE = Need(6, "problem-before")
OVER = Need(7, "")
URGENT = 4
"""Needs up to this rank are told on the front page."""


def row_of(call: Call) -> Row:
    ledger, problem = coverage(call), call.problem
    return Row(
        call_sid=call.call_sid,
        created_at=call.created_at,
        ended_at=(call.ended_at or call.updated_at) if call.is_ended else None,
        updated_at=call.updated_at or call.created_at,
        state=(state := state_of(call)),
        since=_since(call, state),
        number=call.customer_number,
        agents=_agents(call),
        problem=problem.id if problem else "",
        problem_since=problem.since if problem else 0,
        has_given_up=bool(problem and problem.gave_up),
        problems=tuple(each.id for each in call.problems),
        pauses=tuple(each.reason for each in call.pauses),
        talk_ms=round(ledger["talk_s"] * _MS),
        transcribed_ms=round(ledger["transcribed_s"] * _MS),
        missing_ms=round(ledger["missing_s"] * _MS),
        unwanted_ms=call.unwanted_ms,
        offs=tuple(_offs(call)),
        is_on=call.transcription.state is TranscriptionState.ON,
    )


def _agents(call: Call) -> tuple[str, ...]:
    """The current one first, then all others who were ever connected."""
    current = current_agent(call)
    names = [current.id] if current is not None else []
    names += [segment.agent_id for segment in reversed(call.segments)]
    names += [agent.id for agent in call.agents if agent.has_been_connected]
    return tuple(dict.fromkeys(names))


def _since(call: Call, state: str) -> int:
    open_gap: Gap | None = call.gaps[-1] if call.gaps and call.gaps[-1].end is None else None
    open_pause = call.paused[-1] if call.paused and call.paused[-1].end is None else None
    match state:
        case "pausing":
            return call.off_wanted_at or call.updated_at
        case "interrupted" | "starting" if open_gap is not None:
            return open_gap.start
        case "paused" if open_pause is not None:
            return open_pause.start
        case "transcribing":
            return call.transcription.since
        case "survey" if call.survey is not None:
            return call.survey.since
        case "ended":
            return call.ended_at or call.updated_at
        case _:
            return call.created_at


def _offs(call: Call) -> list[int]:
    """From each pause's beginning to the end of the segment that it ended."""
    ends = [segment.end for segment in call.segments if segment.end is not None]
    found = []
    for pause in call.paused:
        own = [end for end in ends if end >= pause.start and (pause.end is None or end <= pause.end)]
        if own:
            found.append(own[0] - pause.start)
    return found


def need_of(row: Row, now: int) -> Need:
    """Who may be heard that must not be, before who is not heard that should be, before all else."""
    if not row.is_live:
        return PROBLEM_BEFORE if row.problem else OVER
    if "stop-unconfirmed" in row.problems or (row.state == "pausing" and now - row.since > _HEARD_AFTER_MS):
        return HEARD
    if row.has_given_up:
        return GAVE_UP
    if row.state == "interrupted":
        return INTERRUPTED
    if row.problem:
        return PROBLEM
    return SLOW if row.state == "starting" and now - row.since > _SLOW_START_MS else NONE


def by_need(row: Row, now: int) -> tuple[int, int]:
    """For sorting: of those in need who waits longest, of all others who came last, comes first."""
    rank = need_of(row, now).rank
    return rank, row.since if rank <= URGENT else -row.created_at
