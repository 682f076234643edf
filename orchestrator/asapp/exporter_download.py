"""Reading a feed's file through its presigned link: row by row, a few hundred kilobytes in memory.

The link belongs to an object store, so ASAPP's credentials are not sent to it. No redirect is followed and no proxy or
netrc is used. A file may be gzip whatever its name says (its first bytes tell), in one or several members.

The deadline is per piece of 256 KiB, not per file: a day may take minutes, but a line that drips is given up. Errors
name no URL.
"""

from __future__ import annotations

import csv
import io
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import requests
import urllib3

from orchestrator.asapp.exporter import Link

Progress = Callable[[int], None]
"""Told how many bytes more have come over the line."""

_PIECE = 256 * 1024
_UNPACKED = 1024 * 1024
_LONGEST_LINE = 4 * 1024 * 1024
_OK, _FORBIDDEN = 200, 403
_GZIP = b"\x1f\x8b"


class LinkRefused(Exception):  # noqa: N818  # the name tells what is known
    """The link is not good any more: ask for another one."""


class DownloadBroken(Exception):  # noqa: N818  # the name tells what is known
    """The file did not come whole, or is none of rows. `reason` is for people and names no URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FeedRow(msgspec.Struct, kw_only=True, gc=False):
    """A row of either feed; columns that are not used here are let pass, and new ones may come at any time.

    One that could not be read has nothing in it.
    """

    company_marker: str | int | None = None
    conversation_id: str | int | None = None
    message_id: str | int | None = None
    external_conversation_id: str | None = None
    instance_ts: str | None = None
    chat_message_event_ts: str | None = None
    utterance: str | None = None
    sender_type: str | None = None
    sender_id: str | int | None = None
    agent_metadata_external_agent_id: str | int | None = None

    def __repr__(self) -> str:
        return f"FeedRow({self.message_id}, text hidden)"


def rows(
    link: Link, *, is_csv: bool, piece_deadline_s: float = 60.0, progress: Progress = lambda _: None
) -> Iterator[FeedRow]:
    """The rows of a file, in its order. Raises `LinkRefused` and `DownloadBroken`."""
    pieces = _unpacked(_pieces(link, piece_deadline_s, progress))
    yield from _csv_rows(pieces) if is_csv else _json_rows(pieces)


def _pieces(link: Link, deadline_s: float, progress: Progress) -> Iterator[bytes]:
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
            session.headers.clear()
            headers = {"Accept-Encoding": "identity"}
            answer = session.get(link.url, headers=headers, stream=True, timeout=deadline_s, allow_redirects=False)
            with closing(answer):
                if answer.status_code == _FORBIDDEN:
                    raise LinkRefused
                if answer.status_code != _OK:
                    raise DownloadBroken(f"the object store answered {answer.status_code}")
                yield from _read(answer, deadline_s, progress)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise DownloadBroken(type(error).__name__) from None


def _read(answer: requests.Response, deadline_s: float, progress: Progress) -> Iterator[bytes]:
    """Each read returns what is there, so that the clock is looked at between packets, however small they are."""
    expected = answer.headers.get("Content-Length")
    total = 0
    while True:
        piece = bytearray()
        until = time.monotonic() + deadline_s
        while len(piece) < _PIECE:
            part = answer.raw.read1(_PIECE - len(piece), decode_content=False)
            if not part:
                break
            piece += part
            if time.monotonic() > until:
                raise DownloadBroken("too slow")
        if not piece:
            break
        total += len(piece)
        progress(len(piece))
        yield bytes(piece)
    if expected is not None and expected.isdecimal() and total != int(expected):
        raise DownloadBroken("cut off")


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    if not first.startswith(_GZIP):
        yield first
        yield from pieces
        return
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for piece in _with_first(first, pieces):
            waiting = piece
            while waiting:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(wbits=31)
                yield unpacker.decompress(waiting, _UNPACKED)
                waiting = unpacker.unconsumed_tail or unpacker.unused_data
    except zlib.error:
        raise DownloadBroken("not gzip to the end") from None
    while not unpacker.eof and (rest := unpacker.decompress(b"", _UNPACKED)):
        yield rest
    if not unpacker.eof:
        raise DownloadBroken("cut off")


def _with_first(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST_LINE:
            raise DownloadBroken("a row is longer than 4 MiB")
    if rest:
        yield rest


def _json_rows(pieces: Iterator[bytes]) -> Iterator[FeedRow]:
    """One bad row is one bad row; a file that begins with one is something else than rows."""
    decode = msgspec.json.Decoder(FeedRow).decode
    is_first = True
    for line in _lines(pieces):
        if not line or line.isspace():
            continue
        try:
            row = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if is_first:
                raise DownloadBroken("not JSON Lines") from None
            row = FeedRow()
        is_first = False
        yield row


class _Raw(io.RawIOBase):
    """Pieces as a file, for the CSV reader, whose rows may contain line ends."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            found = next(self._pieces, None)
            if found is None:
                return 0
            self._rest = found
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _csv_rows(pieces: Iterator[bytes]) -> Iterator[FeedRow]:
    known = set(FeedRow.__struct_fields__)
    text = io.TextIOWrapper(io.BufferedReader(_Raw(pieces)), encoding="utf-8", newline="")
    csv.field_size_limit(_LONGEST_LINE)
    try:
        for row in csv.DictReader(text):
            yield FeedRow(**{name: value for name, value in row.items() if name in known})
    except (csv.Error, UnicodeDecodeError):
        raise DownloadBroken("a row is not CSV") from None
