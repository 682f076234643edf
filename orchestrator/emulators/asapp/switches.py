"""What ASAPP's public material leaves open, as switches; the service must work with every value.

A switch is a word out of a few, or a number. Names and values come from the command line or from
``POST /_emulator/switches``; an unknown name or value is an error, never ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class UnknownSwitchError(ValueError):
    """No such switch, or not a value that it takes."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One open point: ``allowed`` words, or none of them where any number of at least 0 will do."""

    meaning: str
    default: str
    allowed: tuple[str, ...] = ()


SWITCHES: Final[Mapping[str, Switch]] = {
    "stream-url-form": Switch("where the token stands in streamingUrl", "path", ("path", "query")),
    "stream-url-host": Switch("host of streamingUrl", "127.0.0.1", ("127.0.0.1", "localhost")),
    "stream-url-ttl-s": Switch("life of a streamingUrl on the token clock", "300"),
    "bad-token": Switch("answer to a bad or expired token", "401", ("401", "403", "404", "close-1008")),
    "wrong-credentials": Switch("answer to credentials nobody knows", "403", ("403", "401")),
    "mg-codes": Switch(
        "whether the gateway's own subcodes (400-203) are used or the generic ones (400-01)",
        "gateway",
        ("gateway", "generic"),
    ),
    "start-before-media": Switch("start-streaming before the stream's first audio", "400-203", ("400-203", "accept")),
    "stream-known-after-ms": Switch("emulated time from the stream's start until start-streaming finds it", "1000"),
    "is-ok-false-body": Switch("what isOk:false comes with", "message", ("message", "streams")),
    "start-with-new-agent": Switch(
        "start-streaming with another agentId while transcribing", "409-201", ("409-201", "switch", "ignore")
    ),
    "stop-before-start": Switch("stop-streaming when nothing was ever started", "409-201", ("409-201", "400-203")),
    "stop-fields": Switch("fields that stop-streaming insists on", "both", ("both", "guid")),
    "same-role-tracks": Switch("both tracks mapped to one role", "400-201", ("400-201", "accept")),
    "missing-track": Switch("a participant whose track the stream does not carry", "ok", ("ok", "absent", "4080")),
    "stream-ids-after-resume": Switch("streamIds after stop and start", "new", ("new", "same")),
    "offsets-after-resume": Switch("utterance offsets after stop and start", "restart", ("restart", "continue")),
    "utterance-end": Switch(
        "what an utterance's end is counted from", "stream-start", ("stream-start", "utterance-start")
    ),
    "summary": Switch("what the summary of a stop covers", "segment", ("segment", "cumulative")),
    "after-reconnect": Switch(
        "a session whose media stream broke, when a new stream comes",
        "stopped",
        ("stopped", "still-started", "resumes"),
    ),
    "second-stream": Switch(
        "another media stream of the same call: known beside the first, instead of it, or not at all",
        "both",
        ("both", "replace", "refuse"),
    ),
    "redaction-rules": Switch("the account's redaction settings", "configured", ("configured", "none", "always")),
    "redaction-refusal": Switch(
        "how a bad redaction setting is refused", "400-202", ("400-202", "is-ok-false", "status")
    ),
    "detailed-token-form": Switch(
        "where the words of detailedToken stand", "token", ("token", "tokens", "elements", "none")
    ),
    "both-redactions-form": Switch(
        "shape of redacted_and_unredacted", "two-entries", ("two-entries", "two-messages", "extra-key")
    ),
    "webhook-content-type": Switch(
        "content type of transcripts",
        "application/json",
        ("application/json", "application/json; charset=utf-8", "text/plain"),
    ),
    "webhook-connections": Switch(
        "connections of transcripts: kept, or a new one for each", "keep-alive", ("keep-alive", "close")
    ),
    "webhook-timeout-ms": Switch("real time after which a delivery is given up", "2000"),
    "webhook-queue": Switch("messages of one call that may wait; the oldest goes first", "20"),
    "webhook-in-flight": Switch("deliveries of one call under way at once", "4"),
    "webhook-reorder": Switch("chance that a message is overtaken by the next one", "0"),
    "transcript-latency-min-ms": Switch("least emulated time from an utterance's end to its delivery", "200"),
    "transcript-latency-max-ms": Switch("most emulated time from an utterance's end to its delivery", "600"),
    "messages-complete-after-s": Switch("emulated time from the media stream's close until the list is complete", "30"),
    "messages-before-complete": Switch(
        "the list before that: all so far less the last quarter, nothing, or 404",
        "partial",
        ("partial", "empty", "404"),
    ),
    "messages-unknown": Switch("the list of a call nobody knows", "404", ("404", "empty")),
    "messages-cap": Switch("most messages in a list", "1000"),
    "messages-kept": Switch("which messages of a longer call are listed", "first", ("first", "last")),
    "messages-order": Switch("order of the list", "chronological", ("chronological", "unordered")),
    "messages-external-id": Switch("sender.externalId in the list", "present", ("present", "null", "absent")),
    "messages-timestamps": Switch("timestamp fields of a message", "two", ("two", "one")),
    "feeds": Switch("whether the File Exporter's feeds were turned on for the account", "on", ("on", "off")),
    "feed-values": Switch(
        "style of version, format and date: 1, jsonl, 2026-11-21 or version=1, format=jsonl, dt=2026-11-21",
        "plain",
        ("plain", "partition"),
    ),
    "feed-formats": Switch("formats that feeds are kept in", "both", ("both", "jsonl", "csv")),
    "feed-intervals": Switch("whether a day is one partition or one for each hour", "none", ("none", "hourly")),
    "feed-packing": Switch("whether files are compressed", "none", ("none", "gz")),
    "feed-split-rows": Switch("rows after which another file begins; 0 keeps a day in one", "0"),
    "feed-success": Switch("the _SUCCESS file in the list of files", "absent", ("absent", "listed")),
    "feed-duplicates": Switch(
        "rows told twice: never, the same again, or an older version after the newest",
        "none",
        ("none", "same", "stale"),
    ),
    "feed-link-ttl-s": Switch("life of a file's link", "300"),
    "feed-link-scheme": Switch("whether a file's link begins with its scheme", "present", ("present", "absent")),
    "feed-sender-type": Switch(
        "what sender_type calls an agent (a customer likewise)", "SENDER_AGENT", ("SENDER_AGENT", "SENDER_REP", "agent")
    ),
    "spike-limit": Switch("requests in one second before 429; 0 is without limit", "100"),
    "daily-limit": Switch("requests to one endpoint before 429 for the rest of the day; 0 is without", "50000"),
    "health-failed-status": Switch("HTTP status of a FAILED health check", "200", ("200", "503")),
    "max-stream-s": Switch("longest media stream in emulated seconds; 0 is without limit", "10800"),
    "idle-timeout-s": Switch("silence on the socket in emulated seconds before it is closed; 0 is never", "0"),
}


class Switches:
    """The values in force; `reset` goes back to those of the beginning."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._values = {name: switch.default for name, switch in SWITCHES.items()}
        self.set(chosen)
        self._initial = dict(self._values)

    def set(self, chosen: Mapping[str, str]) -> None:
        """Set all of ``chosen``, or none of them if one is unknown."""
        for name, value in chosen.items():
            _check(name, value)
        self._values.update(chosen)

    def reset(self) -> None:
        self._values = dict(self._initial)

    def as_dict(self) -> dict[str, str]:
        return dict(self._values)

    def word(self, name: str) -> str:
        return self._values[name]

    def number(self, name: str) -> float:
        return float(self._values[name])


def _check(name: str, value: str) -> None:
    switch = SWITCHES.get(name)
    if switch is None:
        raise UnknownSwitchError(f"no switch {name!r}; there are: {', '.join(sorted(SWITCHES))}")
    if switch.allowed and value not in switch.allowed:
        raise UnknownSwitchError(f"{name} takes {', '.join(switch.allowed)}, not {value!r}")
    if not switch.allowed and not _is_number(value):
        raise UnknownSwitchError(f"{name} takes a number of at least 0, not {value!r}")


def _is_number(value: str) -> bool:
    try:
        return 0 <= float(value) < float("inf")
    except ValueError:
        return False
