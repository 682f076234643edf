"""Sending a call's transcript to the sink: one attempt a look, at least once, until the sink has what there is.

Level-triggered as all work here: a look compares what there is to tell of the call with what the sink was told last.
So versions that were overtaken while the sink was away are not sent, of a forgotten call only that it is forgotten, and
words that the fence took out meanwhile do not leave. What cannot be delivered within some days becomes a dead letter
(`orchestrator sinks`). A sink that fails for everybody is spared by a breaker, so that it takes no thread from others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from orchestrator.core.backoff import spread
from orchestrator.http import HttpError
from orchestrator.transcripts.archive import Archive, archive_document
from orchestrator.transcripts.sink_message import FORGOTTEN, Content, content_of, forgotten, headers
from orchestrator.transcripts.view import told_of

if TYPE_CHECKING:
    from orchestrator.services import Services
    from orchestrator.store.deliveries import Delivery

log = structlog.get_logger(__name__)

PREFIX = "sink:"
"""Of a call's key in the slow queue, where its own SID stands for the work after the call."""

DEADLINE_S = 10.0
WAITS_S = (5, 30, 120, 600, 3_600, 7_200, 14_400, 21_600, 43_200, 43_200)
"""Between attempts; after the last one, about a day and a half, the message is a dead letter."""

_OK = range(200, 300)
_GONE = "410"
"""The receiver wants no more of it (Standard Webhooks)."""
_EXPIRED = "transcript-expired"
_MAX_ANSWER = 1024 * 1024


def tell(services: Services, call_sid: str) -> None:
    """There may be something new to tell of this call: due at once. Nothing without a sink."""
    if services.settings.sink_url:
        services.slow_queue.mark(PREFIX + call_sid, services.clock.now_ms())


def look(services: Services, call_sid: str) -> int | None:
    """One look; returns when to look again (ms since the epoch), or None: told, dead, or nothing to tell."""
    if not services.settings.sink_url:
        services.deliveries.forget(call_sid)
        return None
    before = services.deliveries.of(call_sid)
    found = _content(services, call_sid, before.began_at)
    if found is None:
        if before.id:
            _bury(services, services.deliveries.failed(before, _EXPIRED))
        return None
    began_at, content = found
    if content.digest == before.told:
        services.deliveries.settled(call_sid, content.digest)
        return None
    delivery = services.deliveries.begin(before, content.digest, services.clock.now_ms(), began_at)
    held_back_ms = services.budgets.sink.ask(PREFIX + call_sid)
    if held_back_ms:
        return services.clock.now_ms() + spread(call_sid, held_back_ms)
    return _attempt(services, delivery, content)


def send(services: Services, message_id: str, body: bytes) -> str:
    """One attempt: empty when the sink took it, else why not in a short word. The URL is in no log and no error."""
    settings = services.settings
    try:
        answer = services.http.request(
            "POST",
            settings.sink_url or "",
            deadline_s=DEADLINE_S,
            headers=headers(message_id, services.clock.now_ms(), body, settings.sink_secret.values()),
            data=body,
            max_bytes=_MAX_ANSWER,
            is_repeatable=True,
        )
    except HttpError as error:
        return error.reason
    return "" if answer.status in _OK else str(answer.status)


def replay(services: Services, call_sid: str) -> bool:
    """Whether it was a dead letter; it is due at once then, with a fresh row of attempts."""
    if not services.deliveries.revive(call_sid):
        return False
    tell(services, call_sid)
    return True


def _content(services: Services, call_sid: str, began_at: int | None) -> tuple[int, Content] | None:
    """When the call began and what there is to tell: what the archive has, else what Redis has."""
    if services.utterances.is_forgotten(call_sid):
        return 0, forgotten(call_sid)
    call = services.store.load(call_sid)
    began_at = call.created_at if call is not None else began_at
    if began_at is None:
        return None
    document = None
    if services.settings.archive_url:
        document = Archive(services.settings.archive_url).document(call_sid, began_at)
    if document is None and call is not None and call.is_ended:
        document = archive_document(call, told_of(services, call), [])
    return None if document is None else (began_at, content_of(document))


def _attempt(services: Services, delivery: Delivery, content: Content) -> int | None:
    call_sid = delivery.call_sid
    error = send(services, delivery.id, content.body(delivery.made_at))
    if content.kind != FORGOTTEN and services.utterances.is_forgotten(call_sid):  # while this was under way
        services.deliveries.forget(call_sid)
        return services.clock.now_ms()
    if not error:
        _settle(services, call_sid, content)
        services.tally.sink_delivery("delivered")
        services.budgets.sink.answered()
        log.info("sink-told", call_sid=call_sid, kind=content.kind, attempts=delivery.attempts + 1)
        return None
    services.budgets.sink.failed()
    services.tally.sink_delivery("failed")
    failed = services.deliveries.failed(delivery, error)
    log.warning("sink-not-told", call_sid=call_sid, why=error, attempts=failed.attempts)
    if error == _GONE or failed.attempts > len(WAITS_S):
        _bury(services, failed)
        return None
    return services.clock.now_ms() + spread(call_sid, WAITS_S[failed.attempts - 1] * 1000)


def _settle(services: Services, call_sid: str, content: Content) -> None:
    """The sink has it; of a forgotten call not even that is noted."""
    if content.kind == FORGOTTEN:
        services.deliveries.forget(call_sid)
    else:
        services.deliveries.settled(call_sid, content.digest)


def _bury(services: Services, delivery: Delivery) -> None:
    services.deliveries.bury(delivery, services.clock.now_ms())
    services.tally.sink_delivery("dead")
    log.error("sink-dead-letter", call_sid=delivery.call_sid, why=delivery.error, attempts=delivery.attempts)
