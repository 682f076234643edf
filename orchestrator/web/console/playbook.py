"""The error playbook: what a problem or a vendor's code means and what to do about it. The data is `playbook.toml`."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import msgspec

_CODE = re.compile(r"(?<![\w-])(\d{3}-\d{2,3}|\d{3,5})(?![\w-])")


class Entry(msgspec.Struct, frozen=True):
    """`code`: ours, Twilio's or ASAPP's; `by` says whose. `do`: steps, the most likely one first."""

    code: str
    by: str
    title: str
    means: str
    do: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Other codes of the same meaning."""

    def names(self) -> tuple[str, ...]:
        return (self.code, *self.also)


def _read() -> tuple[Entry, ...]:
    text = (resources.files("orchestrator.web.console") / "playbook.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["entry"], tuple[Entry, ...])


ENTRIES = _read()
PROBLEMS = {entry.code: entry for entry in ENTRIES if entry.by == "ours"}
_BY_CODE = {name: entry for entry in ENTRIES if entry.by != "ours" for name in entry.names()}


def unknown(problem: str) -> Entry:
    """For a problem of which the playbook does not tell, one of another release perhaps."""
    title = problem.replace("-", " ").capitalize()
    return Entry(problem, "ours", title, "Nothing is written about this one.", ("See the call's events.",))


def entries_for(problem: str, detail: str = "") -> list[Entry]:
    """The problem's own entry, then those of vendors' codes that its detail names."""
    codes = [_BY_CODE[code] for code in dict.fromkeys(_CODE.findall(detail)) if code in _BY_CODE]
    return [PROBLEMS.get(problem) or unknown(problem), *codes]


def found(asked: str) -> list[Entry]:
    """Entries with this text anywhere; all of them for an empty one."""
    words = asked.casefold().split()
    return [entry for entry in ENTRIES if all(word in _text(entry) for word in words)]


def _text(entry: Entry) -> str:
    return " ".join((*entry.names(), entry.by, entry.title, entry.means, *entry.do)).casefold()
