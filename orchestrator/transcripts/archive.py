"""The archive: one document per call through fsspec, `{ARCHIVE_URL}/YYYY/MM/DD/{call_sid}.json` (UTC date of start).

Written whole or not at all (to a name beside it, then moved), and never replaced by a less complete one; only words
that the fence took out later do go. One that cannot be read all the same, empty or cut by somebody else's hand, counts
as absent: the next look of its call writes it anew.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fsspec
import msgspec
import structlog
from fsspec.implementations.local import LocalFileSystem

from orchestrator.core.call import Call
from orchestrator.errors import OrchestratorError
from orchestrator.shown import moment
from orchestrator.transcripts.coverage import coverage

log = structlog.get_logger(__name__)

SCHEMA = 1


class Archive:
    """`url`: any fsspec URL, such as `file:///var/lib/calls`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def path_of(self, call: Call) -> str:
        return self._path(call.call_sid, call.created_at)

    def _path(self, call_sid: str, created_at: int) -> str:
        day = datetime.fromtimestamp(created_at / 1000, UTC).strftime("%Y/%m/%d")
        return f"{self._url}/{day}/{call_sid}.json"

    def remove(self, call_sid: str) -> int:
        """How many documents of this call there were; one that became known anew may have several, on several days.

        Half-written ones beside them go, too. Raises `archive-unavailable`.
        """
        try:
            files, path = fsspec.core.url_to_fs(f"{self._url}/*/*/*/{call_sid}.json")
            found = [name for each in (path, f"{path}.part") for name in files.glob(each)]
            for name in found:
                files.rm_file(name)
        except (OSError, ValueError) as error:
            raise OrchestratorError("archive-unavailable", "The archive cannot be changed.") from error
        return len([name for name in found if not name.endswith(".part")])

    def read(self, call: Call) -> dict[str, Any] | None:
        """The document as it is, or None. Raises `archive-unavailable`."""
        return self.document(call.call_sid, call.created_at)

    def document(self, call_sid: str, created_at: int) -> dict[str, Any] | None:
        """The same of a call that nobody else knows any more."""
        try:
            files, path = fsspec.core.url_to_fs(self._path(call_sid, created_at))
            if not files.exists(path):
                return None
            return _decoded(path, files.cat_file(path))
        except (OSError, ValueError) as error:
            raise OrchestratorError("archive-unavailable", "The archive cannot be read.") from error

    def find(self, call_sid: str) -> dict[str, Any] | None:
        """The document of a call whose day is not known, looked for in all. Raises `archive-unavailable`."""
        try:
            files, pattern = fsspec.core.url_to_fs(f"{self._url}/*/*/*/{call_sid}.json")
            found = (_decoded(path, files.cat_file(path)) for path in files.glob(pattern))
            return next((each for each in found if each is not None), None)
        except (OSError, ValueError) as error:
            raise OrchestratorError("archive-unavailable", "The archive cannot be read.") from error

    def days(self, since: str, to: str, *, without: Collection[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
        """Day and document of every archived call of these days (`YYYY-MM-DD`, UTC, both included).

        `without`: Call SIDs to leave out unread. What cannot be decoded is left out. Raises `archive-unavailable`.
        """
        day = date.fromisoformat(since)
        while day <= date.fromisoformat(to):
            try:
                files, path = fsspec.core.url_to_fs(f"{self._url}/{day:%Y/%m/%d}")
                for name in sorted(files.glob(f"{path}/*.json")):
                    if name.rsplit("/", 1)[-1].removesuffix(".json") in without:
                        continue
                    if (document := _decoded(name, files.cat_file(name))) is not None:
                        yield day.isoformat(), document
            except (OSError, ValueError) as error:
                raise OrchestratorError("archive-unavailable", "The archive cannot be read.") from error
            day += timedelta(days=1)

    def write(self, call: Call, document: dict[str, Any]) -> bool:
        """Whether it was written; False when a more complete one is there. Raises `archive-unavailable`."""
        there = self.read(call)
        if there is not None and there.get("segments") and not call.segments:
            return False  # known again by a late callback, after Redis had forgotten it
        if there is not None and _rank(there) > _rank(document) and _fenced(there) >= _fenced(document):
            return False
        try:
            files, path = fsspec.core.url_to_fs(self.path_of(call))
            files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            beside = f"{path}.part"
            files.pipe_file(beside, msgspec.json.encode(document))
            if isinstance(files, LocalFileSystem):
                _write_through(beside)
            files.mv(beside, path)
        except (OSError, ValueError) as error:
            raise OrchestratorError("archive-unavailable", "The archive cannot be written.") from error
        return True


def _decoded(path: str, content: bytes) -> dict[str, Any] | None:
    """None where it is no document."""
    try:
        document = msgspec.json.decode(content)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    log.error("archived-document-unreadable", path=path, bytes=len(content))
    return None


def _write_through(path: str) -> None:
    """To the disk: after a power cut the moved name must not stand for an empty file."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _rank(document: dict[str, Any]) -> tuple[bool, int]:
    told = len(document.get("utterances", ())) + _fenced(document)
    return document.get("complete") is True, told


def _fenced(document: dict[str, Any]) -> int:
    return len(document.get("quarantined", ()))


def archive_document(call: Call, transcript: dict[str, Any], timeline: list[dict[str, Any]]) -> dict[str, Any]:
    """The contract's document: the transcript, and beside it call, segments, coverage, timeline and schema."""
    return {
        "schema": SCHEMA,
        **transcript,
        "call": {
            "direction": call.direction,
            "customer_id": call.customer_id,
            "profile": call.profile.name,
            "started_at": moment(call.created_at),
            "ended_at": moment(call.ended_at),
            "end_reason": call.end_reason,
        },
        "segments": [
            {
                "agent_id": each.agent_id,
                "start": moment(each.start),
                "end": moment(each.end),
                "stream_ids": each.stream_ids,
                "promised": each.promised,
            }
            for each in call.segments
        ],
        "coverage": coverage(call),
        "timeline": timeline,
    }
