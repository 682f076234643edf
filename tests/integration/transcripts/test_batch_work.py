"""What is left on a machine's disk of exports that were cut off, and when it goes."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

from orchestrator.transcripts.batch import export_day
from orchestrator.transcripts.batch_feed import Pace
from orchestrator.transcripts.batch_output import Target
from orchestrator.transcripts.batch_rows import WorkFile
from orchestrator.transcripts.batch_work import clear
from tests.integration.transcripts.feeds import DAY, SIDS, Site, nightly, said


class Killed(BaseException):
    """The process is gone."""


def cut_off(site: Site, folder: Path) -> Path:
    """An export on that machine, killed with its words on disk."""
    site.plant(said(SIDS[0], 1, "words of the feed"))

    def kill(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("read", total):
            raise Killed

    with pytest.raises(Killed):
        export_day(site.services, Target(str(site.folder / "archive" / "batch"), DAY, "jsonl"), folder, step=kill)
    (work,) = folder.iterdir()
    work.with_suffix(".out").write_text("words of the feed")
    work.with_name(f"{work.name}-journal").write_text("words of the feed")
    return work


def ages(folder: Path, hours: float) -> None:
    for path in folder.iterdir():
        os.utime(path, (time.time() - hours * 3600,) * 2)


def test_work_of_a_day_that_another_machine_finished_goes(site: Site) -> None:
    """At the worker's first look, at whatever hour; until the day is done it stays, to go on with."""
    mine, theirs = site.folder / "work", site.folder / "theirs"
    work = cut_off(site, mine)
    assert nightly(site, hour=1).look() is None
    assert work.exists()
    export_day(site.services, Target(str(site.folder / "archive" / "batch"), DAY, "jsonl"), theirs, Pace())
    assert nightly(site, hour=1).look() is None
    assert list(mine.iterdir()) == []


def test_old_work_goes_whether_its_day_is_done_or_not(site: Site) -> None:
    """After 12 h; without an archive as well. What is not ours is not touched."""
    mine = site.folder / "work"
    cut_off(site, mine)
    ages(mine, 11.9)
    assert clear(mine) == 0
    (mine / "utterances-of-mine.work").write_text("not ours")
    ages(mine, 12.1)
    assert clear(mine) == 1
    assert [each.name for each in mine.iterdir()] == ["utterances-of-mine.work"]


def test_the_next_export_clears_old_work_of_other_days(site: Site) -> None:
    """On a machine where no worker runs."""
    mine = site.folder / "work"
    left = mine / "utterances-2026-01-02-0a0b0c0d.out"
    mine.mkdir()
    left.write_text("words of the feed")
    ages(mine, 13)
    site.plant(said(SIDS[0], 1, "words"))
    site.export()
    assert list(mine.iterdir()) == []


def test_work_that_is_under_way_is_left(site: Site) -> None:
    """However old: a process has it open."""
    mine = site.folder / "work"
    work = cut_off(site, mine)
    with WorkFile(work):
        ages(mine, 13)
        assert clear(mine, lambda _: True) == 0
        assert len(list(mine.iterdir())) == 3
    assert clear(mine) == 1


def test_a_worker_without_an_archive_clears_too(site: Site) -> None:
    """It exports nothing itself."""
    mine = site.folder / "work"
    cut_off(site, mine)
    ages(mine, 13)
    settings = dataclasses.replace(site.services.settings, archive_url=None)
    site.services = dataclasses.replace(site.services, settings=settings)
    assert nightly(site).look() is None
    assert list(mine.iterdir()) == []
