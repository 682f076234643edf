"""What an export writes: a day's utterances as JSON Lines or CSV, and its report, through fsspec.

The file is made whole beside the work file first, copied to a name beside the final one and then moved there, so
nobody ever sees half of one. The report is written last: a day whose file and report are there is done.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import fsspec
import msgspec

from orchestrator.errors import OrchestratorError

Format = Literal["jsonl", "csv"]


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One utterance as it is written; one that was spoken in a pause (`is_fenced`) without its `text`."""

    call_sid: str
    at: str | None
    role: str | None
    agent_id: str | None
    text: str | None
    is_fenced: bool
    length: int
    message_id: str
    conversation_id: str


@dataclass(frozen=True)
class Target:
    """Where a day goes. `to`: a folder, or the file itself when it ends as the format does; an fsspec URL or a path."""

    to: str
    day: str
    form: Format

    @property
    def url(self) -> str:
        if self.to.endswith(f".{self.form}"):
            return self.to
        return f"{self.to.rstrip('/')}/utterances-{self.day}.{self.form}"

    @property
    def report_url(self) -> str:
        return f"{self.url.removesuffix(f'.{self.form}')}.report.json"

    def is_done(self) -> bool:
        """Whether the report is there, and the file: the other format's has the same report.

        Raises `output-unavailable`.
        """
        with _translated():
            found = [fsspec.core.url_to_fs(url) for url in (self.report_url, self.url)]
            return all(files.exists(path) for files, path in found)

    def publish(self, whole: Path, report: dict[str, Any]) -> None:
        """Puts the file and then its report in place. Raises `output-unavailable`."""
        with _translated():
            files, path = fsspec.core.url_to_fs(self.url)
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            files.put_file(str(whole), f"{path}.part")
            files.mv(f"{path}.part", path)
            files, path = fsspec.core.url_to_fs(self.report_url)
            files.pipe_file(f"{path}.part", msgspec.json.format(msgspec.json.encode(report), indent=2))
            files.mv(f"{path}.part", path)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        told = f"The output cannot be written: {type(error).__name__}."
        raise OrchestratorError("output-unavailable", told) from error


def write_lines(path: Path, form: Format, lines: Iterable[Line], progress: Callable[[], None]) -> None:
    """The whole file, for its owner's eyes only; `progress` is called for each line."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    with path.open("wb") as file:
        (_write_csv if form == "csv" else _write_json)(file, lines, progress)


def _write_json(file: BinaryIO, lines: Iterable[Line], progress: Callable[[], None]) -> None:
    encoder = msgspec.json.Encoder()
    buffer = bytearray()
    for line in lines:
        encoder.encode_into(line, buffer)
        buffer += b"\n"
        file.write(buffer)
        progress()


def _write_csv(file: BinaryIO, lines: Iterable[Line], progress: Callable[[], None]) -> None:
    writer = csv.writer(_Encoded(file), lineterminator="\n")
    writer.writerow(Line.__struct_fields__)
    for line in lines:
        writer.writerow(msgspec.structs.astuple(line))
        progress()


class _Encoded:
    """Text of the CSV writer as UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())
