"""When a day counts as whole and as done: what ASAPP still writes is not sealed, another format's report masks none."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.batch import export_day
from orchestrator.transcripts.batch_feed import Pace
from orchestrator.transcripts.batch_output import Target
from tests.integration.transcripts.feeds import DAY, SIDS, TODAY, Site, nightly, said

BEFORE = (TODAY - timedelta(days=2)).isoformat()
OLD = (TODAY - timedelta(days=3)).isoformat()


def is_put_off(site: Site) -> bool:
    """The nightly run leaves the day alone, with nothing published."""
    with pytest.raises(OrchestratorError) as failed:
        nightly(site).look()
    return failed.value.error_id == "feed-not-whole" and not list((site.folder / "archive").glob(f"batch/*{DAY}*"))


def exported(site: Site, day: str = DAY) -> list[dict[str, Any]]:
    text = (site.folder / "archive" / "batch" / f"utterances-{day}.jsonl").read_text()
    return [json.loads(each) for each in text.splitlines()]


def test_a_day_without_the_feed_of_states_is_waited_for(site: Site) -> None:
    """It is exported with its speakers when they are there."""
    site.plant(said(SIDS[0], 1, "hello"), lacks=("states",))
    assert is_put_off(site)
    site.plant()
    assert nightly(site).look() == DAY
    assert [each["role"] for each in exported(site)] == ["customer"]


def test_states_that_never_come_are_given_up(site: Site) -> None:
    """On the third day it is exported as it is."""
    site.plant({**said(SIDS[0], 1, "hello"), "at": said("", 1, "")["at"] - 2 * 86_400}, day=OLD, lacks=("states",))
    assert nightly(site).look() == OLD
    assert [each["role"] for each in exported(site, OLD)] == [None]


@pytest.mark.parametrize("intervals", ["none", "hourly"])
def test_a_day_without_the_mark_that_others_have_is_waited_for(site: Site, intervals: str) -> None:
    """ASAPP still writes it, whatever is there already."""
    site.switch(feed_success="listed", feed_intervals=intervals)
    site.plant(day=BEFORE)
    site.plant(said(SIDS[0], 1, "hello"), lacks=("success",))
    assert nightly(site).look() == BEFORE
    assert is_put_off(site)
    site.plant(said(SIDS[0], 2, "goodbye"))
    assert nightly(site).look() == DAY
    assert [each["text"] for each in exported(site)] == ["hello", "goodbye"]


def test_days_are_not_waited_for_where_none_has_a_mark(site: Site) -> None:
    """It may never be listed; nor can the first of all days be compared."""
    site.plant(day=BEFORE)
    site.plant(said(SIDS[0], 1, "hello"))
    worker = nightly(site)
    assert [worker.look(), worker.look()] == [BEFORE, DAY]
    site.control("reset", {})
    site.switch(feed_success="listed")
    site.plant(lacks=("success",))
    assert site.export()["feed"]["utterances"] == 0


def test_a_day_that_is_not_over_is_left(site: Site) -> None:
    """Though ASAPP lists it already: the rest of it comes later."""
    site.plant(said(SIDS[0], 1, "before two o'clock"))
    assert nightly(site, days_ago=1).look() is None
    site.services.redis.execute_command("DEL", "orchestrator:lease:batch-export")
    site.plant(said(SIDS[0], 2, "the rest of the day"))
    assert nightly(site, hour=3).look() == DAY
    assert len(exported(site)) == 2


def test_a_csv_made_by_hand_does_not_stand_for_the_nightly_file(site: Site) -> None:
    """They have one report; each format is done when its own file is there, too."""
    site.plant(said(SIDS[0], 1, "hello"))
    folder = str(site.folder / "archive" / "batch")
    export_day(site.services, Target(folder, DAY, "csv"), site.folder / "work", Pace())
    assert nightly(site).look() == DAY
    assert [each["text"] for each in exported(site)] == ["hello"]
    assert [Target(folder, DAY, form).is_done() for form in ("csv", "jsonl")] == [True, True]
