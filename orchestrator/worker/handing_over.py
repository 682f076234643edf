"""An adopted SID turned out to be an agent's leg: what was told under it belongs to the call of its parent leg.

The leg's name is pointed at the parent first, so that news goes there from now on; then the leg itself, if it is still
there, and all that desktop and TaskRouter told are applied there. Interrupted anywhere, all of it may be done again:
the events are the same ones, and none of them counts twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orchestrator.core import events as e
from orchestrator.log import get_logger
from orchestrator.store.errors import CallIsOver

if TYPE_CHECKING:
    from orchestrator.core.call import Call
    from orchestrator.services import Services

_DAY_S = 86_400
_TOLD_ABOUT_THE_CALL = (e.DesktopEvent, e.TaskNews, e.ParticipantNews)
_log = get_logger("orchestrator.worker.handing_over")


def hand_over(services: Services, call: Call, read: e.CallRead, *, skip: int = 0) -> int:
    """Apply to the parent's call what is in this one's timeline, but for the first `skip` of it; returns how many."""
    leg, parent = call.call_sid, read.parent
    if parent is None:
        return 0
    store = services.store
    parent = store.resolve("leg", parent) or parent
    store.index("leg", leg, parent, services.settings.call_ttl_days * _DAY_S)
    told = [entry.event for entry in store.timeline(leg) if isinstance(entry.event, _TOLD_ABOUT_THE_CALL)]
    events = [_of_parent(event, leg) for event in told][skip:]
    if not skip and read.status == "in-progress":
        events.insert(0, e.LegAnswered(at=read.at, leg=leg, identity=_device(read.customer_number), is_dialled=True))
    for event in events:
        _apply(services, parent, event, read)
    _log.info("agent's leg handed over", call_sid=parent, leg=leg, events=len(events))
    return len(told)


def _of_parent(event: e.Event, leg: str) -> e.Event:
    """An agent whom a desktop reported under its own leg's SID is the agent of that leg."""
    is_unsaid = isinstance(event, e.AgentConnected) and event.agent_leg is None
    return replace(event, agent_leg=leg) if is_unsaid else event


def _device(number: str) -> str | None:
    return number if number.startswith(("client:", "sip:", "sips:")) else None


def _apply(services: Services, parent: str, event: e.Event, read: e.CallRead) -> None:
    if services.store.apply(parent, event) is not None:
        return
    profile = services.profiles.match(read.parent_called)
    try:
        services.store.begin(e.CallAdopted(at=read.at, call_sid=parent, profile=profile, via="child-leg"))
    except CallIsOver:
        return
    services.store.apply(parent, event)
