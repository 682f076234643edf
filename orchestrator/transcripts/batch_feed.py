"""Taking a day's feed from ASAPP into the work file, with patience: this is where the batch's attempts are repeated.

ASAPP asks for three repetitions, after 1, 2 and 4 s where it is too busy and after 0.25, 0.5 and 1 s where it failed;
other refusals are not repeated. A link that is refused is asked for again at once: its life is not documented.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

import structlog

from orchestrator.asapp.exporter import STATES, UTTERANCES, Exporter, FeedFile, Link, Partition
from orchestrator.asapp.exporter_download import DownloadBroken, LinkRefused, Progress, rows
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.batch_rows import WorkFile

log = structlog.get_logger(__name__)
T = TypeVar("T")

FEEDS: Final = (UTTERANCES, STATES)
_WAITS_S: Final = {"429": (1.0, 2.0, 4.0), "": (0.25, 0.5, 1.0)}
_FILE_WAITS_S: Final = (0.5, 2.0, 8.0, 30.0)
_WAITED_FOR: Final = timedelta(days=2)
_DAYS_COMPARED: Final = 3


@dataclass(frozen=True)
class Pace:
    """How whoever exports waits, and what it does now and then (see that it still may; it may raise)."""

    wait: Callable[[float], None] = time.sleep
    between: Callable[[], None] = lambda: None
    progress: Progress = lambda _: None


def patiently(ask: Callable[[], T | Outcome], pace: Pace) -> T:
    """The answer, asked for up to four times. Raises `feed-refused` or `feed-unavailable`."""
    attempt = 0
    while True:
        got = ask()
        if not isinstance(got, Outcome):
            return got
        waits = _WAITS_S.get(got.family, _WAITS_S[""])
        if got.verdict is Verdict.TERMINAL or got.family == "auth":
            told = f"ASAPP does not give the feed: {got.code} {got.detail}".strip()
            raise OrchestratorError("feed-refused", f"{told} (feeds are off until ASAPP turns them on).")
        if attempt == len(waits):
            raise OrchestratorError("feed-unavailable", f"ASAPP's feed cannot be read now: {got.code} {got.detail}")
        pace.wait(waits[attempt])
        attempt += 1


def days(exporter: Exporter, pace: Pace) -> list[str]:
    """The days (YYYY-MM-DD) that ASAPP has now, oldest first."""
    return [each.day for each in patiently(lambda: exporter.partitions(UTTERANCES), pace)]


def files_of(exporter: Exporter, day: str, pace: Pace, today: date) -> list[FeedFile]:
    """The day's files of both feeds. Raises `feed-not-there` while ASAPP does not have the day, or no longer.

    Raises `feed-not-whole` while it seems to be written still; two days later it is taken as it is. `today`: in UTC.
    """
    is_waited_for = today - date.fromisoformat(day) <= _WAITED_FOR
    found: list[FeedFile] = []
    for feed in FEEDS:
        there = patiently(lambda feed=feed: exporter.partitions(feed), pace)  # type: ignore[misc]
        chosen = next((each for each in there if each.day == day), None)
        if chosen is None and feed == UTTERANCES:
            raise OrchestratorError("feed-not-there", _not_there(day, there))
        if is_waited_for and not _is_marked(exporter, chosen, there, pace):
            raise _not_whole(day, feed)
        files: list[FeedFile] = [] if chosen is None else patiently(lambda each=chosen: exporter.files(each), pace)  # type: ignore[misc]
        if found and not files:
            if is_waited_for:
                raise _not_whole(day, feed)
            log.warning("feed-without-speakers", day=day)
        found += files
    return found


def _is_marked(exporter: Exporter, chosen: Partition | None, there: list[Partition], pace: Pace) -> bool:
    """Whether it has the mark of whole partitions; True where the days before it have none either."""

    def has_mark(partition: Partition) -> bool:
        return patiently(lambda: exporter.is_marked(partition), pace)

    if chosen is None:
        return True
    before = [each for each in there if each.day < chosen.day][-_DAYS_COMPARED:]
    return not before or has_mark(chosen) or not any(has_mark(each) for each in reversed(before))


def _not_whole(day: str, feed: str) -> OrchestratorError:
    return OrchestratorError("feed-not-whole", f"ASAPP has not written all of {day} yet: {feed}.")


def _not_there(day: str, there: list[Partition]) -> str:
    known = f"from {there[0].day} to {there[-1].day}" if there else "of no day"
    return f"ASAPP has no feed of {day}: it has feeds {known}; a day's comes after 02:00 UTC and is kept for 32 days."


def take(exporter: Exporter, file: FeedFile, work: WorkFile, pace: Pace) -> int:
    """Takes one file into the work file; returns its number of rows. Raises `feed-unavailable`."""
    for wait_s in (*_FILE_WAITS_S, None):
        link: Link = patiently(lambda: exporter.link(file), pace)
        try:
            stream = rows(link, is_csv=file.partition.is_csv, progress=pace.progress)
            return work.take(file.key, file.partition.feed, stream, pace.between)
        except LinkRefused:
            reason = "the link was refused"
        except DownloadBroken as error:
            reason = error.reason
        log.info("feed-file-again", file=file.key, reason=reason)
        if wait_s is not None:
            pace.wait(0.0 if reason == "the link was refused" else wait_s)
    raise OrchestratorError("feed-unavailable", f"The feed's file {file.key} could not be read: {reason}.")
