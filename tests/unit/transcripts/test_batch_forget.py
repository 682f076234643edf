"""A forgotten call leaves exported days, and nothing else does."""

from __future__ import annotations

import csv
from pathlib import Path

from orchestrator.transcripts.batch_forget import remove_call
from orchestrator.transcripts.batch_output import Format, Line, write_lines

GONE, KEPT = "CA" + "1" * 32, "CA" + "2" * 32


def line(call_sid: str, text: str) -> Line:
    return Line(
        call_sid=call_sid,
        at=None,
        role="customer",
        agent_id=None,
        text=text,
        is_fenced=False,
        length=len(text),
        message_id=text,
        conversation_id="01",
    )


def write(folder: Path, day: str, form: Format, *lines: Line) -> Path:
    path = folder / f"utterances-{day}.{form}"
    write_lines(path, form, lines, lambda: None)
    return path


def test_its_lines_go_from_every_day(tmp_path: Path) -> None:
    """Both formats; other calls that speak of it keep every word."""
    speaks_of_it = line(KEPT, f'he said {{"call_sid":"{GONE}"\nand "quoted", too')
    one = write(tmp_path, "2026-11-20", "jsonl", line(GONE, "secret"), speaks_of_it)
    two = write(tmp_path, "2026-11-21", "csv", speaks_of_it, line(GONE, "secret\nof two lines"))
    untouched = write(tmp_path, "2026-11-22", "jsonl", speaks_of_it)
    inode = untouched.stat().st_ino
    assert remove_call(tmp_path.as_uri(), GONE) == 2
    assert "secret" not in one.read_text() + two.read_text()
    assert len(one.read_text().splitlines()) == 1
    with two.open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [speaks_of_it.text]
    assert untouched.stat().st_ino == inode
    assert sorted(path.name for path in tmp_path.iterdir()) == [one.name, two.name, untouched.name]


def test_without_exports_there_is_nothing_to_do(tmp_path: Path) -> None:
    """No folder, no error."""
    assert remove_call(str(tmp_path / "batch"), GONE) == 0
