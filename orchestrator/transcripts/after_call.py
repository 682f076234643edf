"""After the call: fetch its messages, merge them with what came in real time, write the archive document.

The first look, some seconds after the end, writes the document of what came in real time and asks nobody, so that it
is there within 90 s whatever ASAPP does; a look that fails leaves that to the next one. Ten seconds later ASAPP is
asked, again and again with growing pauses until the transcript is complete, for the 7 days that a finished call's
messages stay there; not while it fails for all, nor while calls need the budget. A message that comes later still is
worked in by another look (see `orchestrator.web.transcripts`).

Words that the fence takes out are thrown away here, in every place where they were kept; only a profile with
`keep_quarantined_text` has them put aside for QUARANTINE_TTL_HOURS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from orchestrator.asapp.day import DAY_IS_OVER
from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.core.backoff import doubling_ms, spread
from orchestrator.core.call import Progress
from orchestrator.shown import event_json, moment
from orchestrator.transcripts import leaks, sink
from orchestrator.transcripts.archive import Archive, archive_document
from orchestrator.transcripts.fence import fingerprints
from orchestrator.transcripts.view import document, merged_of, received_of, secrets_of

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.store.messages import Source
    from orchestrator.store.reading import TimelineEntry
    from orchestrator.transcripts.merge import Merged

log = structlog.get_logger(__name__)

_FIRST_WAIT_MS = 10_000
_LEAST_WAIT_MS = 1_000
_DAY_IS_OVER_WAIT_MS = 900_000
_LONGEST_WAIT_MS = 6 * 3_600_000
_AVAILABLE_MS = 7 * 86_400_000
_HOUR_S = 3600
_UNWELL = frozenset({Verdict.REFUSED_FOR_NOW, Verdict.FAILED, Verdict.UNKNOWN})


def work(services: Services, call_sid: str) -> int | None:
    """One look; returns when to look again (ms since the epoch), or None when there is nothing left to do."""
    if services.utterances.is_forgotten(call_sid):
        _erase(services, call_sid)
        return None
    call = services.store.load(call_sid)
    if call is None or call.progress is Progress.DROPPED:
        return None
    if not call.is_ended:
        leaks.look(services, call)
        return None
    services.after_call_messages.looked(call_sid)
    kept = services.after_call_messages.of(call_sid)
    if _is_to_be_fetched(call) and not services.after_call_messages.is_told(call_sid):
        _put_together(services, call, kept)
        services.after_call_messages.told(call_sid)
        return _again(services, call, _FIRST_WAIT_MS)
    if _is_to_be_fetched(call) and (wait_ms := _wait_ms(services, call_sid)):
        return _again(services, call, wait_ms)
    asked = services.after_call_messages.asked(call_sid)
    stored = _messages(services, call, kept)
    call, transcript = _put_together(services, call, stored)
    is_done = transcript["complete"] is True and (stored is not None or not call.profile.after_call)
    if is_done or not call.segments:
        return None
    return _again(services, call, doubling_ms(_FIRST_WAIT_MS, asked - 1, _LONGEST_WAIT_MS))


def _again(services: Services, call: Call, wait_ms: int) -> int | None:
    """When to look again; None once ASAPP has the call's messages no more."""
    now = services.clock.now_ms()
    if now + wait_ms > (call.ended_at or now) + _AVAILABLE_MS:
        return None
    return now + spread(call.call_sid, wait_ms)


def _wait_ms(services: Services, call_sid: str) -> int:
    """How long ASAPP is left alone: it fails for all, calls need the budget, or the day's requests are used up."""
    budgets = services.budgets
    wait_ms = budgets.messages.ask(call_sid) or budgets.after_call.take()
    if wait_ms:
        return max(wait_ms, _LEAST_WAIT_MS)
    return _DAY_IS_OVER_WAIT_MS if budgets.asapp_day.today().is_over else 0


def _put_together(services: Services, call: Call, stored: list[StoredMessage] | None) -> tuple[Call, dict[str, Any]]:
    """Merges, fences and archives what there is now."""
    call_sid = call.call_sid
    found = merged_of(services, call, stored)
    if stored is not None:
        _keep(services, call, stored, found)
    batch = services.after_call_messages.of(call_sid, "batch")
    if batch is not None and any(each.message_id in found.message_ids for each in batch):
        _keep(services, call, batch, found, "batch")
    call = _fence(services, call, found)
    transcript = document(call, found, None if stored is None else len(stored))
    _archive(services, call, transcript)
    return call, transcript


def add_batch(services: Services, call_sid: str, messages: list[StoredMessage]) -> None:
    """What the batch feed has of a call: kept for the next look, which is due at once; it fences and merges."""
    call = services.store.load(call_sid)
    if call is None:
        return
    if services.after_call_messages.keep(call_sid, messages, "batch"):
        services.slow_queue.mark(call_sid, services.clock.now_ms())


def _is_to_be_fetched(call: Call) -> bool:
    return call.profile.after_call and bool(call.segments)


def _messages(services: Services, call: Call, kept: list[StoredMessage] | None) -> list[StoredMessage] | None:
    """What ASAPP has of the finished call; what was kept where it does not answer with more; None without any."""
    if not _is_to_be_fetched(call):
        return kept
    fetched = services.asapp.messages(call.call_sid)
    _tell_breaker(services, fetched)
    if isinstance(fetched, Outcome):
        log.info("messages-not-there", call_sid=call.call_sid, verdict=fetched.verdict.value, code=fetched.code)
        return kept
    return kept if kept is not None and len(fetched) < len(kept) else fetched


def _tell_breaker(services: Services, fetched: list[StoredMessage] | Outcome) -> None:
    if fetched == DAY_IS_OVER:
        return  # ASAPP was not asked
    if isinstance(fetched, Outcome) and fetched.verdict in _UNWELL:
        services.budgets.messages.failed(at_once=fetched.family == "auth")
    else:
        services.budgets.messages.answered()


def _keep(
    services: Services, call: Call, messages: list[StoredMessage], found: Merged, source: Source = "messages"
) -> None:
    """Beside the call, without the words of what was fenced."""
    kept = [_scrubbed(each, found) if each.message_id in found.message_ids else each for each in messages]
    services.after_call_messages.keep(call.call_sid, kept, source)


def _scrubbed(message: StoredMessage, found: Merged) -> StoredMessage:
    words = found.instead.get(message.message_id, "")
    return msgspec.structs.replace(message, text=words, is_scrubbed=not words)


def _fence(services: Services, call: Call, found: Merged) -> Call:
    """Throws quarantined words away, and tells the call of the leak."""
    secrets = secrets_of(services)
    records: dict[str, dict[str, Any]] = {}
    for each in received_of(services, call.call_sid) if found.keys else ():
        if each.key in found.keys:
            marks = fingerprints(secrets, each.role, each.text)
            blank = msgspec.structs.replace(each, text="", key="", length=len(each.text), fingerprints=marks)
            records[each.key] = msgspec.to_builtins(blank)
    keep_s = services.settings.quarantine_ttl_hours * _HOUR_S if call.profile.keep_quarantined_text else 0
    services.utterances.scrub(call.call_sid, records, keep_words_s=keep_s)
    return leaks.tell(services, call, found)


def _archive(services: Services, call: Call, transcript: dict[str, Any]) -> None:
    """Writes it where the site wants it, and has the sink told."""
    _write(services, call, transcript)
    sink.tell(services, call.call_sid)


def _write(services: Services, call: Call, transcript: dict[str, Any]) -> None:
    if not services.settings.archive_url:
        return
    archive = Archive(services.settings.archive_url)
    timeline = [_entry(each) for each in services.store.timeline(call.call_sid)]
    is_written = archive.write(call, archive_document(call, transcript, timeline))
    if services.utterances.is_forgotten(call.call_sid):  # while this look was under way
        archive.remove(call.call_sid)
        return
    log.info("archived" if is_written else "archive-kept", call_sid=call.call_sid, complete=transcript["complete"])


def _erase(services: Services, call_sid: str) -> None:
    """A worker that ended amid a look may have archived a call that was forgotten meanwhile."""
    if services.settings.archive_url and Archive(services.settings.archive_url).remove(call_sid):
        log.info("archive-erased-again")


def _entry(entry: TimelineEntry) -> dict[str, Any]:
    return {"at": moment(entry.at), "event": entry.name, "state": entry.state, "detail": event_json(entry.event)}
