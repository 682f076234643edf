"""Profiles: `config/profiles.toml`, read and checked as a whole, and matched on the called number or SIP domain.

`[default]` holds what most numbers want; each `[[profile]]` names its numbers with `to` and changes some keys. The
first match wins. Every fault names line and key; all are reported at once.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from orchestrator.core.people import is_device
from orchestrator.core.profile import Profile
from orchestrator.errors import ConfigurationError
from orchestrator.hosts import is_loopback, path_below

Check = Callable[[object], str | None]
"""What is wrong with a value, or None."""


class Profiles:
    """All profiles of a site, in the order of the file, `[default]` last."""

    def __init__(self, default: Profile, others: tuple[Profile, ...] = ()) -> None:
        self.default = default
        self.others = others

    def match(self, called: str) -> Profile:
        """The profile for a called number (`+1555...`), client or SIP address; never fails."""
        names = tuple(_names(called))
        for profile in self.others:
            pattern = profile.match.lower()
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                return profile
        return self.default

    def for_device(self, identity: str, called: str) -> Profile | None:
        """The profile of an agent's device that calls (or was called): None when no profile counts it as an agent's.

        That of the number if it does, else the others in their order; one that says how calls are placed comes first.
        """
        found = [each for each in (self.match(called), *self) if is_device(each, identity)]
        return next((each for each in found if each.outbound_caller_id), found[0] if found else None)

    def __iter__(self) -> Iterator[Profile]:
        yield from self.others
        yield self.default


def load(path: str | Path, public_base_url: str = "") -> Profiles:
    """Read a profiles file. Raises `ConfigurationError` with every fault, each with line and key.

    `public_base_url`: of this service, whose own endpoints no caller may be sent to.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"the profiles file {path} cannot be read ({type(error).__name__})"]) from error
    return parse(text, str(path), public_base_url)


def parse(text: str, source: str = "profiles.toml", public_base_url: str = "") -> Profiles:
    """The same for a text; `source` names it in messages."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{source}: {error}"]) from error
    reading = _Reading(text, source, f"{public_base_url.rstrip('/')}/twilio/")
    profiles = reading.profiles(document)
    if reading.faults:
        raise ConfigurationError(reading.faults)
    return profiles


def _names(called: str) -> Iterator[str]:
    name = called.strip().lower()
    yield name
    if name.startswith(("sip:", "sips:")):
        address = name.partition(":")[2].partition(";")[0]
        user, _, domain = address.rpartition("@")
        yield address
        yield domain.partition(":")[0]
        yield user


# --- checks of one value ------------------------------------------------------------------------------------------


def _route(value: object) -> str | None:
    forms = '"conference", "redirect:https://...", "enqueue:WW...", "dial:+1...", "dial:client:NAME" or "dial:sip:..."'
    if not isinstance(value, str):
        return f"must be {forms}"
    kind, _, rest = value.partition(":")
    match kind:
        case "conference" if value == "conference":
            return None
        case "redirect":
            return _web_url(rest)
        case "enqueue" if re.fullmatch(r"WW[0-9a-f]{32}", rest):
            return None
        case "dial" if re.fullmatch(r"\+[1-9][0-9]{4,14}|client:[\w.@+-]{1,121}|sips?:[^\s\"<>]{3,255}", rest):
            return None
        case _:
            return f"must be {forms}"


def _web_url(value: object) -> str | None:
    """An absolute https URL (http for loopback hosts only)."""
    fault = "must be an https URL"
    if not isinstance(value, str):
        return fault
    try:
        parts = urlsplit(value)
    except ValueError:
        return fault
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    return None if is_safe and parts.hostname and not re.search(r"\s", value) else fault


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else f"must be one of: {', '.join(choices)}"


def _matching(pattern: str, form: str) -> Check:
    return lambda value: None if isinstance(value, str) and re.fullmatch(pattern, value) else f"must be {form}"


def _list_of(pattern: str, form: str) -> Check:
    def check(value: object) -> str | None:
        is_good = isinstance(value, list) and all(
            isinstance(each, str) and re.fullmatch(pattern, each) for each in value
        )
        return None if is_good else f"must be a list of {form}"

    return check


def _seconds(low: int, high: int) -> Check:
    def check(value: object) -> str | None:
        is_good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if is_good else f"must be a whole number of seconds from {low} to {high}"

    return check


CHECKS: dict[str, Check] = {
    "route": _route,
    "no_agent_route": _route,
    "transcribe": _flag,
    "stream_from": _one_of("call-start", "agent-connect"),
    "language": _matching(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", 'a language tag such as "en-US"'),
    "redaction": _one_of("redacted", "unredacted", "redacted_and_unredacted"),
    "detailed_tokens": _flag,
    "audio_recording_allowed": _flag,
    "customer_id": _matching(
        r"call_sid|from|(sip_header|parameter):[A-Za-z0-9_-]{1,64}",
        '"call_sid", "from", "sip_header:NAME" or "parameter:NAME"',
    ),
    "consent": _one_of("assumed", "required"),
    "cut_stream_on": _list_of(r"[a-z][a-z:-]{0,31}", "pause reasons"),
    "survey_url": _web_url,
    "agent_identities": _list_of(
        r"(client|sips?):\S{1,255}", 'patterns such as "client:agent-*" or "sip:*@desk.example"'
    ),
    "outbound_caller_id": _matching(r"\+[1-9][0-9]{4,14}", "a number such as +15555550101"),
    "outbound_allow": _list_of(r"\+[0-9*?]{1,16}", 'number patterns such as "+1555*"'),
    "accepted_is_connected": _flag,
    "max_pause_s": _seconds(1, 86_400),
    "agent_return_s": _seconds(1, 3600),
    "silence_probe_s": _seconds(0, 3600),
    "after_call": _flag,
    "keep_quarantined_text": _flag,
}


_LEADING_AWAY = frozenset({"route", "no_agent_route", "survey_url"})
"""Keys that may hold a URL for Twilio to go on with."""


class _Reading:
    """One pass over a parsed file; collects faults with the lines where the keys stand."""

    def __init__(self, text: str, source: str, own: str) -> None:
        self.faults: list[str] = []
        self._source = source
        self._own = own
        self._lines = _lines_of_keys(text)

    def profiles(self, document: Mapping[str, object]) -> Profiles:
        for key in document:
            if key not in {"default", "profile"}:
                self._fault(key, "", f"{key} is unknown; the file has [default] and [[profile]]")
        default = document.get("default")
        if not isinstance(default, dict):
            self._fault("default", "", "[default] is missing")
            default = {}
        others = document.get("profile", [])
        if not isinstance(others, list) or not all(isinstance(each, dict) for each in others):
            self._fault("profile", "", "write [[profile]] with two brackets")
            others = []
        base = self._checked("default", default)
        made = [self._other(f"profile.{index}", each, base) for index, each in enumerate(others)]
        return Profiles(self._made("default", base, {}), tuple(made))

    def _other(self, table: str, given: dict[str, object], base: dict[str, object]) -> Profile:
        pattern = given.get("to")
        if not isinstance(pattern, str) or not pattern.strip():
            self._fault(table, "to", 'must be a number pattern such as "+1555*" or a SIP domain')
            pattern = "*"
        own = self._checked(table, {key: value for key, value in given.items() if key != "to"})
        return self._made(table, {**base, **own}, {"name": pattern, "match": pattern})

    def _checked(self, table: str, given: dict[str, object]) -> dict[str, object]:
        good: dict[str, object] = {}
        for key, value in given.items():
            check = CHECKS.get(key)
            fault = "is not a key of a profile" if check is None else check(value) or self._leads_back(key, value)
            if fault:
                self._fault(table, key, fault)
            else:
                good[key] = value
        return good

    def _leads_back(self, key: str, value: object) -> str | None:
        """An endpoint of ours would answer with the same address again, without end, while the caller hears nothing."""
        url = str(value).removeprefix("redirect:") if key in _LEADING_AWAY else ""
        return "must lead away from this service" if path_below(url, self._own) is not None else None

    def _made(self, table: str, values: dict[str, object], names: dict[str, str]) -> Profile:
        if "route" not in values and not any("route" in fault for fault in self.faults):
            self._fault(table, "route", "is missing")
        if values.get("detailed_tokens") and values.get("redaction", "redacted") != "unredacted":
            self._fault(table, "detailed_tokens", 'requires redaction = "unredacted"')
        return msgspec.convert({"route": "conference", **values, **names}, Profile)

    def _fault(self, table: str, key: str, what: str) -> None:
        line = self._lines.get((table, key)) or self._lines.get((table, ""))
        where = f"{self._source}, line {line}" if line else self._source
        self.faults.append(f"{where}: {key} {what}" if key else f"{where}: {what}")


def _lines_of_keys(text: str) -> dict[tuple[str, str], int]:
    """Where each table and key stands: `("default", "route")`, `("profile.0", "to")`, `("profile.0", "")`."""
    found: dict[tuple[str, str], int] = {}
    table, profiles = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]", line):
            table = header[1]
            if table == "profile":
                table = f"profile.{profiles}"
                profiles += 1
            found.setdefault((table, ""), number)
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            found.setdefault((table, key[1]) if table else (key[1], ""), number)
    return found
