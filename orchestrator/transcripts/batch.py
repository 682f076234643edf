"""The batch export of one day: ASAPP's File Exporter feeds become one file of utterances with speakers, and a report.

    read      the feed's files into a work file on disk; after an interruption only what is missing
    join      newest record of each key, speaker from the feed of utterance states, the fence, the forgotten
    publish   the finished file, then the report, each in one step

Memory does not grow with the feed. Raises `feed-not-there`, `feed-not-whole`, `feed-refused`, `feed-unavailable`,
`output-unavailable`, `work-file-unusable`, `export-under-way`; after any of them the same call again goes on where it
ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import structlog

from orchestrator.asapp.exporter import Exporter, FeedFile
from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.batch_audit import Audit
from orchestrator.transcripts.batch_feed import Pace, files_of, take
from orchestrator.transcripts.batch_forget import remove_from
from orchestrator.transcripts.batch_output import Target, write_lines
from orchestrator.transcripts.batch_rows import WorkFile
from orchestrator.transcripts.batch_work import clear

if TYPE_CHECKING:
    from orchestrator.services import Services

log = structlog.get_logger(__name__)

Step = Callable[[str, int, int], None]
"""Told the phase (`read`, `write`), how far it is, and how far it goes."""

_TOLD_EVERY = 1000


def exporter_of(services: Services) -> Exporter:
    settings = services.settings
    return Exporter(services.http, settings.asapp_api_base_url, settings.asapp_credentials, services.budgets.asapp_day)


def day_of(now_ms: int) -> date:
    """In UTC, as the feed's days are."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).date()


def export_day(
    services: Services,
    target: Target,
    work_folder: Path,
    pace: Pace | None = None,
    step: Step = lambda _phase, _done, _total: None,
) -> dict[str, Any]:
    """Writes the day to the target and returns its report. `work_folder`: a local folder, made when missing."""
    pace = pace or Pace()
    began = time.monotonic()
    files = files_of(exporter_of(services), target.day, pace, day_of(services.clock.now_ms()))
    path = _work_path(services, target, work_folder)
    clear(work_folder)
    work = _opened(path, {each.key for each in files})
    whole = path.with_suffix(".out")
    try:
        with work:
            _read(exporter_of(services), files, work, pace, step)
            audit = Audit(services, target.day)
            totals = work.totals()
            _write(whole, target, audit, work, totals["rows"], pace, step)
            report = audit.report(totals)
            target.publish(whole, report)
            for call_sid in audit.forgotten_since():
                remove_from(target.url, call_sid)
            work.discard()
    finally:
        whole.unlink(missing_ok=True)
    log.info(
        "batch-exported",
        day=target.day,
        calls=report["feed"]["calls"],
        utterances=report["feed"]["utterances"],
        seconds=round(time.monotonic() - began, 1),
    )
    return report


def _work_path(services: Services, target: Target, folder: Path) -> Path:
    """Days of different accounts do not mix."""
    account = crc32(
        "\n".join((services.settings.asapp_api_base_url, services.settings.asapp_credentials()[0])).encode()
    )
    return folder / f"utterances-{target.day}-{account:08x}.work"


def _opened(path: Path, listed: set[str]) -> WorkFile:
    """The work so far if it still fits what is listed, else a new one."""
    try:
        work = WorkFile(path)
    except OSError as error:
        told = f"The export's work folder cannot be used: {type(error).__name__}."
        raise OrchestratorError("work-file-unusable", told) from error
    if work.taken() - listed:
        work.discard()
        work = WorkFile(path)
    return work


def _read(exporter: Exporter, files: list[FeedFile], work: WorkFile, pace: Pace, step: Step) -> None:
    taken = work.taken()
    for number, file in enumerate(files):
        step("read", number, len(files))
        if file.key not in taken:
            take(exporter, file, work, pace)
    step("read", len(files), len(files))


def _write(path: Path, target: Target, audit: Audit, work: WorkFile, total: int, pace: Pace, step: Step) -> None:
    done = 0

    def wrote() -> None:
        nonlocal done
        done += 1
        if done % _TOLD_EVERY == 0:
            pace.between()
            step("write", done, total)

    write_lines(path, target.form, audit.lines(work.joined()), wrote)
    step("write", total, total)
