"""What we know of the feed's calls: which words may be told, which calls were live, which are completed by the feed.

A call is judged as its transcript is (`batch_judge`): the fence takes out what was spoken in a pause, and a call that
Redis still knows and that was incomplete so far is given the feed's words. Of a forgotten call nothing is told. Rows
that cannot be judged are told without their words.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from orchestrator.core.call import Call
from orchestrator.shown import moment
from orchestrator.transcripts.after_call import add_batch
from orchestrator.transcripts.batch_judge import documents_of, fenced_by_call, fenced_by_documents, message_of, ms_of
from orchestrator.transcripts.batch_output import Line
from orchestrator.transcripts.batch_rows import Joined
from orchestrator.transcripts.view import document, merged_of, received_of

if TYPE_CHECKING:
    from orchestrator.services import Services

_CALL_SID = re.compile(r"CA[0-9a-f]{32}\Z")
_AT_ONCE = 5000
_MOST_NAMED = 1000
_DAY_MS = 86_400_000
_OVERLAP_MS = _DAY_MS
"""A call that began a day before the day may still have been spoken in on it."""


@dataclasses.dataclass
class Tally:
    """What is counted while a day is written."""

    utterances: int = 0
    fenced: int = 0
    unjudged: int = 0
    forgotten: int = 0
    without_role: int = 0
    without_call: int = 0
    calls: set[str] = dataclasses.field(default_factory=set)
    completed: list[str] = dataclasses.field(default_factory=list)


class Audit:
    """One day's. `day`: YYYY-MM-DD."""

    def __init__(self, services: Services, day: str) -> None:
        self._services = services
        self._day = day
        self.start_ms = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
        self.tally = Tally()

    def lines(self, joined: Iterable[Joined]) -> Iterator[Line]:
        """What is written, call by call; at most some thousand utterances are in memory."""
        for call_sid, said in groupby(joined, key=lambda each: each.call_sid):
            while part := list(islice(said, _AT_ONCE)):
                yield from self._call_lines(call_sid, part)

    def _call_lines(self, call_sid: str, said: list[Joined]) -> Iterator[Line]:
        is_sid = _CALL_SID.match(call_sid) is not None
        if is_sid and self._services.utterances.is_forgotten(call_sid):
            self.tally.forgotten += len(said)
            return
        fenced = self._judge(call_sid, said) if is_sid else None
        if fenced is None:
            self.tally.unjudged += len(said)
        else:
            self.tally.fenced += sum(each.message_id in fenced for each in said)
        if call_sid:
            self.tally.calls.add(call_sid)
        for each in said:
            self._count(each)
            yield _line(each, is_fenced=fenced is None or each.message_id in fenced)

    def _count(self, said: Joined) -> None:
        self.tally.utterances += 1
        self.tally.without_role += said.role is None
        self.tally.without_call += not said.call_sid

    def _judge(self, call_sid: str, said: list[Joined]) -> frozenset[str] | None:
        """The messages that the fence takes out; None where nobody knows of the call's pauses."""
        services = self._services
        call = services.store.load(call_sid)
        if call is not None and call.segments:
            self._complete(call, said)
            return fenced_by_call(services, call, said)
        documents = documents_of(services, call_sid, self.start_ms)
        return fenced_by_documents(documents, said) if documents else None

    def _complete(self, call: Call, said: list[Joined]) -> None:
        """Gives an incomplete call the feed's words."""
        services = self._services
        stored = services.after_call_messages.of(call.call_sid)
        before = merged_of(services, call, stored)
        if not call.is_ended or document(call, before, None if stored is None else len(stored))["complete"] is True:
            return
        messages = [message_of(each) for each in said if each.role is not None and ms_of(each.at) is not None]
        known = {each.message_id: each for each in services.after_call_messages.of(call.call_sid, "batch") or ()}
        add_batch(services, call.call_sid, list({**{each.message_id: each for each in messages}, **known}.values()))
        self.tally.completed.append(call.call_sid)

    def forgotten_since(self) -> list[str]:
        """Calls that have been forgotten while they were written."""
        return [sid for sid in self.tally.calls if _CALL_SID.match(sid) and self._services.utterances.is_forgotten(sid)]

    # --- the day's report ----------------------------------------------------------------------------------------

    def report(self, totals: dict[str, int]) -> dict[str, Any]:
        """Calls seen live and calls in the feed, and the differences in both directions.

        `live` is null where Redis no longer knows all calls of the day.
        """
        tally = self.tally
        live = self._live_calls()
        return {
            "date": self._day,
            "made_at": moment(self._services.clock.now_ms()),
            "feed": {
                "calls": len(tally.calls),
                "utterances": tally.utterances,
                "repeats": totals["rows"] - tally.utterances - tally.forgotten,
                "unreadable_rows": totals["unreadable"],
                "without_role": tally.without_role,
                "without_call": tally.without_call,
                "fenced": tally.fenced,
                "unjudged": tally.unjudged,
                "forgotten": tally.forgotten,
            },
            "live": None if live is None else {"calls": len(live)},
            "only_live": None if live is None else _named(live - tally.calls),
            "only_in_feed": None if live is None else _named(tally.calls - live),
            "completed_from_feed": _named(set(tally.completed)),
        }

    def _live_calls(self) -> set[str] | None:
        """Those of which something was heard on the day."""
        kept_since = self._services.clock.now_ms() - self._services.settings.call_ttl_days * _DAY_MS
        if self.start_ms < kept_since:
            return None
        return {call.call_sid for call in self._calls() if self._was_heard(call)}

    def _calls(self) -> Iterator[Call]:
        cursor: str | None = None
        while True:
            page = self._services.store.list(limit=200, cursor=cursor)
            for call in page.calls:
                if call.created_at < self.start_ms - _OVERLAP_MS:
                    return
                if call.created_at < self.start_ms + _DAY_MS:
                    yield call
            cursor = page.cursor
            if cursor is None:
                return

    def _was_heard(self, call: Call) -> bool:
        end_ms = self.start_ms + _DAY_MS
        for each in call.segments:
            is_within = self.start_ms <= each.start and each.end is not None and each.end < end_ms
            if is_within and sum(each.promised.values()) > 0:
                return True
        if not any(each.start < end_ms and (each.end or end_ms) >= self.start_ms for each in call.segments):
            return False
        return any(self.start_ms <= each.at < end_ms for each in received_of(self._services, call.call_sid))


def _named(calls: set[str]) -> dict[str, Any]:
    """How many, and the first thousand by name."""
    return {"count": len(calls), "calls": sorted(calls)[:_MOST_NAMED]}


def _line(said: Joined, *, is_fenced: bool) -> Line:
    return Line(
        call_sid=said.call_sid,
        at=_told(said.at),
        role=said.role,
        agent_id=(said.agent_id or said.sender_id or None) if said.role == "agent" else None,
        text=None if is_fenced else said.text,
        is_fenced=is_fenced,
        length=len(said.text),
        message_id=said.message_id,
        conversation_id=said.conversation_id,
    )


@lru_cache(maxsize=256)
def _told(at: str) -> str | None:
    return moment(ms_of(at))
