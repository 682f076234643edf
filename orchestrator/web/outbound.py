"""Calls that agents' devices place: told apart at the voice webhook, begun when the customer answers.

A device is known by its `client:` or `sip:` identity (the profile's `agent_identities`). Its own leg never becomes a
call and never carries a media stream: the customer's child leg is the call, known from its answered callback on, which
carries `?device=` and the identity of the agent. Agent to agent is dialled and otherwise none of our business.
Deciding needs no store, so a device gets through with Redis away.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import unquote

from flask import g, request

from orchestrator.core.events import CallArrived, LegAnswered
from orchestrator.core.people import is_device
from orchestrator.log import get_logger
from orchestrator.twilio import twiml, wire
from orchestrator.web.context import CALL_SID, received_at, services

_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")
_LONGEST_IDENTITY = 256
_log = get_logger("orchestrator.web.outbound")


def answer_to_device(fetch: wire.VoiceRequest) -> str | None:
    """The document for an agent's device that calls somebody; None for everybody else."""
    is_placed_by_twilio = fetch.direction.startswith("outbound")
    profile = None if is_placed_by_twilio else services().profiles.for_device(fetch.caller, fetch.called)
    if profile is None:
        return None
    if is_device(profile, fetch.called):
        return twiml.dial_agent(fetch.called)
    number = _dialled(fetch.called)
    is_allowed = number is not None and any(fnmatchcase(number, each) for each in profile.outbound_allow)
    if number is None or not is_allowed or profile.outbound_caller_id is None:
        _log.warning("device may not call this", call_sid=fetch.call_sid, called_number=fetch.called)
        return twiml.refusal()
    return twiml.dial_customer(
        number,
        caller_id=profile.outbound_caller_id,
        device_leg=fetch.call_sid,
        identity=fetch.caller,
        urls=services().callback_urls,
    )


def _dialled(called: str) -> str | None:
    """The number in `+1...` or `sip:+1...@...`."""
    is_sip = called.startswith(("sip:", "sips:"))
    number = unquote(called.partition(":")[2].partition("@")[0]) if is_sip else called
    return number if _NUMBER.fullmatch(number) else None


def child_status() -> None:
    """A callback with `?device=`: the customer whom the device dialled has answered, or that leg has ended."""
    device, identity = request.args["device"], request.args.get("identity", "")[:_LONGEST_IDENTITY]
    if not CALL_SID.match(device):
        raise wire.MalformedRequest("device")
    incoming = wire.call_status_event(g.form, received_at())
    if incoming is None or incoming.event is None or incoming.leg is None:
        return
    if isinstance(incoming.event, LegAnswered):
        _begin(incoming.leg, device, identity, incoming.event.at)
    else:
        services().store.apply(incoming.leg, incoming.event)


def _begin(call_sid: str, device: str, identity: str, at: int) -> None:
    """The customer is on the line: a call, with the device's leg as its agent's, in one commit."""
    customer = g.form.get("To", "")
    profiles = services().profiles
    profile = profiles.for_device(identity, customer) or profiles.match(customer)
    services().store.begin(
        CallArrived(
            at=at,
            call_sid=call_sid,
            profile=profile,
            customer_id=customer if profile.customer_id == "from" and customer else call_sid,
            customer_number=customer,
            called_number=g.form.get("From", ""),
            direction="outbound",
            device=device,
            device_identity=identity or None,
        ),
        indexes=(("leg", device),),
    )
