"""The archive: whole documents, the date's folder, never a step back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from orchestrator.core.call import Call, Gap, Progress, Segment
from orchestrator.core.profile import Profile
from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.archive import Archive, archive_document
from orchestrator.transcripts.coverage import coverage

SID = "CA" + "2" * 32
CALL = Call(
    call_sid=SID,
    profile=Profile(route="conference"),
    created_at=1_700_000_000_000,
    progress=Progress.ENDED,
    ended_at=1_700_000_060_000,
    segments=(Segment(agent_id="amy", start=1_700_000_010_000, end=1_700_000_040_000),),
    gaps=(Gap(start=1_700_000_040_000, end=1_700_000_050_000, reason="stream-broken"),),
    unwanted_ms=250,
)


def given_document(complete: object, count: int) -> dict[str, object]:
    transcript = {"call_sid": SID, "complete": complete, "utterances": [{}] * count, "gaps": [], "pauses": []}
    return archive_document(CALL, transcript, [])


def test_a_document_lies_in_the_folder_of_its_day(tmp_path: Path) -> None:
    """The day is that of the call's start in UTC; nothing half-written is left beside it."""
    archive = Archive(tmp_path.as_uri())
    assert archive.read(CALL) is None
    assert archive.write(CALL, given_document(True, 2))
    (found,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found.relative_to(tmp_path).as_posix() == f"2023/11/14/{SID}.json"
    assert json.loads(found.read_text())["call"]["end_reason"] == ""


@pytest.mark.parametrize(
    ("there", "new", "is_written"),
    [
        ((False, 2), (True, 2), True),
        ((True, 2), (False, 3), False),
        ((None, 3), (None, 2), False),
        ((None, 2), (False, 2), True),
    ],
)
def test_a_more_complete_document_stays(
    tmp_path: Path, there: tuple[object, int], new: tuple[object, int], is_written: bool
) -> None:
    """Complete beats incomplete, more utterances beat fewer."""
    archive = Archive(tmp_path.as_uri())
    archive.write(CALL, given_document(*there))
    assert archive.write(CALL, given_document(*new)) is is_written
    kept = new if is_written else there
    document = archive.read(CALL)
    assert document is not None
    assert (document["complete"], len(document["utterances"])) == kept


def test_a_call_without_segments_replaces_no_conversation(tmp_path: Path) -> None:
    """Known again by a late callback the call has nothing to say, which is not more complete than what was said."""
    archive, again = Archive(tmp_path.as_uri()), replace(CALL, segments=())
    archive.write(CALL, given_document(None, 2))
    emptied = {**given_document(True, 0), "segments": []}
    assert not archive.write(again, emptied)
    document = archive.read(CALL)
    assert document is not None
    assert len(document["utterances"]) == 2


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b'{"complete": tr', b"\xff{}", b"null"])
def test_what_is_no_document_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    """Empty, of zeros, cut: nobody stumbles over it, and the call's next document takes its place."""
    archive, other = Archive(tmp_path.as_uri()), replace(CALL, call_sid="CA" + "3" * 32)
    archive.write(CALL, given_document(True, 2))
    archive.write(other, given_document(None, 1))
    (tmp_path / f"2023/11/14/{SID}.json").write_bytes(content)
    assert archive.read(CALL) is None
    assert archive.find(SID) is None
    assert [len(document["utterances"]) for _, document in archive.days("2023-11-14", "2023-11-14")] == [1]
    assert archive.write(CALL, given_document(None, 1))
    assert archive.read(CALL) is not None


def test_a_document_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a power cut leaves either none or a whole one."""
    through: list[str] = []
    sync = os.fsync

    def synced(file: int) -> None:
        sync(file)
        through.extend(path.name for path in tmp_path.rglob("*") if path.is_file())

    monkeypatch.setattr(os, "fsync", synced)
    Archive(tmp_path.as_uri()).write(CALL, given_document(True, 1))
    assert through == [f"{SID}.json.part"]


def test_an_archive_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    """The after-call queue tries again; the error has a stable id."""
    (tmp_path / "2023").write_text("a file where a folder should be")
    with pytest.raises(OrchestratorError) as raised:
        Archive(tmp_path.as_uri()).write(CALL, given_document(True, 1))
    assert raised.value.error_id == "archive-unavailable"


def test_coverage_is_told_in_seconds() -> None:
    """Talk is what was transcribed and what was missed, each gap with its cause and its agent."""
    own = {"talk_s": 40.0, "transcribed_s": 30.0, "missing_s": 10.0, "ratio": 0.75}
    assert coverage(CALL) == {
        **own,
        "unwanted_s": 0.25,
        "gaps_s": {"stream-broken": 10.0},
        "pauses_s": {},
        "agents": {"amy": {**own, "gaps_s": {"stream-broken": 10.0}}},
    }


@pytest.mark.parametrize(
    ("reason", "length_ms", "cause"),
    [
        ("stream-broken", 100, "stream-broken"),
        ("asapp-5xx", 100, "vendor-down"),
        ("asapp-no-answer", 100, "vendor-down"),
        ("twilio-unwell", 100, "vendor-down"),
        ("no-stream-url", 100, "vendor-down"),
        ("starting", 999, None),
        ("starting", 1_000, "start-late"),
        ("starting", 5_000, "start-late"),
        ("starting", 5_001, "worker-gone"),
        ("store-away", 100, "worker-gone"),
    ],
)
def test_each_gap_has_its_cause(reason: str, length_ms: int, cause: str | None) -> None:
    """Four of them; an ordinary start is no gap at all."""
    call = replace(CALL, gaps=(Gap(start=CALL.created_at, end=CALL.created_at + length_ms, reason=reason),))
    assert coverage(call)["gaps_s"] == ({} if cause is None else {cause: length_ms / 1000})


def test_talk_ends_with_the_call() -> None:
    """A stop that is confirmed a minute later adds no talk, a gap that nobody closed ends there, too."""
    ended_at = CALL.ended_at or 0
    late = replace(CALL.segments[-1], start=ended_at - 10_000, end=ended_at + 60_000)
    gap = Gap(start=ended_at - 2_000, reason="asapp-5xx")
    ledger = coverage(replace(CALL, segments=(late,), gaps=(gap,), paused=()))
    assert (ledger["transcribed_s"], ledger["missing_s"]) == (10.0, 2.0)
