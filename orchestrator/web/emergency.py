"""The one exception to "web handlers call no vendor": Redis is away, and somebody must not be heard any more.

One best-effort stop goes to ASAPP for the call that the message names, before the message is answered 503 (its
source repeats it, and then the reconciler makes sure). The answer waits for the stop only briefly; the stop itself
ends within its own deadline. At most `_LINES` run at once, so a Redis that hangs in a busy hour cannot pile them up.
"""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING

from orchestrator.core import events
from orchestrator.log import get_logger
from orchestrator.threads import Threads
from orchestrator.web.doubts import Doubts

if TYPE_CHECKING:
    from orchestrator.services import Services

_LINES = 16
_STOP_MS = 2000
_WAIT_S = 0.4
_SILENCING = (
    events.HoldReported,
    events.PauseRequested,
    events.ConsentWithdrawn,
    events.ParticipantHeld,
    events.SurveyTransferRequested,
    events.SurveyReached,
)
_log = get_logger("orchestrator.web.emergency")
_doubts = Doubts()
_lines = Threads(_LINES, "emergency-stop")


def is_silencing(event: events.Event | None) -> bool:
    """Whether this event may mean that nobody may be heard from now on."""
    return isinstance(event, _SILENCING) or (isinstance(event, events.DialEnded) and event.goes_to_survey)


def stop_at_once(services: Services, call_sid: str) -> None:
    """Send the stop, and have the store told that one was sent once it is back; never raises."""
    sent = _lines.submit(_stop, services, call_sid)
    if sent.cancelled():  # no thread is left for it but this one
        _stop(services, call_sid)
    else:
        wait([sent], _WAIT_S)


def _stop(services: Services, call_sid: str) -> None:
    try:
        outcome = services.asapp.stop(call_sid, timeout_ms=_STOP_MS)
    except Exception:  # noqa: BLE001  a boundary: this thread has no caller to tell
        _log.exception("emergency stop failed", call_sid=call_sid)
    else:
        _log.warning("emergency stop sent, the store is away", call_sid=call_sid, verdict=str(outcome.verdict))
    finally:
        _doubts.remember(services, call_sid)
