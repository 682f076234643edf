"""Is every word here? What the vendor promised in its stop summaries beside what came, by role and source.

Whether a summary counts its own segment or all so far is not documented: the stricter reading holds unless real-time
messages and the finished call's list together say that the counts run on: in every segment and for both roles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.core.call import Call, TranscriptionState
from orchestrator.transcripts.merge import Merged
from orchestrator.transcripts.utterance import AFTER_CALL, BATCH, BOTH, LIVE

LIST_LIMIT = 1000
"""The finished call's list never has more messages; one that long may have been cut (ASAPP's Twilio guide)."""

ROLES = ("customer", "agent")
_ENOUGH = 10
"""With fewer utterances, counts that run on cannot be told from losses."""


def account(call: Call, found: Merged, listed: int | None) -> dict[str, Any]:
    """`listed`: how many messages the finished call's list had; None while it has not been fetched."""
    promised = _promised(call, found, listed)
    missing = {role: max(0, promised[role] - found.total.get(role, 0)) for role in ROLES}
    sources = [each.source for each in found.utterances]
    return {
        "promised": promised,
        "live": {role: found.live.get(role, 0) for role in ROLES},
        "after_call": None if listed is None else listed,
        "after_call_truncated": listed is not None and listed >= LIST_LIMIT,
        "found": {role: found.total.get(role, 0) for role in ROLES},
        "quarantined": len(found.quarantined),
        "missing": missing,
        "sources": {name: sources.count(name) for name in (LIVE, BOTH, AFTER_CALL, BATCH)},
    }


def is_complete(call: Call, told: dict[str, Any]) -> bool | None:
    """Whether every utterance that the stop summaries promised is here; None while that cannot be known.

    Without summaries the finished call's list proves it, if it has no fewer messages than came in real time. Without
    segments only that nothing was ever started does, which nobody knows of an adopted call.
    """
    if not call.is_ended:
        return None
    if any(told["missing"].values()):
        return False
    if call.transcription.state is not TranscriptionState.OFF:
        return None
    if not call.segments:
        was_started = call.direction == "adopted" or call.transcription.agent_id is not None
        return None if was_started or any(told["found"].values()) else True
    is_all_promised = all(segment.promised for segment in call.segments)
    return True if is_all_promised or _has_whole_list(told) else None


def _has_whole_list(told: dict[str, Any]) -> bool:
    listed = told["after_call"]
    if not listed or told["after_call_truncated"]:
        return False  # an empty list is also what ASAPP answers before it has it
    return bool(listed >= sum(told["live"].values()))


def _promised(call: Call, found: Merged, listed: int | None) -> dict[str, int]:
    counts = {role: [segment.promised.get(role, 0) for segment in call.segments] for role in ROLES}
    does_run_on = (
        listed is not None
        and sum(found.total.values()) >= _ENOUGH
        and all(_does_run_on(found, role, counts[role]) for role in ROLES)
    )
    return {role: max(rows, default=0) if does_run_on else sum(rows) for role, rows in counts.items()}


def _does_run_on(found: Merged, role: str, counts: Sequence[int]) -> bool:
    """Every segment has just as many utterances as its count is above the one before."""
    heard = [0] * len(counts)
    told = [(each.role, each.segment) for each in found.utterances]
    told += [(each.role, each.segment) for each in found.quarantined]
    for speaker, segment in told:
        if speaker == role and segment is not None:
            heard[segment] += 1
    return heard == [later - earlier for earlier, later in zip([0, *counts], counts, strict=False)]
