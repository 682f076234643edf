"""Rows of the batch feeds ``utterances`` and ``staging_utterance_state`` (ASAPP: File Exporter, feed schemas).

A day's rows are what was planted for it, then what the emulator's own calls said on it, then as many made-up ones as
were ordered. Made-up rows are computed one by one, so a feed of millions needs no memory. ``at`` is epoch seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Annotated, Final, Literal

import msgspec

UTTERANCES: Final = "utterances"
STATES: Final = "staging_utterance_state"
FEEDS: Final = (UTTERANCES, STATES)
SENDER_TYPES: Final[Mapping[str, Mapping[str, str]]] = {
    "SENDER_AGENT": {"customer": "SENDER_CUSTOMER", "agent": "SENDER_AGENT", "system": "SENDER_SYSTEM"},
    "SENDER_REP": {"customer": "SENDER_CUSTOMER", "agent": "SENDER_REP", "system": "SENDER_SYSTEM"},
    "agent": {"customer": "customer", "agent": "agent", "system": "system"},
}
_COMPANY: Final = "emulated-company"
_DAY_S: Final = 86_400
_ROWS_A_CALL: Final = 40
_SAID: Final = (
    "hello, how can I help you today",
    "I have a question about my last bill, it is higher than the one before",
    "let me have a look at that for you, one moment please",
    "thank you, that would be great",
    "I see a charge for a second line that was added on the third",
    'no, I never ordered that; could you "take it off", please?',
    "done, you will see it on the next bill",
)

Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Row = dict[str, object]


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One utterance as it is planted; what is not given is made up."""

    call_sid: str
    message_id: str
    text: str
    role: Literal["customer", "agent", "system"] = "customer"
    at: float
    sender_id: str = ""
    has_state: bool = True


def day_start(date: str) -> float:
    return datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()


def date_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Day:
    """All that is said on one day: some of it listed, the rest made up (``made_up`` rows)."""

    date: str
    listed: list[Said]
    made_up: int

    def __len__(self) -> int:
        return len(self.listed) + self.made_up

    def said(self, first: int, stop: int) -> Iterator[Said]:
        """Yield number ``first`` to ``stop`` (not included)."""
        yield from self.listed[first:stop]
        known = len(self.listed)
        yield from generated(self.date, self.made_up, max(0, first - known), min(self.made_up, stop - known))


def generated(date: str, count: int, first: int, stop: int) -> Iterator[Said]:
    """Calls of forty utterances each, spread over the day; the same ones for the same date and count."""
    start = day_start(date)
    for index in range(first, stop):
        call, turn = divmod(index, _ROWS_A_CALL)
        is_agent = turn % 2 == 0
        yield Said(
            call_sid=f"CA{call:032x}",
            message_id=f"01{int(start):012d}{index:012d}",
            text=_SAID[index % len(_SAID)],
            role="agent" if is_agent else "customer",
            at=start + index * _DAY_S / count,
            sender_id=f"agent-{call % 50}" if is_agent else "",
        )


def from_messages(call_sid: str, messages: Iterable[Mapping[str, object]]) -> Iterator[Said]:
    """What a call of the emulator's own said."""
    for each in messages:
        sender = each["sender"]
        if isinstance(sender, dict):
            yield Said(
                call_sid=call_sid,
                message_id=str(each["messageId"]),
                text=str(each["text"]),
                role=sender["role"],
                at=datetime.fromisoformat(str(each["createdTimestamp"])).timestamp(),
                sender_id=str(sender.get("externalId") or ""),
            )


def file_rows(day: Day, feed: str, first: int, count: int, *, senders: str, duplicates: str) -> Iterator[Row]:
    """The rows of one file, ``count`` from number ``first``, then, if wanted, repeats of every tenth row.

    They repeat the file before (the first file: itself); ``stale`` ones are older and say something else.
    """
    stop = min(len(day), first + count)
    for each in day.said(first, stop):
        if feed == UTTERANCES or each.has_state:
            yield _row(each, feed, senders)
    if duplicates == "none":
        return
    again = max(0, first - count)
    for each in islice(day.said(again, min(again + count, len(day))), 0, None, 10):
        yield _row(_stale(each) if duplicates == "stale" else each, feed, senders)


def _stale(said: Said) -> Said:
    turned: Literal["customer", "agent"] = "customer" if said.role == "agent" else "agent"
    return msgspec.structs.replace(said, text=f"draft of: {said.text}", role=turned, at=said.at - 3600)


@lru_cache(maxsize=64)
def _moments(second: int) -> tuple[Row, Row]:
    """Columns that hold for a whole second: before and after the others."""
    moment = datetime.fromtimestamp(second, UTC)
    window = moment.replace(minute=moment.minute // 15 * 15, second=0)
    times: Row = {
        "instance_ts": window.strftime("%Y-%m-%d %H:%M:%S.%f+00:00"),
        "chat_message_event_ts": moment.strftime("%Y-%m-%d %H:%M:%S"),
    }
    return times, {"dt": moment.strftime("%Y-%m-%d"), "hr": moment.strftime("%H")}


def _row(said: Said, feed: str, senders: str) -> Row:
    times, place = _moments(int(said.at))
    common: Row = {
        "company_marker": _COMPANY,
        "conversation_id": f"01{said.call_sid[-24:].upper()}",
        "message_id": said.message_id,
        **times,
        "external_conversation_id": said.call_sid,
    }
    if feed == UTTERANCES:
        return {**common, "utterance": said.text, **place}
    return {
        **common,
        "sender_type": SENDER_TYPES[senders][said.role],
        "sender_id": said.sender_id,
        "utterance_length": len(said.text),
        "agent_metadata_external_agent_id": said.sender_id if said.role == "agent" else None,
        "private_message_ct": 0,
        "tags": "",
        **place,
    }
