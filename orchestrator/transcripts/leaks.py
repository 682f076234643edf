"""Leaks: that the fence has kept something out is told as a problem of the call, while it lasts and after its end.

While a call lasts, a message that comes in a pause or shortly after it makes a look due (`store.utterances`), so that
whoever watches sees the leak within seconds. Nothing is thrown away then: what comes later may show better when
something was said, and the problem is taken back if it was no leak. The look after the call (`after_call`) is final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from orchestrator.core.events import TimePassed
from orchestrator.transcripts.view import merged_of

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services
    from orchestrator.transcripts.merge import Merged

log = structlog.get_logger(__name__)

_PROBLEM = "utterances-quarantined"


def look(services: Services, call: Call) -> None:
    """At a call that lasts."""
    tell(services, call, merged_of(services, call, None))


def tell(services: Services, call: Call, found: Merged) -> Call:
    """The call that tells of what was quarantined, and of no more than that."""
    reasons = sorted({each.reason for each in found.quarantined})
    count = len(found.quarantined)
    spoken = "1 utterance was" if count == 1 else f"{count} utterances were"
    detail = f"{spoken} spoken in a pause: {', '.join(reasons)}" if reasons else ""
    told = next((problem.detail for problem in call.problems if problem.id == _PROBLEM), "")
    if detail == told:
        return call
    what = _PROBLEM if detail else "quarantine-lifted"
    log.warning(what, call_sid=call.call_sid, count=count, reasons=reasons)
    event = TimePassed(at=services.clock.now_ms(), what=what, subject=detail)
    applied = services.store.apply(call.call_sid, event)
    return call if applied is None else applied.after
