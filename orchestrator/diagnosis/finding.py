"""A finding: what was looked at, whether it is well, and the cure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.actions import Outcome

OK, NOTE, FAIL = "ok", "note", "fail"


@dataclass(frozen=True)
class Finding:
    """`status` `note`: worth knowing, not wrong. Whatever fails has a `fix`."""

    check: str
    status: str
    told: str
    fix: str = ""


def refusal(outcome: Outcome) -> str:
    """A vendor's answer, for people."""
    return " ".join(part for part in (outcome.verdict.value, outcome.code, outcome.detail) if part)
