"""The tree of feeds (ASAPP: File Exporter): feed, version, format, date, interval, file, and a link to it.

A day's files appear at 02:00 UTC of the next day and are purged 32 days after theirs. What the public material leaves
open (the style of values, splitting, packing, ``_SUCCESS``, repeats, the life of links, the senders' names) is
a switch ``feed-...``. Whoever asks must repeat values exactly as they were listed.
"""

import base64
import csv
import hashlib
import hmac
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, Literal

import msgspec

from orchestrator.emulators.asapp.exporter_rows import FEEDS, STATES, Day, Row, Said, date_of, day_start, file_rows
from orchestrator.emulators.asapp.switches import Switches
from orchestrator.emulators.asapp.wire import Refusal

_REFRESH_S: Final = 86_400 + 2 * 3600
_RETENTION: Final = timedelta(days=32)
_SUCCESS: Final = "_SUCCESS"
_PREFIXES: Final = {"version": "version=", "format": "format=", "date": "dt="}
_ONE_FILE: Final = 1 << 40
_BATCH: Final = 1000

Lack = Literal["states", "success"]


class FileId(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the tree, in plain values."""

    feed: str
    form: str
    date: str
    interval: str
    name: str


class _Link(msgspec.Struct, frozen=True):
    file: FileId
    expires_at: float


class Feeds:
    """What was planted, and the tree as it is seen at an instant. ``own`` gives what the emulator's calls said."""

    def __init__(self, switches: Switches, secret: str, own: Callable[[], Iterable[Said]]) -> None:
        self._switches = switches
        self._key = hashlib.sha256(f"links of {secret}".encode()).digest()
        self._own = own
        self.clear()

    def clear(self) -> None:
        self._planted: dict[str, list[Said]] = {}
        self._made_up: dict[str, int] = {}
        self._lacks: dict[str, frozenset[Lack]] = {}

    def plant(self, day: str, rows: Iterable[Said], made_up: int, lacks: Iterable[Lack] = ()) -> None:
        """Add rows to a day; with none the day is there and empty. ``lacks`` holds until it is planted again."""
        self._lacks[day] = frozenset(lacks)
        self._planted.setdefault(day, []).extend(rows)
        self._made_up[day] = self._made_up.get(day, 0) + made_up

    # --- the tree ----------------------------------------------------------------------------------------------

    def formats(self) -> list[str]:
        chosen = self._switches.word("feed-formats")
        return ["csv", "jsonl"] if chosen == "both" else [chosen]

    def dates(self, now: float, feed: str = "") -> list[str]:
        """Return those that are there, in no order."""
        known = {*self._planted, *(date_of(each.at) for each in self._own())}
        today = datetime.fromtimestamp(now, UTC).date()
        there = sorted(
            each
            for each in known
            if not (feed == STATES and "states" in self._lacks.get(each, ()))
            and now >= day_start(each) + _REFRESH_S
            and date.fromisoformat(each) >= today - _RETENTION
        )
        return there[1::2] + there[::2]

    def intervals(self) -> list[str]:
        return [f"hr={hour:02d}" for hour in range(24)] if self._switches.word("feed-intervals") == "hourly" else []

    def files(self, feed: str, form: str, day: str, interval: str) -> list[str]:
        if self.intervals() and not interval:
            return []
        rows = self._rows_in(self._day(day, interval))
        names = [self._name(feed, form, number) for number in rows]
        is_marked = self._switches.word("feed-success") == "listed" and "success" not in self._lacks.get(day, ())
        return [*names, _SUCCESS] if is_marked else names

    def shown(self, field: str, value: str) -> str:
        """Return a plain value in the style in force."""
        return value if self._switches.word("feed-values") == "plain" else _PREFIXES.get(field, "") + value

    def plain(self, field: str, value: str, there: Iterable[str]) -> str:
        """Return the plain value of one exactly as listed, or refuse."""
        for each in there:
            if self.shown(field, each) == value:
                return each
        raise Refusal(404, "404-01", f"no such {field}")

    # --- one file ----------------------------------------------------------------------------------------------

    def link(self, file: FileId, now: float) -> str:
        """Return path and query of a presigned link."""
        raw = msgspec.json.encode(_Link(file, now + self._switches.number("feed-link-ttl-s")))
        token = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return f"/presigned/{token}/{file.name}?X-Signature={self._signature(token)}"

    def linked(self, token: str, signature: str, now: float) -> FileId | None:
        """Return the file behind a link that is still good."""
        if not hmac.compare_digest(signature.encode(), self._signature(token).encode()):
            return None
        link = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=_Link)
        return link.file if now < link.expires_at else None

    def content(self, file: FileId) -> Iterator[bytes]:
        """Yield the file in pieces; only one of them is ever in memory."""
        if file.name == _SUCCESS:
            return iter(())
        day = self._day(file.date, file.interval)
        number = [self._name(file.feed, file.form, each) for each in self._rows_in(day)].index(file.name)
        size = self._split()
        rows = file_rows(
            day,
            file.feed,
            number * size,
            size,
            senders=self._switches.word("feed-sender-type"),
            duplicates=self._switches.word("feed-duplicates"),
        )
        lines = _csv(rows) if file.form == "csv" else _jsonl(rows)
        return _gzip(lines) if file.name.endswith(".gz") else lines

    def _day(self, day: str, interval: str) -> Day:
        listed = [*self._planted.get(day, ()), *(each for each in self._own() if date_of(each.at) == day)]
        if not interval:
            return Day(day, listed, self._made_up.get(day, 0))
        hour = int(interval.removeprefix("hr="))
        whole = Day(day, listed, self._made_up.get(day, 0))
        within = [each for each in whole.said(0, len(whole)) if datetime.fromtimestamp(each.at, UTC).hour == hour]
        return Day(day, within, 0)

    def _split(self) -> int:
        return int(self._switches.number("feed-split-rows")) or _ONE_FILE

    def _rows_in(self, day: Day) -> range:
        """Return the numbers of a day's files."""
        return range(-(-len(day) // self._split()))

    def _name(self, feed: str, form: str, number: int) -> str:
        packed = ".gz" if self._switches.word("feed-packing") == "gz" else ""
        part = f".{number:02d}" if self._switches.number("feed-split-rows") else ""
        return f"{feed}.{form}{part}{packed}"

    def _signature(self, token: str) -> str:
        return hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()


def known_feeds(switches: Switches) -> tuple[str, ...]:
    return FEEDS if switches.word("feeds") == "on" else ()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _jsonl(rows: Iterator[Row]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for batch in _batches(rows):
        yield encoder.encode_lines(batch)


def _csv(rows: Iterator[Row]) -> Iterator[bytes]:
    is_first = True
    for batch in _batches(rows):
        text = io.StringIO()
        writer: csv.DictWriter[str] = csv.DictWriter(text, list(batch[0]), lineterminator="\n")
        if is_first:
            writer.writeheader()
        writer.writerows(batch)
        is_first = False
        yield text.getvalue().encode()


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
