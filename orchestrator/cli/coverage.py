"""`orchestrator coverage`: how much of the talk was transcribed, per day and agent, and why the rest was not."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from orchestrator.cli.layout import width, wrapped_for_people
from orchestrator.cli.reading import services
from orchestrator.services import Services
from orchestrator.transcripts.archive import Archive
from orchestrator.transcripts.coverage import coverage, summed

_DAY = click.DateTime(["%Y-%m-%d"])
_PAGE = 500
_AGENT, _SHORTEST_AGENT = 1, 8
_COLUMNS = ("day", "agent", "calls", "talk_s", "transcribed_s", "missing_s", "unwanted_s", "ratio")


@click.command()
@click.option("--from", "first", type=_DAY, help="First day (UTC); a week ago if not given.")
@click.option("--to", "last", type=_DAY, help="Last day (UTC), included; today if not given.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def command(first: datetime | None, last: datetime | None, form: str) -> None:
    """Tell how much of the talk was transcribed, per day and agent.

    Agent * is the whole day. Calls come from Redis as long as it keeps them, and from the archive.
    """
    to = (last or datetime.now(UTC)).strftime("%Y-%m-%d")
    since = (first or datetime.fromisoformat(to) - timedelta(days=7)).strftime("%Y-%m-%d")
    if since > to:
        raise click.UsageError("--from is after --to")
    rows = summed(_ledgers(services(), since, to))
    match form:
        case "json":
            click.echo(json.dumps(rows, indent=2))
        case "csv":
            writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else list(_COLUMNS))
            writer.writeheader()
            writer.writerows(rows)
        case _:
            _table(rows)


def _ledgers(built: Services, since: str, to: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Day and ledger of every ended call of these days, each once."""
    seen: set[str] = set()
    cursor = None
    while True:
        page = built.store.list(limit=_PAGE, cursor=cursor)
        for call in page.calls:
            day = datetime.fromtimestamp(call.created_at / 1000, UTC).strftime("%Y-%m-%d")
            if call.is_ended and since <= day <= to:
                seen.add(call.call_sid)
                yield day, coverage(call)
        cursor = page.cursor
        if cursor is None:
            break
    if built.settings.archive_url:
        for day, document in Archive(built.settings.archive_url).days(since, to, without=seen):
            yield day, document["coverage"]


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("No calls ended in these days.")
        return
    cells = [[name.removesuffix("_s") for name in _COLUMNS], *[[_cell(row[name]) for name in _COLUMNS] for row in rows]]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    if sys.stdout.isatty():
        too_wide = sum(widths) + 2 * (len(widths) - 1) - width()
        widths[_AGENT] = max(_SHORTEST_AGENT, widths[_AGENT] - max(0, too_wide))
    for line in cells:
        words = [_shortened(cell, wide).ljust(wide) for cell, wide in zip(line[: _AGENT + 1], widths, strict=False)]
        figures = [cell.rjust(wide) for cell, wide in zip(line[_AGENT + 1 :], widths[_AGENT + 1 :], strict=True)]
        click.echo("  ".join([*words, *figures]))
    causes = {
        name: sum(row[name] for row in rows if row["agent"] == "*")
        for name in ("stream-broken", "vendor-down", "start-late", "worker-gone")
    }
    told = ", ".join(f"{name} {seconds:g}" for name, seconds in causes.items())
    click.echo(wrapped_for_people("", f"All in seconds. Missing by cause: {told}", 0))


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) and value > 1 else str(value)
