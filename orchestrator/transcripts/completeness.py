"""Is every word here? What the vendor promised in its stop summaries beside what came, by role and source.

Whether a summary counts its own segment or all so far is not documented. Its length of audio tells: beside the length
of the segments it stays in proportion in one of the two readings only. Where that is not clear, the lower count is
what is missing, and only the finished call's list proves that all is here.
"""

from __future__ import annotations

from typing import Any

from orchestrator.core.call import Call, TranscriptionState
from orchestrator.transcripts.merge import Merged
from orchestrator.transcripts.utterance import AFTER_CALL, BATCH, BOTH, LIVE

LIST_LIMIT = 1000
"""The finished call's list never has more messages; one that long may have been cut (ASAPP's Twilio guide)."""

ROLES = ("customer", "agent")
_CLEAR = 1.25
"""How much better one reading must fit; segments that are short beside others leave it open."""


def account(call: Call, found: Merged, listed: int | None) -> dict[str, Any]:
    """`listed`: how many messages the finished call's list had; None while it has not been fetched."""
    promised = _promised(call)
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
    is_all_promised = all(segment.promised for segment in call.segments) and _are_counts_own(call) is not None
    return True if is_all_promised or _has_whole_list(told) else None


def _has_whole_list(told: dict[str, Any]) -> bool:
    listed = told["after_call"]
    if not listed or told["after_call_truncated"]:
        return False  # an empty list is also what ASAPP answers before it has it
    return bool(listed >= sum(told["live"].values()))


def _promised(call: Call) -> dict[str, int]:
    counts = {role: [segment.promised.get(role, 0) for segment in call.segments] for role in ROLES}
    is_own = _are_counts_own(call)
    return {role: sum(rows) if is_own else max(rows, default=0) for role, rows in counts.items()}


def _are_counts_own(call: Call) -> bool | None:
    """Whether each summary counts its own segment alone, not all so far; None where that cannot be told."""
    so_far_ms, own, running = 0, list[float](), list[float]()
    for each in call.segments:
        length_ms = max(1, (each.end or each.start) - each.start)
        so_far_ms += length_ms
        if each.promised_ms:
            own.append(each.promised_ms / length_ms)
            running.append(each.promised_ms / so_far_ms)
    if len(own) < 2:  # noqa: PLR2004  # nothing to compare: both readings promise the same
        return True
    lead = (max(running) / min(running)) / (max(own) / min(own))
    return None if 1 / _CLEAR < lead < _CLEAR else lead > 1
