"""After the call: fetch its messages, merge them with what came in real time, write the archive document.

The first document is written at the first look, complete or not, so that it is there within 90 s of the end. Until
it is complete ASAPP is asked again with growing pauses; a finished call's messages stay there for 7 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.actions import Outcome
from orchestrator.core.backoff import doubling_ms, spread
from orchestrator.transcripts.archive import Archive, archive_document
from orchestrator.transcripts.view import document, received_of, rfc3339

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.store.reading import TimelineEntry

log = structlog.get_logger(__name__)

_FIRST_WAIT_MS = 10_000
_LONGEST_WAIT_MS = 3_600_000
_MOST_LOOKS = 16


def work(services: Services, call_sid: str) -> int | None:
    """One look; returns when to look again (ms since the epoch), or None when there is nothing left to do."""
    call = services.store.load(call_sid)
    if call is None or not call.is_ended:
        return None
    stored = _messages(services, call)
    transcript = document(call, received_of(services, call_sid), stored)
    if services.settings.archive_url:
        timeline = [_entry(each) for each in services.store.timeline(call_sid)]
        is_written = Archive(services.settings.archive_url).write(call, archive_document(call, transcript, timeline))
        log.info("archived" if is_written else "archive-kept", call_sid=call_sid, complete=transcript["complete"])
    looks = services.after_call_messages.looked(call_sid)
    is_done = transcript["complete"] is True and (stored is not None or not call.profile.after_call)
    if is_done or looks >= _MOST_LOOKS or not call.segments:
        return None
    return services.clock.now_ms() + spread(call_sid, doubling_ms(_FIRST_WAIT_MS, looks - 1, _LONGEST_WAIT_MS))


def _messages(services: Services, call: Call) -> list[StoredMessage] | None:
    """What ASAPP has of the finished call, kept beside the call; None while it does not answer with any."""
    kept = services.after_call_messages.of(call.call_sid)
    if not call.profile.after_call or not call.segments:
        return kept
    fetched = services.asapp.messages(call.call_sid)
    if isinstance(fetched, Outcome):
        log.info("messages-not-there", call_sid=call.call_sid, verdict=fetched.verdict.value, code=fetched.code)
        return kept
    if kept is not None and len(fetched) < len(kept):
        return kept
    services.after_call_messages.keep(call.call_sid, fetched)
    return fetched


def _entry(entry: TimelineEntry) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(entry.event) if entry.event is not None else {}
    fields.pop("profile", None)
    return {"at": rfc3339(entry.at), "event": entry.name, "state": entry.state, "detail": fields}
