"""Files of feeds as object stores give them: packed, in members, cut, slow, partly unreadable; links stay secret."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import msgspec
import pytest

from orchestrator.asapp.exporter import Exporter, FeedFile, Link, Partition
from orchestrator.asapp.exporter_download import DownloadBroken, FeedRow, LinkRefused, rows
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Http
from tests.scripted_http import Script, ScriptedServer, answer

PARTITION = Partition(feed="utterances", version="1", format="jsonl", date="2026-11-21")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Exporter]:
    http = Http(2)
    yield Exporter(http, server.url, lambda: ("fake-id", "fake-secret"))
    http.close()


def read(server: ScriptedServer, body: bytes, **more: int) -> list[FeedRow]:
    server.script.append(Script(body=body, **more))  # type: ignore[arg-type]  # only `status` is ever given
    return list(rows(Link(server.url + "/file?signature=fake"), is_csv=False))


def lines(*texts: str) -> bytes:
    return b"".join(msgspec.json.encode({"message_id": text, "utterance": text}) + b"\n" for text in texts)


def test_gzip_is_known_by_its_first_bytes(server: ScriptedServer) -> None:
    """In several members, as stores put parts together; whatever the name says."""
    body = gzip.compress(lines("one", "two")) + gzip.compress(lines("three"))
    assert [each.utterance for each in read(server, body)] == ["one", "two", "three"]


def test_large_and_empty_files(server: ScriptedServer) -> None:
    """A hundred thousand rows that shrink to almost nothing, and no row at all."""
    assert len(read(server, gzip.compress(lines(*["words"] * 100_000)))) == 100_000
    assert read(server, b"") == []
    assert read(server, gzip.compress(b"")) == []


def test_the_last_line_needs_no_end(server: ScriptedServer) -> None:
    """Blank lines are none."""
    assert len(read(server, lines("one") + b"\n" + lines("two").rstrip())) == 2


@pytest.mark.parametrize("body", [gzip.compress(lines(*["words"] * 5000))[:-20], b"\x1f\x8bnonsense", b"<html>"])
def test_what_is_not_whole_is_told(server: ScriptedServer, body: bytes) -> None:
    """A packed file that was cut, one that is none, a page instead of rows."""
    with pytest.raises(DownloadBroken):
        read(server, body)


def test_one_bad_row_spoils_no_day(server: ScriptedServer) -> None:
    """It comes as a row with nothing in it; new columns and numbers for ids are let pass."""
    found = read(server, lines("one") + b'{"message_id": [}\n{"message_id": 7, "utterance": "x", "new": {"a": 1}}\n')
    assert [each.message_id for each in found] == ["one", None, 7]


def test_refusals_of_the_store(server: ScriptedServer) -> None:
    """403 is a dead link; anything else a broken download; a redirect is not followed."""
    with pytest.raises(LinkRefused):
        read(server, b"", status=403)
    for status in (404, 500, 302):
        with pytest.raises(DownloadBroken):
            read(server, b"", status=status)
    server.script.append(Script(status=0))
    with pytest.raises(DownloadBroken):
        list(rows(Link(server.url), is_csv=False))


def test_the_store_never_sees_our_credentials(server: ScriptedServer) -> None:
    """The link is not ASAPP's host."""
    read(server, lines("one"))
    assert not any(name.startswith("asapp") or name in {"authorization", "cookie"} for name in server.asked[0].headers)


def test_links_and_words_are_not_shown() -> None:
    """In no repr, so in no log and no traceback."""
    assert "signature" not in repr(Link("https://store.example/file?signature=fake"))
    assert "words" not in repr(FeedRow(message_id="m", utterance="words"))


def test_the_newest_version_and_json_are_chosen(server: ScriptedServer, client: Exporter) -> None:
    """By number, not by letters; dates of any style sorted; what is not a date is left alone."""
    server.script.extend(
        [
            answer(200, {"versions": ["version=9", "version=10"]}),
            answer(200, {"formats": ["format=csv", "format=jsonl"]}),
            answer(200, {"dates": ["dt=2026-11-21", "latest", "dt=2026-11-20"]}),
        ]
    )
    found = client.partitions("utterances")
    assert not isinstance(found, Outcome)
    assert [(each.version, each.format, each.date) for each in found] == [
        ("version=10", "format=jsonl", "dt=2026-11-20"),
        ("version=10", "format=jsonl", "dt=2026-11-21"),
    ]
    assert server.asked[2].json == {"feed": "utterances", "version": "version=10", "format": "format=jsonl"}


def test_marks_are_no_files(server: ScriptedServer, client: Exporter) -> None:
    """`_SUCCESS` and hidden names, in folders too."""
    server.script.append(answer(200, {"files": ["a.jsonl", "_SUCCESS", "x/_SUCCESS", ".crc"]}))
    found = client.files(PARTITION)
    assert not isinstance(found, Outcome)
    assert [each.name for each in found] == ["a.jsonl"]


@pytest.mark.parametrize(
    ("top", "intervals", "is_marked"),
    [
        (["a.jsonl", "_SUCCESS"], None, True),
        (["a.jsonl"], None, False),
        ([], {}, False),
        (["_SUCCESS"], {}, True),
        ([], {"hr=00": ["a.jsonl", "_SUCCESS"], "hr=01": ["hr=01/_SUCCESS"]}, True),
        ([], {"hr=00": ["a.jsonl", "_SUCCESS"], "hr=01": ["a.jsonl"]}, False),
    ],
)
def test_a_mark_says_that_a_day_is_whole(
    server: ScriptedServer, client: Exporter, top: list[str], intervals: dict[str, list[str]] | None, *, is_marked: bool
) -> None:
    """The day's own, or one in each of its intervals."""
    server.script.append(answer(200, {"files": top}))
    if intervals is not None:
        server.script.append(answer(200, {"intervals": list(intervals)}))
        server.script.extend(answer(200, {"files": names}) for names in intervals.values())
    assert client.is_marked(PARTITION) is is_marked


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        (answer(429, {"error": {"code": "429-01", "message": "slow down"}}), Verdict.REFUSED_FOR_NOW),
        (answer(503, {}), Verdict.FAILED),
        (answer(404, {"error": {"code": "404-01", "message": "no such file"}}), Verdict.TERMINAL),
        (answer(200, {"url": ""}), Verdict.FAILED),
        (Script(body=b"[]"), Verdict.FAILED),
        (Script(status=0), Verdict.UNKNOWN),
    ],
)
def test_every_answer_is_an_outcome(server: ScriptedServer, client: Exporter, script: Script, verdict: Verdict) -> None:
    """Nothing is raised."""
    server.script.append(script)
    found = client.link(FeedFile(partition=PARTITION, name="a.jsonl"))
    assert isinstance(found, Outcome)
    assert found.verdict is verdict
