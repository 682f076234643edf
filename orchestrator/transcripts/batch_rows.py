"""A day's feed on disk while it is put together: a private SQLite file, so that memory does not grow with the feed.

A file of the feed is taken in one transaction, so after a crash the work goes on with the files that are missing. Rows
are only ever appended; at the end both tables are walked once in the order of the key (SQLite sorts on disk), of rows
with the same key the newest counts, and the speaker is joined on.

The file holds words of conversations: only its owner may read it, and `discard` removes it. One process at a time may
have it open; another one is told `export-under-way`. A full or broken disk raises `work-file-unusable`.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import msgspec

from orchestrator.asapp.exporter import UTTERANCES
from orchestrator.asapp.exporter_download import FeedRow
from orchestrator.errors import OrchestratorError

_BATCH = 1000
_CACHE_KIB = 24 * 1024
_ROLES = {"customer": "customer", "agent": "agent", "rep": "agent", "representative": "agent"}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (file TEXT PRIMARY KEY, rows INTEGER, unreadable INTEGER);
CREATE TABLE IF NOT EXISTS said (key TEXT, age TEXT, call TEXT, conversation TEXT, message TEXT, at TEXT, words TEXT);
CREATE TABLE IF NOT EXISTS speaker (key TEXT, age TEXT, role TEXT, sender TEXT, agent TEXT);
"""
_INSERTS = {
    True: "INSERT INTO said VALUES (?, ?, ?, ?, ?, ?, ?)",
    False: "INSERT INTO speaker VALUES (?, ?, ?, ?, ?)",
}


class Joined(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One utterance of the feed with its speaker. `at`: as the feed has it, `YYYY-MM-DD hh:mm:ss` in UTC.

    `role`: `customer`, `agent`, `system`, or None where the feed does not tell; `call_sid` empty likewise.
    """

    call_sid: str
    conversation_id: str
    message_id: str
    at: str
    role: str | None
    sender_id: str
    agent_id: str
    text: str

    def __repr__(self) -> str:
        return f"Joined({self.call_sid}, {self.message_id}, text hidden)"


class WorkFile:
    """Opens or makes the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._base = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            self._base.close()
            if "locked" in str(error):
                raise OrchestratorError("export-under-way", "Another process exports this day.") from None
            raise _unusable(error) from None
        except sqlite3.DatabaseError as error:
            self._base.close()
            path.unlink(missing_ok=True)  # half of a page after a power cut: the next run starts again
            raise _unusable(error) from None

    def _prepare(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "synchronous = OFF", "temp_store = FILE", "journal_mode = DELETE"):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._base.execute("BEGIN EXCLUSIVE")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            self._base.execute(statement)
        self._base.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._base.close()

    def discard(self) -> None:
        """The work is done, or starts again from nothing."""
        self._base.close()
        self._path.unlink(missing_ok=True)

    def taken(self) -> set[str]:
        """The files that are here whole."""
        return {name for (name,) in self._run("SELECT file FROM taken")}

    def take(self, file: str, feed: str, rows: Iterable[FeedRow], between: Callable[[], None]) -> int:
        """Takes a file whole or not at all; returns its number of rows. `between` is called every thousand rows."""
        is_said = feed == UTTERANCES
        count = unreadable = 0
        source = iter(rows)
        with self._transaction():
            while batch := list(islice(source, _BATCH)):
                records = [_said(row) if is_said else _speaker(row) for row in batch if _is_whole(row, is_said=is_said)]
                self._base.executemany(_INSERTS[is_said], records)
                count += len(batch)
                unreadable += len(batch) - len(records)
                between()
            self._base.execute("INSERT INTO taken VALUES (?, ?, ?)", (file, count, unreadable))
        return count

    def totals(self) -> dict[str, int]:
        """`rows` of utterances, repeats included, and `unreadable` ones of both feeds."""
        (rows,) = next(self._run("SELECT count(*) FROM said"))
        (unreadable,) = next(self._run("SELECT coalesce(sum(unreadable), 0) FROM taken"))
        return {"rows": rows, "unreadable": unreadable}

    def joined(self) -> Iterator[Joined]:
        """Every utterance once, the newest of its key, in the order of conversation and message."""
        speakers = _newest(self._run("SELECT * FROM speaker ORDER BY key, age, rowid"))
        speaker = next(speakers, None)
        for said in _newest(self._run("SELECT * FROM said ORDER BY key, age, rowid")):
            while speaker is not None and speaker[0] < said[0]:
                speaker = next(speakers, None)
            found = speaker if speaker is not None and speaker[0] == said[0] else (said[0], "", None, "", "")
            yield Joined(
                call_sid=said[2],
                conversation_id=said[3],
                message_id=said[4],
                at=said[5],
                text=said[6],
                role=found[2],
                sender_id=found[3],
                agent_id=found[4],
            )

    def _run(self, statement: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._base.execute(statement)
        except sqlite3.Error as error:
            raise _unusable(error) from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._base.execute("BEGIN")
            yield
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unusable(error) from None
        finally:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")


def _unusable(error: sqlite3.Error) -> OrchestratorError:
    return OrchestratorError("work-file-unusable", f"The export's work file cannot be used: {error}")


def _newest(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Of neighbours with the same key the last one."""
    for _, same in groupby(rows, key=itemgetter(0)):
        yield deque(same, maxlen=1)[0]


def _is_whole(row: FeedRow, *, is_said: bool) -> bool:
    return row.message_id is not None and (not is_said or row.utterance is not None)


def _key(row: FeedRow) -> str:
    """ASAPP: the unique key of both feeds."""
    return f"{row.conversation_id or ''}\x1f{row.message_id}\x1f{row.company_marker or ''}"


def _age(row: FeedRow) -> str:
    """Sorts rows of one key by their own time, then by the window that they were written in."""
    return f"{_plain(row.chat_message_event_ts)}\x1f{_plain(row.instance_ts)}"


def _plain(moment: str | None) -> str:
    return (moment or "").replace("T", " ").removesuffix("Z").removesuffix("+00:00")


def _said(row: FeedRow) -> tuple[str, ...]:
    return (
        _key(row),
        _age(row),
        row.external_conversation_id or "",
        str(row.conversation_id or ""),
        str(row.message_id),
        _plain(row.chat_message_event_ts or row.instance_ts)[:19],
        row.utterance or "",
    )


def _speaker(row: FeedRow) -> tuple[str | None, ...]:
    agent = str(row.agent_metadata_external_agent_id or "")
    return _key(row), _age(row), _role(row.sender_type, agent), str(row.sender_id or ""), agent


def _role(sender_type: str | None, agent: str) -> str | None:
    """Of the values only `SENDER_CUSTOMER` is documented; whatever names neither side is the system's, or unknown."""
    word = (sender_type or "").casefold().removeprefix("sender_")
    if not word:
        return "agent" if agent else None
    return _ROLES.get(word, "system")
