"""Which call a message belongs to, and what becomes of a message whose call is not known (yet).

Only trustworthy sources make a call out of an unknown SID: a callback that carries our signed `?call=`, a stream
status, TaskRouter's `call_sid`, the desktop API. A SID that turns out to be an agent's leg is dropped again by the
worker, which hands what was told under it to the call of its parent leg. Everything else that no rule resolves waits
a minute under its conference or task and is applied when that becomes known. Names are written before the event that
relies on them.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.call import Call, Progress
from orchestrator.core.events import CallAdopted, Event, name_of
from orchestrator.log import get_logger
from orchestrator.store.errors import StoreUnavailable
from orchestrator.web.context import services

Names = tuple[tuple[str, str | None], ...]
"""`(kind, identifier)`: `leg`, `conference` or `task`, in the order in which they are asked."""
_DAY_S = 86_400
_log = get_logger("orchestrator.web.adoption")


def call_named(names: Names) -> str | None:
    """The call that one of these names belongs to; a leg may be a call itself, unless it was found to be none."""
    store = services().store
    for kind, identifier in names:
        found = store.resolve(kind, identifier) if identifier else None
        if found is not None:
            return found
    legs = (identifier for kind, identifier in names if kind == "leg" and identifier)
    return next((leg for leg in legs if _call_of(leg) is not None), None)


def call_or_leg(sid: str) -> tuple[str, Call | None]:
    """`call_named` for one SID that may be a call's or a leg's: the call's SID, and the call if it was read for that.

    A SID that nobody knows stands for a call that is not known yet.
    """
    found = services().store.resolve("leg", sid)
    return (sid, _call_of(sid)) if found is None else (found, None)


def _call_of(sid: str) -> Call | None:
    """The call of this SID; None for what was found to be none."""
    known = services().store.load(sid)
    return None if known is None or known.progress is Progress.DROPPED else known


def learn_names(call_sid: str, names: Names) -> None:
    """Make the call findable under these names, and apply what waited for them. A call is never another call's leg."""
    store, ttl_s = services().store, services().settings.call_ttl_days * _DAY_S
    for kind, identifier in names:
        if not identifier or identifier == call_sid or store.resolve(kind, identifier) == call_sid:
            continue
        if kind == "leg" and _call_of(identifier) is not None:
            continue
        store.index(kind, identifier, call_sid, ttl_s)
        apply_all(call_sid, store.unpark(f"{kind}:{identifier}"))


def apply_all(call_sid: str, events: Iterable[Event]) -> None:
    for event in events:
        services().store.apply(call_sid, event)


def apply_or_adopt(call_sid: str, event: Event, *, via: str, called: str = "", known: Call | None = None) -> Call:
    """Apply to a call named by a trustworthy source, making it known first when it is not.

    `known`: the call, for who has read it just now.
    """
    store = services().store
    applied = store.apply(call_sid, event) if known is None else store.apply_to(known, event)
    return (
        applied.after if applied is not None else applied_to(adopt(call_sid, event.at, via=via, called=called), event)
    )


def adopt(call_sid: str, at: int, *, via: str, called: str = "") -> Call:
    """Make a call known that nothing is known of; whoever was quicker has made it."""
    _log.info("call adopted", call_sid=call_sid, via=via)
    profile = services().profiles.match(called)
    return services().store.begin(CallAdopted(at=at, call_sid=call_sid, profile=profile, via=via)).after


def applied_to(known: Call, event: Event) -> Call:
    """The call after this event, for who has read it or made it known just now."""
    applied = services().store.apply_to(known, event)
    if applied is None:  # Redis was emptied between two commands; the source repeats its message
        raise StoreUnavailable("The call vanished", call_sid=known.call_sid)
    return applied.after


def park(names: Names, event: Event) -> None:
    """Keep an event until its conference or task is known as a call's."""
    key = next((f"{kind}:{identifier}" for kind, identifier in names if identifier and kind != "leg"), None)
    if key is None:
        _log.info("event of no call", what=name_of(event))
        return
    services().store.park(key, event)
    found = call_named(names)
    if found is not None:  # it became known while we parked; whoever made it known may have looked before us
        apply_all(found, services().store.unpark(key))
