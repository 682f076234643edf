"""`/console/problems`: what is wrong on the floor, why, and what to do; and the audit trail."""

from __future__ import annotations

from collections import defaultdict

from flask import request

from orchestrator.web.console import playbook
from orchestrator.web.console.pages import bp, floor, page
from orchestrator.web.console.rows import Row
from orchestrator.web.context import services

_SHOWN = 5
_TRAIL = 300


@bp.get("/problems")
def problems() -> str:
    rows = floor().rows()
    by_problem: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for each in row.problems:
            by_problem[each].append(row)
    groups = [
        (playbook.PROBLEMS.get(name) or playbook.unknown(name), _worst_first(found), len(found))
        for name, found in by_problem.items()
    ]
    asked = request.args.get("q", "").strip()[:64]
    return page(
        "problems",
        groups=sorted(groups, key=lambda group: (not any(row.is_live for row in group[1]), -group[2])),
        shown=_SHOWN,
        entries=playbook.found(asked),
        asked=asked,
    )


def _worst_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (not row.is_live, not row.has_given_up, -row.created_at))


@bp.get("/audit")
def audit() -> str:
    return page("audit", trail=services().audit.latest(_TRAIL))
