"""Twilio's status callbacks: what happened to streams, legs, conferences and tasks.

Each is answered 204 once its event is stored, or 503 when it cannot be, so that Twilio repeats it. A message about
nothing of ours is answered 204 and forgotten. Which call it belongs to: `adoption`.
"""

from __future__ import annotations

from flask import Blueprint, Response, g, request
from msgspec.structs import replace

from orchestrator.core.events import LegEnded, ReservationAccepted, WorkerLegNamed
from orchestrator.log import get_logger
from orchestrator.store.errors import CallIsOver, StoreUnavailable
from orchestrator.twilio import wire
from orchestrator.web.adoption import Names, apply_or_adopt, call_named, learn_names, park
from orchestrator.web.context import received_at, services
from orchestrator.web.emergency import is_silencing, stop_at_once
from orchestrator.web.guard import check_signature, signed_call_sid
from orchestrator.web.outbound import child_status

bp = Blueprint("callbacks", __name__, url_prefix="/twilio")
bp.before_request(check_signature)
_log = get_logger("orchestrator.web.callbacks")


@bp.errorhandler(CallIsOver)
def _too_late(error: CallIsOver) -> Response:
    """Of a call that has ended and is no longer kept: taken, so that it is not sent again, and nothing begun."""
    _log.info("event of a call that is over", call_sid=error.context["call_sid"], endpoint=request.endpoint)
    return _done()


@bp.post("/stream-status")
def stream_status() -> Response:
    """Set by us on every stream. The stream is on the call's own leg, so the leg alone names the call, too."""
    signed = signed_call_sid()
    incoming = wire.stream_event(g.form, received_at())
    if incoming is not None:
        _store(incoming, signed or incoming.leg, via="stream-status")
    return _done()


@bp.post("/call-status")
def call_status() -> Response:
    """A number's status callback; with `?call=` or `?device=` that of a leg which our TwiML dialled."""
    signed = signed_call_sid()
    if "device" in request.args:
        child_status()
        return _done()
    incoming = wire.call_status_event(g.form, received_at(), is_dialled=signed is not None)
    if incoming is None:
        return _done()
    if isinstance(incoming.event, LegEnded) and signed is not None:
        incoming = replace(incoming, event=replace(incoming.event, is_dialled=True))
    called = g.form.get("To", "") if signed == incoming.leg else ""
    _store(incoming, signed, via="call-status", called=called)
    return _done()


@bp.post("/conference-status")
def conference_status() -> Response:
    """With `?call=` of a conference that we created; without, of one that was configured elsewhere."""
    signed = signed_call_sid()
    incoming = _conference_event(signed)
    if incoming is not None:
        _store_or_stop(incoming, signed, via="conference-status")
    return _done()


def _conference_event(signed: str | None) -> wire.Incoming | None:
    """With the store hanging even the clock may say so; a hold must reach ASAPP all the same."""
    try:
        return wire.conference_event(g.form, received_at())
    except StoreUnavailable:
        incoming = wire.conference_event(g.form, 0)
        if incoming is not None:
            _stop_if_silencing(incoming, signed)
        raise


@bp.post("/taskrouter-events")
def taskrouter_events() -> Response:
    """The workspace's event callback; Twilio wants its answer's type to be JSON."""
    incoming = wire.taskrouter_event(g.form, received_at())
    if incoming is not None:
        is_beginning = isinstance(incoming.event, ReservationAccepted | WorkerLegNamed)
        known = call_named(_names(incoming))
        _store(incoming, known or (incoming.customer if is_beginning else None), via="taskrouter")
    return Response(status=204, content_type="application/json")


def _done() -> Response:
    return Response(status=204)


def _names(incoming: wire.Incoming) -> Names:
    """In the order in which they are asked: what is about the event itself first."""
    return (
        ("conference", incoming.conference),
        ("task", incoming.task),
        ("leg", incoming.leg),
        ("leg", incoming.worker_leg),
        ("leg", incoming.parent),
        ("leg", incoming.customer),
    )


def _store(incoming: wire.Incoming, call_sid: str | None, *, via: str, called: str = "") -> None:
    """Apply an event to the call it belongs to. `call_sid`: told by a source that may make a call known."""
    names, event = _names(incoming), incoming.event
    found = call_sid or call_named(names)
    if found is None:
        if event is not None:
            park(names, event)
        return
    learn_names(found, names)
    if event is not None and call_sid is not None:
        apply_or_adopt(call_sid, event, via=via, called=called)
    elif event is not None:
        services().store.apply(found, event)


def _store_or_stop(incoming: wire.Incoming, call_sid: str | None, *, via: str) -> None:
    """As `_store`; with the store away a hold still reaches ASAPP, once, before the 503."""
    try:
        _store(incoming, call_sid, via=via)
    except StoreUnavailable:
        _stop_if_silencing(incoming, call_sid)
        raise


def _stop_if_silencing(incoming: wire.Incoming, call_sid: str | None) -> None:
    held = call_sid or incoming.customer or incoming.leg
    if held is not None and is_silencing(incoming.event):
        stop_at_once(services(), held)
