"""A call as its archive document tells it: for questions about calls that Redis knows no more.

The document has the timeline with its states, gaps, pauses and segments; what a profile said and whole phone numbers
it does not have, and nothing here needs them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from orchestrator.core.call import Call, Gap, PausedStretch, Progress, Segment
from orchestrator.core.events import Event
from orchestrator.core.profile import Profile
from orchestrator.store.reading import TimelineEntry

_UNTOLD = {"route": ""}


def from_document(document: dict[str, Any]) -> tuple[Call, list[TimelineEntry]]:
    """The call as far as it is told, and its timeline. Raises KeyError or ValueError for what is no such document."""
    about = document["call"]
    call = Call(
        call_sid=document["call_sid"],
        profile=Profile(route="", name=about["profile"]),
        created_at=_ms(about["started_at"]),
        ended_at=_ms_or_none(about["ended_at"]),
        progress=Progress.ENDED,
        gaps=tuple(
            Gap(start=_ms(each["start"]), end=_ms_or_none(each["end"]), reason=each["reason"])
            for each in document["gaps"]
        ),
        paused=tuple(
            PausedStretch(start=_ms(each["start"]), end=_ms_or_none(each["end"]), reason=each["reason"])
            for each in document["pauses"]
        ),
        segments=tuple(
            Segment(agent_id=each["agent_id"], start=_ms(each["start"]), end=_ms_or_none(each["end"]))
            for each in document["segments"]
        ),
    )
    return call, [_entry(number, each) for number, each in enumerate(document["timeline"], start=1)]


def _entry(number: int, told: dict[str, Any]) -> TimelineEntry:
    name = str(told["event"])
    return TimelineEntry(_ms(told["at"]), name, _event(name, told.get("detail") or {}), told["state"], number)


def _event(name: str, detail: dict[str, Any]) -> Event | None:
    """None for one that this release does not know."""
    try:
        event: Event = msgspec.convert({"profile": _UNTOLD, **detail, "event": name}, Event)
    except msgspec.ValidationError:
        return None
    return event


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _ms_or_none(moment: str | None) -> int | None:
    return None if moment is None else _ms(moment)
