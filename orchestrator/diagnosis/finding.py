"""A finding: what was looked at, whether it is well, and the cure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.actions import Outcome, Verdict

OK, NOTE, FAIL = "ok", "note", "fail"


@dataclass(frozen=True)
class Finding:
    """`status` `note`: worth knowing, not wrong. Whatever fails has a `fix`."""

    check: str
    status: str
    told: str
    fix: str = ""


def refusal(outcome: Outcome) -> str:
    """A vendor's answer, or the lack of one, for people."""
    unreached, _, reason = outcome.detail.partition(": ")
    match unreached:
        case "not sent":
            return f"cannot be reached ({reason})"
        case "no answer":
            return f"does not answer ({reason})"
        case _:
            what = "not found" if outcome.verdict is Verdict.NOT_FOUND else "refused"
            return (
                f"{' '.join(part for part in (what, outcome.code) if part)}: {outcome.detail or outcome.verdict.value}"
            )


def is_unreached(outcome: Outcome) -> bool:
    """Nothing is known of what it would have answered."""
    return outcome.detail.startswith(("not sent: ", "no answer: "))
