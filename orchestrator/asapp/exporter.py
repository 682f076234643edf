"""ASAPP's File Exporter: which files a day's feed has, and a link to each. One attempt each, outcomes in neutral words.

Source: ASAPP's OpenAPI `fileexporter` (all endpoints are POST, all values text) and its guide to the feeds: off by
default, refreshed once a day at 02:00 UTC, `utterances` kept at most 32 days. The documentation shows values both
plain (`2026-11-21`) and as path segments (`dt=2026-11-21`). So nothing is ever built or reformatted here: a value is
chosen from a list by how it ends, and sent back exactly as it was listed.

Links are secrets, of unknown life; they are told no further and used at once (`orchestrator.asapp.exporter_download`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.asapp import answers
from orchestrator.asapp.day import DAY_IS_OVER, Day, Endless
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Answer, Http, NoAnswer, NotSent, TooLarge

UTTERANCES = "utterances"
STATES = "staging_utterance_state"
RETENTION_DAYS = 32
REFRESH_HOUR_UTC = 2

_PATH = "/fileexporter/v1/static/"
_LIST_MAX_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 20.0
_MARK = "_SUCCESS"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """One day of one feed; every value as ASAPP listed it."""

    feed: str
    version: str
    format: str
    date: str

    @property
    def is_csv(self) -> bool:
        return self.format.endswith("csv")

    @property
    def day(self) -> str:
        """YYYY-MM-DD."""
        return self.date[-10:]


class FeedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file; `interval` None: the partition was listed without one."""

    partition: Partition
    name: str
    interval: str | None = None

    @property
    def key(self) -> str:
        """Names the file among all of its day."""
        return f"{self.partition.feed}/{self.interval or ''}/{self.name}"


class Link(msgspec.Struct, frozen=True):
    """A presigned URL, a secret."""

    url: str

    def __repr__(self) -> str:
        return "Link(hidden)"


class _Listed(msgspec.Struct, rename="camel"):
    versions: list[str] = []
    formats: list[str] = []
    dates: list[str] = []
    intervals: list[str] = []
    files: list[str] = []
    url: str = ""


class Exporter:
    """`credentials()` gives id and secret for each request."""

    def __init__(
        self, http: Http, base_url: str, credentials: Callable[[], tuple[str, str]], day: Day | None = None
    ) -> None:
        self._day: Day = day or Endless()
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials

    def partitions(self, feed: str) -> list[Partition] | Outcome:
        """Every day that the feed has now, oldest first: of its newest version, as JSON Lines if there are any."""
        versions = self._list("listfeedversions", {"feed": feed})
        if isinstance(versions, Outcome):
            return versions
        if not versions.versions:
            return []
        chosen = {"feed": feed, "version": max(versions.versions, key=_number_at_end)}
        formats = self._list("listfeedformats", chosen)
        if isinstance(formats, Outcome):
            return formats
        form = _readable_format(formats.formats)
        if form is None:
            return answers.unreadable("no format of the feed is jsonl or csv")
        chosen["format"] = form
        dates = self._list("listfeeddates", chosen)
        if isinstance(dates, Outcome):
            return dates
        days = (date for date in dates.dates if _DAY.search(date))
        return sorted((Partition(**chosen, date=date) for date in days), key=lambda each: each.day)

    def files(self, partition: Partition) -> list[FeedFile] | Outcome:
        """The files with rows in them, in the order of the list; `_SUCCESS` is none.

        Intervals are looked for only where a list without one is empty.
        """
        lists = self._lists(partition)
        if isinstance(lists, Outcome):
            return lists
        return [each for interval, listed in lists for each in _files(partition, listed, interval)]

    def is_marked(self, partition: Partition) -> bool | Outcome:
        """Whether the partition, or else each of its intervals, is marked as whole: `_SUCCESS` is listed."""
        lists = self._lists(partition)
        if isinstance(lists, Outcome):
            return lists
        whole, *intervals = (any(name.rpartition("/")[2] == _MARK for name in listed.files) for _, listed in lists)
        return whole or (bool(intervals) and all(intervals))

    def _lists(self, partition: Partition) -> list[tuple[str | None, _Listed]] | Outcome:
        """The list without an interval, and where it has no rows those of the intervals."""
        asked = msgspec.structs.asdict(partition)
        listed = self._list("listfeedfiles", asked)
        if isinstance(listed, Outcome):
            return listed
        found: list[tuple[str | None, _Listed]] = [(None, listed)]
        if any(_has_rows(name) for name in listed.files):
            return found
        intervals = self._list("listfeedintervals", asked)
        if isinstance(intervals, Outcome):
            return intervals
        for interval in sorted(intervals.intervals):
            of_interval = self._list("listfeedfiles", {**asked, "interval": interval})
            if isinstance(of_interval, Outcome):
                return of_interval
            found.append((interval, of_interval))
        return found

    def link(self, file: FeedFile) -> Link | Outcome:
        """A link to use at once. One without a scheme (so in an example of ASAPP's) gets that of ASAPP's API."""
        asked = {**msgspec.structs.asdict(file.partition), "fileName": file.name}
        if file.interval is not None:
            asked["interval"] = file.interval
        got = self._list("getfeedfile", asked)
        if isinstance(got, Outcome):
            return got
        if not got.url:
            return answers.unreadable("200 without a link")
        scheme = self._base_url.partition("://")[0]
        return Link(got.url if "://" in got.url else f"{scheme}://{got.url}")

    def _list(self, endpoint: str, asked: dict[str, Any]) -> _Listed | Outcome:
        answer = self._ask(endpoint, asked)
        if isinstance(answer, Outcome):
            return answer
        if answer.status != answers.OK:
            return answers.refusal(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Listed)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return answers.unreadable(f"{endpoint}: 200 without the list")

    def _ask(self, endpoint: str, asked: dict[str, Any]) -> Answer | Outcome:
        if not self._day.may_ask():
            return DAY_IS_OVER
        key, secret = self._credentials()
        try:
            return self._http.request(
                "POST",
                self._base_url + _PATH + endpoint,
                deadline_s=_TIMEOUT_S,
                headers={"asapp-api-id": key, "asapp-api-secret": secret, "Accept": "application/json"},
                json=asked,
                max_bytes=_LIST_MAX_BYTES,
                is_repeatable=True,  # all of them only read
            )
        except NotSent as error:
            return Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="5xx", detail=f"not sent: {error.reason}")
        except NoAnswer as error:
            return Outcome(verdict=Verdict.UNKNOWN, family="5xx", detail=f"no answer: {error.reason}")
        except TooLarge as error:
            return answers.unreadable(str(error))


def _files(partition: Partition, listed: _Listed, interval: str | None) -> list[FeedFile]:
    return [FeedFile(partition=partition, name=name, interval=interval) for name in listed.files if _has_rows(name)]


def _has_rows(name: str) -> bool:
    """Names such as `_SUCCESS` are marks, not data."""
    return not name.rpartition("/")[2].startswith(("_", "."))


def _readable_format(formats: list[str]) -> str | None:
    for ending in ("jsonl", "csv"):
        for each in formats:
            if each.endswith(ending):
                return each
    return None


def _number_at_end(version: str) -> tuple[int, str]:
    digits = re.search(r"(\d+)\Z", version)
    return (int(digits[1]) if digits else -1), version
