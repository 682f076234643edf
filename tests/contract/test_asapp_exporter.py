"""Our client of the File Exporter against the emulated feeds, in every form that ASAPP's documentation leaves open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from orchestrator.asapp.exporter import STATES, UTTERANCES, Exporter, FeedFile, Link, Partition
from orchestrator.asapp.exporter_download import DownloadBroken, FeedRow, LinkRefused, rows
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Http
from tests.contract.vendors import _emulator

YESTERDAY = (datetime.now(UTC) - timedelta(days=1, hours=3)).date().isoformat()
CALL = "CA" + "0" * 31 + "7"


class Asapp:
    def __init__(self, url: str, http: Http) -> None:
        self.url = url
        self.client = Exporter(http, url, lambda: ("fake-id", "fake-secret"))

    def control(self, path: str, body: Any, method: str = "POST") -> Any:
        answer = requests.request(method, f"{self.url}/_emulator/{path}", json=body, timeout=20)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def plant(self, *texts: str, date: str = YESTERDAY, generate: int = 0) -> None:
        start = datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() + 36_000
        said = [
            {"call_sid": CALL, "message_id": f"01MESSAGE{number:03d}", "text": text, "at": start + number}
            for number, text in enumerate(texts)
        ]
        self.control("feeds", {"date": date, "rows": said, "generate": generate})

    def switch(self, **values: str | int) -> None:
        self.control("switches", {name.replace("_", "-"): str(value) for name, value in values.items()})

    def partition(self, feed: str = UTTERANCES) -> Partition:
        found = self.client.partitions(feed)
        assert not isinstance(found, Outcome), found
        return found[-1]

    def files(self, feed: str = UTTERANCES) -> list[FeedFile]:
        found = self.client.files(self.partition(feed))
        assert not isinstance(found, Outcome), found
        return found

    def link(self, file: FeedFile) -> Link:
        found = self.client.link(file)
        assert not isinstance(found, Outcome), found
        return found

    def read(self, feed: str = UTTERANCES) -> list[FeedRow]:
        return [row for file in self.files(feed) for row in rows(self.link(file), is_csv=file.partition.is_csv)]


@pytest.fixture(scope="module")
def running() -> Iterator[Asapp]:
    http = Http(2)
    with _emulator("asapp", "--api-id", "fake-id", "--api-secret", "fake-secret") as url:
        yield Asapp(url, http)
    http.close()


@pytest.fixture
def asapp(running: Asapp) -> Asapp:
    running.control("reset", {})
    return running


@pytest.mark.parametrize("values", ["plain", "partition"])
@pytest.mark.parametrize("packing", ["none", "gz"])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("intervals", ["none", "hourly"])
def test_a_day_is_read_in_every_form(asapp: Asapp, values: str, packing: str, form: str, intervals: str) -> None:
    """All rows come, in whatever style, packing, format and partition, with `_SUCCESS` listed and split files."""
    asapp.switch(
        feed_values=values,
        feed_packing=packing,
        feed_formats=form,
        feed_intervals=intervals,
        feed_split_rows=2,
        feed_success="listed",
    )
    texts = ["one", 'two, "quoted"', "three\nlines", "vier: ä", "five"]
    asapp.plant(*texts)
    assert [row.utterance for row in asapp.read()] == texts
    assert {row.external_conversation_id for row in asapp.read()} == {CALL}
    assert {row.sender_type for row in asapp.read(STATES)} == {"SENDER_CUSTOMER"}


def test_values_go_back_exactly_as_listed(asapp: Asapp) -> None:
    """Every request repeats the listed words, prefixes included."""
    asapp.switch(feed_values="partition")
    asapp.plant("one")
    asapp.read()
    asked = requests.get(f"{asapp.url}/_emulator/requests", timeout=5).json()
    bodies = [each["body"] for each in asked if each["path"].endswith("getfeedfile")]
    assert bodies == [
        {
            "feed": "utterances",
            "version": "version=1",
            "format": "format=jsonl",
            "date": f"dt={YESTERDAY}",
            "fileName": "utterances.jsonl",
        }
    ]


def test_links_die(asapp: Asapp) -> None:
    """A link that is over is refused, and another one works."""
    asapp.plant("one")
    file = asapp.files()[0]
    asapp.switch(feed_link_ttl_s=0)
    with pytest.raises(LinkRefused):
        list(rows(asapp.link(file), is_csv=False))
    asapp.switch(feed_link_ttl_s=300)
    assert len(list(rows(asapp.link(file), is_csv=False))) == 1


def test_a_link_without_a_scheme_is_used(asapp: Asapp) -> None:
    """The documentation's example link has none; ours takes that of ASAPP's API."""
    asapp.switch(feed_link_scheme="absent")
    asapp.plant("one")
    assert len(asapp.read()) == 1


@pytest.mark.parametrize("packing", ["none", "gz"])
def test_a_file_that_is_cut_off_is_not_taken_for_whole(asapp: Asapp, packing: str) -> None:
    """A line that breaks within the file is told."""
    asapp.switch(feed_packing=packing)
    asapp.plant(generate=20_000)
    asapp.control("faults", [{"operation": "feed-download", "drop_after": True}])
    with pytest.raises(DownloadBroken):
        list(rows(asapp.link(asapp.files()[0]), is_csv=False))


def test_a_line_that_stands_still_is_given_up(asapp: Asapp) -> None:
    """Half a file, then nothing: over within the piece's deadline."""
    asapp.plant(generate=2_000)
    asapp.control("faults", [{"operation": "feed-download", "hang": True}])
    began = time.monotonic()
    with pytest.raises(DownloadBroken):
        list(rows(asapp.link(asapp.files()[0]), is_csv=False, piece_deadline_s=0.3))
    assert time.monotonic() - began < 5


def test_only_what_is_kept_is_listed(asapp: Asapp) -> None:
    """A day comes at 02:00 UTC of the next one and goes after 32 days."""
    today = datetime.now(UTC).date()
    for age in (-1, 0, 5, 32, 33):
        asapp.plant("one", date=(today - timedelta(days=age)).isoformat())
    found = asapp.client.partitions(UTTERANCES)
    assert not isinstance(found, Outcome)
    assert [each.day for each in found] == [(today - timedelta(days=age)).isoformat() for age in (32, 5)]


def test_a_day_without_a_word_has_no_files(asapp: Asapp) -> None:
    """An empty day is a day, with `_SUCCESS` at most."""
    asapp.switch(feed_success="listed")
    asapp.plant()
    assert asapp.files() == []


def test_refusals_become_outcomes(asapp: Asapp) -> None:
    """A feed that is not turned on, and a bad moment, are told apart."""
    asapp.switch(feeds="off")
    off = asapp.client.partitions(UTTERANCES)
    assert isinstance(off, Outcome)
    assert off.verdict is Verdict.TERMINAL
    asapp.control("faults", [{"operation": "listfeedversions", "status": 503, "times": 1}])
    away = asapp.client.partitions(UTTERANCES)
    assert isinstance(away, Outcome)
    assert away.verdict is Verdict.FAILED


def test_one_read_at_a_time_is_in_memory(asapp: Asapp) -> None:
    """The first row is there while the rest of the file has not been sent."""
    asapp.plant(generate=200_000)
    seen: list[int] = []
    first = next(rows(asapp.link(asapp.files()[0]), is_csv=False, progress=seen.append))
    assert first.utterance
    assert sum(seen) <= 1024 * 1024
