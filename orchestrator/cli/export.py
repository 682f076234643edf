"""`orchestrator export utterances --date 2026-11-21`: a day's utterances from ASAPP's batch feeds.

The day's report goes beside the file and, in short, to standard output; a progress bar is shown on a terminal only.
Exit 1: it could not be done now (the same command again goes on where it ended); exit 2: usage or configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from orchestrator.cli.reading import services
from orchestrator.transcripts.batch import Step, export_day
from orchestrator.transcripts.batch_output import Target
from orchestrator.transcripts.batch_work import work_folder

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_LABELS = {"read": "reading the feed's files", "write": "writing utterances"}


@click.group()
def command() -> None:
    """Write transcripts to files or the archive."""


@command.command()
@click.option("--date", "day", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The day, in UTC.")
@click.option("--to", help="Folder or file: a path or any fsspec URL.  [default: {ARCHIVE_URL}/batch]")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Local folder for the work that is under way; needs about the size of the unpacked feeds.",
)
@click.option("--json", "as_json", is_flag=True, help="The day's report, for programs.")
def utterances(
    day: datetime, to: str | None, form: Literal["jsonl", "csv"], work_dir: Path | None, *, as_json: bool
) -> None:
    """Export a day's utterances with their speakers, from ASAPP's File Exporter."""
    if day.date() >= datetime.now(UTC).date():
        raise click.UsageError("A day's feed comes after 02:00 UTC of the next day.")
    built = services()
    folder = to or (f"{built.settings.archive_url.rstrip('/')}/batch" if built.settings.archive_url else None)
    if folder is None:
        raise click.UsageError("Say where --to, or set ARCHIVE_URL.")
    target = Target(folder, day.date().isoformat(), form)
    with _progress() as step:
        report = export_day(built, target, work_dir or work_folder(built.settings), step=step)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _tell(target, report)


@contextmanager
def _progress() -> Iterator[Step]:
    """A bar for each phase, on a terminal only."""
    bars: dict[str, ProgressBar[int]] = {}
    with ExitStack() as stack:

        def step(phase: str, done: int, total: int) -> None:
            if not sys.stderr.isatty():
                return
            if phase not in bars:
                stack.close()
                bar = click.progressbar(length=max(1, total), label=_LABELS[phase], file=sys.stderr)
                bars[phase] = stack.enter_context(bar)
            bars[phase].update(done - bars[phase].pos)

        yield step


def _tell(target: Target, report: dict[str, Any]) -> None:
    feed = report["feed"]
    click.echo(f"{target.url}: {feed['utterances']} utterances of {feed['calls']} calls")
    for name, meaning in (
        ("repeats", "repeated rows left out"),
        ("fenced", "spoken in a pause: written without their words"),
        ("unjudged", "of calls that neither Redis nor the archive knows: written without their words"),
        ("forgotten", "of forgotten calls: left out"),
        ("without_role", "without a known speaker"),
        ("without_call", "without a call"),
        ("unreadable_rows", "rows could not be read"),
    ):
        if feed[name]:
            click.echo(f"  {feed[name]} {meaning}")
    if report["live"] is None:
        click.echo("  Redis no longer knows all calls of that day, so they were not compared")
        return
    only_live, only_feed = report["only_live"]["count"], report["only_in_feed"]["count"]
    click.echo(f"  {report['live']['calls']} calls seen live; {only_live} of them not in the feed")
    click.echo(f"  {only_feed} calls in the feed were not seen live")
    if report["completed_from_feed"]["count"]:
        click.echo(f"  {report['completed_from_feed']['count']} incomplete calls were given the feed's words")
