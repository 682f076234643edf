"""A day's export from the emulated feeds, on a real Redis: joined, fenced, resumed, compared, published whole."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import pty
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.errors import OrchestratorError
from orchestrator.store.heartbeat import Lease
from orchestrator.transcripts.batch import export_day
from orchestrator.transcripts.batch_feed import Pace
from orchestrator.transcripts.batch_output import Target
from tests.integration.transcripts.feeds import DAY, NINE_S, SIDS, TODAY, Site, nightly, said


@pytest.mark.parametrize("values", ["plain", "partition"])
@pytest.mark.parametrize("senders", ["SENDER_AGENT", "SENDER_REP", "agent"])
def test_utterances_get_their_speakers(site: Site, values: str, senders: str) -> None:
    """Whatever the style of values and the senders' names; an utterance without a state is told as such."""
    site.switch(feed_values=values, feed_sender_type=senders, feed_packing="gz", feed_split_rows=2)
    site.plant(
        said(SIDS[0], 1, "hello", "agent", sender_id="amy"),
        said(SIDS[0], 2, "hi"),
        said(SIDS[0], 3, "who says this", has_state=False),
    )
    report = site.export()
    lines = site.written()
    assert [(each["role"], each["agent_id"], each["text"]) for each in lines] == [
        ("agent", "amy", "hello"),
        ("customer", None, "hi"),
        (None, None, "who says this"),
    ]
    assert lines[0]["at"] == datetime.fromtimestamp(NINE_S + 11, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert report["feed"]["without_role"] == 1


@pytest.mark.parametrize("kind", ["same", "stale"])
def test_repeated_rows_count_once_and_the_newest_wins(site: Site, kind: str) -> None:
    """Across files, with the older version told last, for words and speaker alike."""
    site.switch(feed_duplicates=kind, feed_split_rows=3)
    site.plant(*(said(SIDS[0], number, f"words {number}", "agent") for number in range(7)))
    report = site.export()
    assert [(each["text"], each["role"]) for each in site.written()] == [(f"words {n}", "agent") for n in range(7)]
    assert report["feed"]["repeats"] == 3


def test_csv_says_the_same(site: Site) -> None:
    """Quotes, commas and line ends included."""
    site.plant(said(SIDS[0], 1, 'say "no", please\nthen wait'), said(SIDS[0], 2, "ä"))
    site.export("csv")
    text = (site.folder / "out" / f"utterances-{DAY}.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [each["text"] for each in rows] == ['say "no", please\nthen wait', "ä"]
    assert rows[0]["call_sid"] == SIDS[0]


def test_a_leak_is_fenced(site: Site) -> None:
    """What was spoken in a hold is counted and has no words, in the file and afterwards in Redis."""
    call = site.call(SIDS[0], (40, 60, "hold"))
    site.plant(
        said(SIDS[0], 1, "hello there"),
        said(SIDS[0], 2, "four two four two fake card", after_s=48),
        said(SIDS[0], 3, "fake pin", after_s=49, has_state=False),
    )
    report = site.export()
    assert [(each["text"], each["is_fenced"]) for each in site.written()] == [
        ("hello there", False),
        (None, True),
        (None, True),
    ]
    assert report["feed"]["fenced"] == 2
    site.office.has_nothing()
    site.office.look(call)
    assert "fake card" not in site.office.everything_kept()


def test_an_incomplete_call_is_completed(site: Site) -> None:
    """A word that came neither live nor in the finished call's list is in the transcript after the export."""
    call = site.call(SIDS[0], promised=1)
    site.plant(said(SIDS[0], 1, "lost twice, found here"))
    assert site.export()["completed_from_feed"] == {"count": 1, "calls": [SIDS[0]]}
    site.office.has_nothing()
    site.office.look(call)
    document = site.office.archived()
    assert document is not None
    assert [(each["text"], each["source"]) for each in document["utterances"]] == [("lost twice, found here", "batch")]


def test_a_forgotten_call_stays_forgotten(site: Site) -> None:
    """Nothing of it is written or kept; it is only counted."""
    site.services.redis.execute_command("SET", site.services.store.keys.forgotten(SIDS[0]), "1")
    site.plant(said(SIDS[0], 1, "forget me"), said(SIDS[1], 2, "not me"))
    assert site.export()["feed"]["forgotten"] == 1
    assert [each["text"] for each in site.written()] == ["not me"]


def test_a_call_that_is_forgotten_meanwhile_is_taken_out(site: Site) -> None:
    """Between the writing of its words and their publication."""
    site.plant(said(SIDS[0], 1, "forget me"), said(SIDS[1], 2, "not me"))

    def forget(phase: str, done: int, total: int) -> None:
        if (phase, done) == ("write", total):
            site.services.redis.execute_command("SET", site.services.store.keys.forgotten(SIDS[0]), "1")

    target = Target(str(site.folder / "out"), DAY, "jsonl")
    export_day(site.services, target, site.folder / "work", step=forget)
    assert [each["text"] for each in site.written()] == ["not me"]


def test_forgetting_reaches_exported_days(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """`orchestrator forget` takes the call out of `{ARCHIVE_URL}/batch`, too."""
    site.plant(said(SIDS[0], 1, "forget me"), said(SIDS[1], 2, "not me"))
    assert nightly(site).look() == DAY
    for name, value in site.office.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["forget", SIDS[0], "--yes"])
    assert (done.exit_code, "Exported days: 1 utterances erased" in done.output) == (0, True), done.output
    text = (site.folder / "archive" / "batch" / f"utterances-{DAY}.jsonl").read_text()
    assert "not me" in text
    assert "forget me" not in text


def test_the_report_tells_differences_both_ways(site: Site) -> None:
    """Calls heard live and missing in the feed, and the other way round."""
    site.call(SIDS[0])
    site.call(SIDS[1])
    site.call(SIDS[2], promised=0)
    site.plant(said(SIDS[1], 1, "both"), said(SIDS[3], 2, "feed only"))
    report = site.export()
    assert report["live"] == {"calls": 2}
    assert report["only_live"] == {"count": 1, "calls": [SIDS[0]]}
    assert report["only_in_feed"] == {"count": 1, "calls": [SIDS[3]]}
    beside = json.loads((site.folder / "out" / f"utterances-{DAY}.report.json").read_text())
    assert beside == report


def test_days_that_redis_forgot_are_not_compared(site: Site) -> None:
    """Beyond CALL_TTL_DAYS every call would look like one that only the feed has."""
    old = (TODAY - timedelta(days=20)).isoformat()
    site.plant({**said(SIDS[0], 1, "old"), "at": NINE_S - 19 * 86_400}, day=old)
    report = site.export(day=old)
    assert (report["live"], report["only_in_feed"]) == (None, None)
    assert report["feed"]["utterances"] == 1


def test_an_export_goes_on_where_it_was_cut(site: Site) -> None:
    """Files that are here are not fetched again; nothing is published before all is there."""
    site.switch(feed_split_rows=2)
    site.plant(*(said(SIDS[0], number, f"words {number}") for number in range(4)))
    site.control("faults", [{"operation": "feed-download", "match": {"name": "utterances.jsonl.01"}, "status": 500}])
    with pytest.raises(OrchestratorError) as failed:
        site.export()
    assert failed.value.error_id == "feed-unavailable"
    assert not (site.folder / "out").exists()
    before = site.asked("/presigned/utterances.jsonl.00")
    assert requests.delete(f"{site.asapp}/_emulator/faults", timeout=5).ok
    site.export()
    assert site.asked("/presigned/utterances.jsonl.00") == before == 1
    assert len(site.written()) == 4
    assert list((site.folder / "work").iterdir()) == []


def test_trouble_on_the_way_is_repeated(site: Site) -> None:
    """A link that was refused, a file cut off in the middle, a busy vendor: with pauses, and the rows come once."""
    site.plant(*(said(SIDS[0], number, f"words {number}") for number in range(50)))
    site.control(
        "faults",
        [
            {"operation": "feed-download", "status": 403, "times": 1},
            {"operation": "feed-download", "drop_after": True, "times": 1},
            {"operation": "listfeedfiles", "status": 429, "times": 2},
            {"operation": "getfeedfile", "status": 503, "times": 1},
        ],
    )
    assert site.export()["feed"]["utterances"] == 50
    assert site.waited[:2] == [1.0, 2.0]
    assert 0.25 in site.waited


def test_what_cannot_be_had_is_named(site: Site) -> None:
    """A day that is not there, feeds that are off, an output that is not reachable."""
    with pytest.raises(OrchestratorError) as missing:
        site.export()
    assert missing.value.error_id == "feed-not-there"
    site.switch(feeds="off")
    with pytest.raises(OrchestratorError) as refused:
        site.export()
    assert refused.value.error_id == "feed-refused"
    site.control("reset", {})
    site.plant(said(SIDS[0], 1, "words"))
    (site.folder / "out").write_text("a file where the folder should be")
    with pytest.raises(OrchestratorError) as unwritable:
        site.export()
    assert unwritable.value.error_id == "output-unavailable"


def test_two_at_once_do_not_mix(site: Site) -> None:
    """The second one is told so and harms nothing."""
    site.plant(*(said(SIDS[0], number, f"words {number}") for number in range(3)))
    told: list[str] = []

    def meanwhile() -> None:
        if not told:
            with pytest.raises(OrchestratorError) as failed:
                site.export()
            told.append(failed.value.error_id)

    site.export(pace=Pace(between=meanwhile))
    assert told == ["export-under-way"]
    assert len(site.written()) == 3


def test_the_nightly_run_catches_up_day_by_day(site: Site) -> None:
    """Oldest first, one at a time; what is in the archive is not made again."""
    days = [(TODAY - timedelta(days=age)).isoformat() for age in (9, 3, 1)]
    for day in days:
        site.plant(said(SIDS[0], 1, "words"), day=day)
    assert nightly(site, hour=1).look() is None
    worker = nightly(site)
    assert [worker.look() for _ in range(4)] == [*days, None]
    found = sorted(path.name for path in (site.folder / "archive" / "batch").iterdir())
    assert found == sorted(f"utterances-{day}.{end}" for day in days for end in ("jsonl", "report.json"))
    before = site.asked("getfeedfile")
    Lease(site.services.redis, "batch-export").release()
    site.services.redis.execute_command("DEL", "orchestrator:lease:batch-export")
    assert nightly(site).look() is None
    assert site.asked("getfeedfile") == before


def test_days_that_retention_deleted_are_not_fetched_again(site: Site) -> None:
    """ASAPP still has them; the archive is not to have them any more."""
    for age in (9, 3, 1):
        site.plant(said(SIDS[0], 1, "words"), day=(TODAY - timedelta(days=age)).isoformat())
    site.services = dataclasses.replace(
        site.services, settings=dataclasses.replace(site.services.settings, archive_ttl_days=3)
    )
    worker = nightly(site)
    assert [worker.look() for _ in range(3)] == [(TODAY - timedelta(days=age)).isoformat() for age in (3, 1)] + [None]


def test_one_worker_at_a_time_exports(site: Site) -> None:
    """While one holds the lease the others do nothing; a failure of one day leaves the others possible."""
    site.plant(said(SIDS[0], 1, "words"))
    other = Lease(site.services.redis, "batch-export")
    assert other.acquire(60)
    worker = nightly(site)
    assert worker.look() is None
    assert site.asked("fileexporter") == 0
    other.release()
    assert worker.look() == DAY


def test_a_stopping_worker_leaves_at_once_and_goes_on_later(site: Site) -> None:
    """Between rows, with nothing published."""
    site.plant(generate=5000)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(OrchestratorError) as ended:
        nightly(site, stopping).look()
    assert ended.value.error_id == "export-interrupted"
    assert not (site.folder / "archive" / "batch").exists()
    assert nightly(site).look() == DAY


def run(site: Site, *more: str, **channels: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **site.office.environment, "ASAPP_API_BASE_URL": site.asapp}
    environment["EMBEDDED_DATA_DIR"] = str(site.folder / "state")
    command = [sys.executable, "-m", "orchestrator", "export", "utterances", "--date", DAY, *more]
    channels = channels or {"stderr": subprocess.PIPE}
    return subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, check=False, **channels)  # noqa: S603


def test_the_command_writes_and_tells(site: Site) -> None:
    """Exit 0, a short account, no bar where nobody looks."""
    site.plant(said(SIDS[0], 1, "hello"), said(SIDS[1], 2, "hi", has_state=False))
    done = run(site, "--to", (site.folder / "there").as_uri())
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 utterances of 2 calls" in done.stdout
    assert "1 without a known speaker" in done.stdout
    assert len((site.folder / "there" / f"utterances-{DAY}.jsonl").read_text().splitlines()) == 2


def test_the_command_shows_a_bar_on_a_terminal(site: Site) -> None:
    """On standard error, so that standard output stays clean."""
    site.plant(said(SIDS[0], 1, "hello"))
    ours, theirs = pty.openpty()
    done = run(site, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "reading the feed's files" in shown
    assert "100%" in shown
    assert "%" not in done.stdout


def test_the_command_fails_with_one_line(site: Site) -> None:
    """Exit 1 and the error's name; exit 2 for a day that is not over."""
    failed = run(site)
    assert failed.returncode == 1
    assert failed.stderr.startswith("feed-not-there: ")
    assert "Traceback" not in failed.stderr
    early = run(site, "--date", datetime.now(UTC).date().isoformat())
    assert early.returncode == 2


def test_memory_does_not_grow_with_the_feed(site: Site) -> None:
    """A process that exports 40,000 utterances needs little more than one that exports two."""
    peaks = []
    for rows in (2, 40_000):
        site.control("reset", {})
        site.plant(generate=rows)
        done = run(site, "--to", str(site.folder / str(rows)))
        assert done.returncode == 0, done.stderr
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
    assert peaks[1] < 300
    assert peaks[1] - peaks[0] < 80
