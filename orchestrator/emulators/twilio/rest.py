"""The REST API: calls and their media streams.

Twilio: Call and Stream resources. Handlers raise `RestError` for what the vendor refuses; the middleware in
`app` checks credentials, keeps the log and acts out faults.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.emulators.twilio import answers, calls, interpreter, media, placing
from orchestrator.emulators.twilio.answers import RestError, not_found
from orchestrator.emulators.twilio.documents import Step
from orchestrator.emulators.twilio.keys import ACCOUNT, FORM, Form
from orchestrator.emulators.twilio.model import Callback, Leg, Role

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

_RING_S = 60
_STARTED_WITHIN_S = 3.0
_LONGEST_TWIML = 4000


def leg_of(request: web.Request) -> Leg:
    """Return the call that the path names, or raise 20404."""
    leg = request.app[ACCOUNT].legs.get(request.match_info["call"])
    if leg is None:
        raise not_found(request.path)
    return leg


async def create_call(request: web.Request) -> web.Response:
    account, form = request.app[ACCOUNT], request[FORM]
    required = all(form.get(name) for name in ("To", "From")) and (form.get("Url") or form.get("Twiml"))
    if not required:
        raise RestError(400, 21201, "To, From and one of Url and Twiml are required")
    events = frozenset(form.getall("StatusCallbackEvent", ["completed"]))
    method = form.get("StatusCallbackMethod", "POST")
    is_device = form["To"].startswith(("client:", "sip:"))
    leg = Leg(
        form["From"],
        form["To"],
        "outbound-api",
        Role.AGENT if is_device else Role.CUSTOMER,
        callbacks=[Callback(form.get("StatusCallback", ""), method, events)],
    )
    placing.outgoing(account, leg, _step(form), float(form.get("Timeout", _RING_S)))
    return web.json_response(answers.call(account, leg), status=201)


async def list_calls(request: web.Request) -> web.Response:
    account, query = request.app[ACCOUNT], request.query
    wanted: dict[str, Callable[[Leg], str]] = {
        "Status": lambda leg: leg.status,
        "ParentCallSid": lambda leg: leg.parent.sid if leg.parent else "",
        "To": lambda leg: leg.to,
        "From": lambda leg: leg.sender,
    }
    legs = [
        leg
        for leg in reversed(account.legs.values())
        if all(read(leg) == query[name] for name, read in wanted.items() if name in query)
    ]
    rows = [answers.call(account, leg) for leg in legs]
    return answers.page(account, request, "Calls", "calls", rows)


async def read_call(request: web.Request) -> web.Response:
    return web.json_response(answers.call(request.app[ACCOUNT], leg_of(request)))


async def update_call(request: web.Request) -> web.Response:
    account, form, leg = request.app[ACCOUNT], request[FORM], leg_of(request)
    if form.get("Url") and form.get("Twiml"):
        raise RestError(400, 21217, "Url and Twiml exclude one another")
    status = form.get("Status", "")
    if leg.is_over:
        raise not_in_progress(account)
    if form.get("StatusCallback"):
        leg.callbacks.append(Callback(form["StatusCallback"], form.get("StatusCallbackMethod", "POST")))
    if status:
        _end(account, leg, status)
    elif form.get("Url") or form.get("Twiml"):
        _check_twiml(form.get("Twiml", ""))
        if not leg.is_in_progress:
            raise not_in_progress(account)
        if form.get("FallbackUrl"):
            leg.fallback = (form["FallbackUrl"], form.get("FallbackMethod", "POST"))
        interpreter.redirect(account, leg, _step(form, "call-redirect"))
    return web.json_response(answers.call(account, leg))


def _end(account: "Account", leg: Leg, status: str) -> None:
    if status not in {"completed", "canceled"}:
        raise RestError(400, 21218, f"Status is completed or canceled, not {status}")
    if status == "canceled" and leg.is_in_progress:
        raise not_in_progress(account)
    is_answered = leg.is_in_progress
    calls.finish(account, leg, "completed" if is_answered else "canceled", "rest")


def _check_twiml(text: str) -> None:
    if len(text) > _LONGEST_TWIML:
        raise RestError(400, 21628, f"Twiml has at most {_LONGEST_TWIML} characters")


def _step(form: Form, kind: str = "voice") -> Step:
    return Step(kind, form.get("Url", ""), form.get("Method", "POST"), text=form.get("Twiml") or None)


def not_in_progress(account: "Account") -> RestError:
    status = int(account.switches["not-in-progress-status"])
    return RestError(status, 21220, "Call is not in-progress. Cannot redirect.")


async def create_stream(request: web.Request) -> web.Response:
    account, form, leg = request.app[ACCOUNT], request[FORM], leg_of(request)
    if not form.get("Url"):
        raise RestError(400, 20001, "Url is required")
    if not leg.is_in_progress:
        raise not_in_progress(account)
    try:
        stream = media.open_stream(account, leg, _order(form))
    except media.StreamRefusedError as refusal:
        # The vendor's codes for a taken name and a fifth track are not known.
        raise RestError(400, 20001, str(refusal)) from refusal
    if account.switches["stream-callback"] == "before-response":
        await _settle(stream)
    status = int(account.switches["stream-create-status"])
    return web.json_response(answers.stream(account, leg, stream), status=status)


async def _settle(stream: media.MediaStream) -> None:
    """Wait until the stream has begun, and a little longer so that its callback is on its way."""
    try:
        await asyncio.wait_for(stream.settled.wait(), _STARTED_WITHIN_S)
    except TimeoutError:
        return
    await asyncio.sleep(0.1)


def _order(form: Form) -> media.Order:
    names = {name: value for name, value in form.items() if name.startswith("Parameter")}
    parameters = {
        value: names.get(name.replace(".Name", ".Value"), "") for name, value in names.items() if name.endswith(".Name")
    }
    return media.Order(
        form["Url"],
        form.get("Name", ""),
        form.get("Track") or "inbound_track",
        form.get("StatusCallback", ""),
        form.get("StatusCallbackMethod") or "POST",
        parameters,
    )


async def stop_stream(request: web.Request) -> web.Response:
    account, leg = request.app[ACCOUNT], leg_of(request)
    if request[FORM].get("Status") != "stopped":
        raise RestError(400, 20001, "Status must be stopped")
    stream = media.find_stream(leg, request.match_info["stream"])
    if leg.is_over:
        _refuse_stop(request, "stop-on-ended-call")
    if stream is None:
        raise not_found(request.path)
    if not stream.is_running and not leg.is_over:
        _refuse_stop(request, "stop-stopped-stream")
    stream.stop()
    return web.json_response(answers.stream(account, leg, stream))


def _refuse_stop(request: web.Request, switch: str) -> None:
    """Refuse to stop what is stopped as the switch says, or let it pass."""
    match request.app[ACCOUNT].switches[switch]:
        case "404":
            raise not_found(request.path)
        case "21220":
            raise not_in_progress(request.app[ACCOUNT])
        case _:
            return
