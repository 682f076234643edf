"""The archive is kept as long as the site says, and nobody else's files are touched."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import fsspec
import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.transcripts.retention import first_day_kept, sweep

SID = "CA" + "1" * 32
OLD = [
    f"2025/12/31/{SID}.json",
    f"2026/02/27/{SID}.json",
    f"2026/02/28/{SID}.json",
    f"2026/02/28/{SID}.json.part",
    "batch/utterances-2026-02-28.jsonl",
    "batch/utterances-2026-02-28.report.json",
]
KEPT = [
    f"2026/03/01/{SID}.json",
    f"2026/03/02/{SID}.json",
    "2026/02/28/notes.txt",
    f"2026/13/40/{SID}.json",
    f"2026/02/{SID}.json",
    f"2024-old/01/01/{SID}.json",
    "batch/utterances-2026-03-01.jsonl",
    "batch/readme.txt",
]


def given(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_older_days_go_and_all_else_stays(tmp_path: Path, scheme: str) -> None:
    """By the day in the path, so an old call written again later is as old as it is; again it finds nothing."""
    files = fsspec.filesystem(scheme)
    url = f"{scheme}://{tmp_path}"
    for name in OLD + KEPT:
        files.pipe_file(f"{tmp_path}/{name}", b"{}") if scheme == "memory" else given(tmp_path, [name])
    assert sweep(url, date(2026, 3, 1)) == len(OLD)
    found = sorted(name.partition(f"{tmp_path}/")[2] for name in files.find(str(tmp_path)))
    assert found == sorted(KEPT)
    assert sweep(url, date(2026, 3, 1)) == 0


def test_empty_days_are_removed(tmp_path: Path) -> None:
    """A folder with somebody else's file in it stays."""
    given(tmp_path, OLD + KEPT)
    sweep(tmp_path.as_uri(), date(2026, 3, 1))
    assert not (tmp_path / "2026/02/27").exists()
    assert (tmp_path / "2026/02/28").exists()


def test_an_archive_that_is_not_there_yet_has_nothing_old(tmp_path: Path) -> None:
    """No failure before the first call."""
    assert sweep((tmp_path / "none").as_uri(), date(2026, 3, 1)) == 0


def test_an_archive_that_fails_is_told(tmp_path: Path) -> None:
    """In the project's own words."""
    del tmp_path
    with pytest.raises(OrchestratorError, match="cannot be swept"):
        sweep("nosuchscheme://there", date(2026, 3, 1))


@pytest.mark.parametrize(("hour", "first"), [(0, "2026-02-22"), (23, "2026-02-22")])
def test_days_are_whole_ones(hour: int, first: str) -> None:
    """With seven days, what began on the seventh day before today is kept all day long."""
    now = datetime(2026, 3, 1, hour, tzinfo=UTC)
    assert first_day_kept(int(now.timestamp() * 1000), 7).isoformat() == first
