"""Taking a forgotten call out of exported days: `orchestrator forget` reaches `{ARCHIVE_URL}/batch` too.

A day's file that has the call is written again without it, as a whole or not at all; its report is not touched (it
holds no words). Files are read and written in streams. Raises `output-unavailable`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import fsspec

from orchestrator.errors import OrchestratorError


def remove_call(folder: str, call_sid: str) -> int:
    """How many utterances were taken out of the days exported to `folder` (an fsspec URL or a path)."""
    removed = 0
    with _translated():
        files, root = fsspec.core.url_to_fs(folder.rstrip("/"))
        if not files.exists(root):
            return 0
        for path in sorted(files.glob(f"{root}/utterances-*")):
            if path.endswith((".jsonl", ".csv")):
                removed += _without(files, path, call_sid)
            elif path.endswith((".jsonl.part", ".csv.part")):
                files.rm_file(path)  # left by an export that was cut off, or under way: then that one fails and repeats
    return removed


def remove_from(url: str, call_sid: str) -> int:
    """The same for one exported day."""
    with _translated():
        files, path = fsspec.core.url_to_fs(url)
        return _without(files, path, call_sid)


def _without(files: fsspec.AbstractFileSystem, path: str, call_sid: str) -> int:
    beside = f"{path}.part"
    copy = _copy_csv if path.endswith(".csv") else _copy_lines
    with files.open(path, "rb") as source, files.open(beside, "wb") as target:
        removed = copy(source, target, call_sid)
    if removed:
        files.mv(beside, path)
    else:
        files.rm_file(beside)
    return removed


def _copy_lines(source: IO[bytes], target: IO[bytes], call_sid: str) -> int:
    """The call's SID stands first in every line of ours."""
    mark, removed = f'{{"call_sid":"{call_sid}"'.encode(), 0
    for line in source:
        if line.startswith(mark):
            removed += 1
        else:
            target.write(line)
    return removed


def _copy_csv(source: IO[bytes], target: IO[bytes], call_sid: str) -> int:
    """Rows may contain line ends, so they are read as CSV; the SID is the first column."""
    removed = 0
    rows = csv.reader(line.decode() for line in source)
    for row in rows:
        if row and row[0] == call_sid:
            removed += 1
            continue
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        target.write(text.getvalue().encode())
    return removed


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError, csv.Error) as error:
        told = f"The exported days cannot be changed: {type(error).__name__}."
        raise OrchestratorError("output-unavailable", told) from error
