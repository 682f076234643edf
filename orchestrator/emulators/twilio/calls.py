"""The life of a leg: its webhook parameters, its status callbacks, answering and ending it."""

import asyncio
from typing import TYPE_CHECKING

from orchestrator.emulators.twilio import rooms
from orchestrator.emulators.twilio.formats import rfc2822, utc_now
from orchestrator.emulators.twilio.webhooks import Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

_EVENT_STATUS = {
    "initiated": "initiated",
    "ringing": "ringing",
    "answered": "in-progress",
}
_SIP_CODES = {"completed": "200", "busy": "486", "no-answer": "487", "canceled": "487", "failed": "503"}


def voice_params(account: "Account", leg: "Leg") -> dict[str, str]:
    """Return what every request about a call carries (Twilio: TwiML for Voice, request parameters)."""
    params = {
        "AccountSid": account.sid,
        "ApiVersion": "2010-04-01",
        "CallSid": leg.sid,
        "CallStatus": leg.status,
        "Direction": leg.direction,
        "From": leg.sender,
        "To": leg.to,
    }
    if account.switches["caller-called"] == "send":
        params |= {"Caller": leg.sender, "Called": leg.to}
    if leg.parent is not None:
        params["ParentCallSid"] = leg.parent.sid
    return params | leg.asides


def progress(account: "Account", leg: "Leg", event: str) -> None:
    """Send the status callbacks of an event: ``initiated``, ``ringing``, ``answered``, ``completed``."""
    sequence, leg.sequence = leg.sequence, leg.sequence + 1
    for callback in leg.callbacks:
        if event not in callback.events or not callback.url:
            continue
        params = voice_params(account, leg) | {
            "CallStatus": _EVENT_STATUS.get(event, leg.status),
            "Timestamp": rfc2822(utc_now()) or "",
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(sequence),
        }
        if event == "completed":
            params |= {
                "CallDuration": str(leg.duration_s),
                "Duration": str(-(-leg.duration_s // 60)),
                "SipResponseCode": _SIP_CODES.get(leg.status, "200"),
            }
        account.hooks.send(Webhook("call-status", callback.url, params, callback.method))


def ring(account: "Account", leg: "Leg") -> None:
    """Let a dialed leg ring; whoever answers resolves ``leg.picked_up`` with a status."""
    leg.picked_up = asyncio.get_running_loop().create_future()
    progress(account, leg, "initiated")
    leg.status, leg.updated = "ringing", utc_now()
    progress(account, leg, "ringing")


def answer(account: "Account", leg: "Leg") -> None:
    """Connect a leg; once it is connected this does nothing."""
    if leg.is_over or leg.is_in_progress:
        return
    leg.status, leg.started = "in-progress", utc_now()
    leg.updated, leg.answered_at = leg.started, account.clock.now()
    progress(account, leg, "answered")


def part(account: "Account", leg: "Leg") -> None:
    """End the legs that a leg dialed, because it goes; a switch lets those that answered live on alone."""
    is_redirect = leg.interruption == "redirect"
    switch = "child-on-parent-redirect" if is_redirect else "child-on-parent-hangup"
    may_stay = (is_redirect or leg.ended_by in {"hung-up", "rest"}) and account.switches[switch] == "keep"
    for child in list(leg.children):
        if may_stay and child.is_in_progress:
            leg.children.remove(child)
        else:
            finish(account, child, "completed" if child.is_in_progress else "canceled", "parent-ended")


def finish(account: "Account", leg: "Leg", status: str, ended_by: str) -> None:
    """End a leg for good: its streams, its room, its children, its document; a second end does nothing."""
    if leg.is_over:
        return
    leg.status_before_end = leg.status
    leg.status, leg.ended, leg.ended_by = status, utc_now(), ended_by
    leg.updated, leg.playing, leg.interruption = leg.ended, None, "hangup"
    if leg.answered_at is not None:
        leg.duration_s = round(account.clock.now() - leg.answered_at)
    for stream in leg.streams:
        stream.stop()
    rooms.leave(account, leg, "participant_hung_up")
    if leg.picked_up is not None and not leg.picked_up.done():
        leg.picked_up.set_result(status)
    part(account, leg)
    if leg.task is not None and leg.task is not asyncio.current_task():
        leg.task.cancel()
    progress(account, leg, "completed")
    leg.over.set()
