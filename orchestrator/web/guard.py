"""Twilio's signature, checked before anything else is done with a request: no Redis, no log of its content."""

from __future__ import annotations

from flask import g, request
from werkzeug.exceptions import BadRequest, Forbidden, RequestEntityTooLarge

from orchestrator.log import get_logger
from orchestrator.twilio.mismatch import Refused
from orchestrator.twilio.wire import MalformedRequest
from orchestrator.web.context import CALL_SID, form_items, raw_target, readable, services
from orchestrator.web.tracing import bind_call

_log = get_logger("orchestrator.web.guard")


def check_signature() -> None:
    """A `before_request` of Twilio's blueprints: 403 unless Twilio signed exactly this; leaves the form in `g.form`.

    The URL that counts is made of PUBLIC_BASE_URL and the raw target, never of Host or X-Forwarded headers. Of a
    repeated field the first value is read, of all of them the signature is checked. A body too large to be checked
    counts as not signed.
    """
    signature = request.headers.get("X-Twilio-Signature")
    if not signature:
        raise _refused("X-Twilio-Signature", "missing")
    try:
        items = form_items()
    except (BadRequest, RequestEntityTooLarge) as error:
        raise _refused("body", error.name) from error
    named = request.headers.get("X-Twilio-Webhooks-Signature-Settings")
    if not services().signature.is_valid(raw_target(), items, signature, named=named):
        raise _refused("X-Twilio-Signature", "wrong", **_help(Refused(raw_target(), items, signature, named, _hosts())))
    form: dict[str, str] = {}
    for name, value in items:
        form.setdefault(readable(name), readable(value))
    g.form = form
    if CALL_SID.match(form.get("CallSid", "")):
        bind_call(form["CallSid"])


def _refused(field: str, why: str, **more: object) -> Forbidden:
    """Told in the log, for a wrong PUBLIC_BASE_URL or token looks like this; of what was sent nothing is."""
    _log.warning("request refused", error_id="forbidden", endpoint=request.endpoint, field=field, why=why, **more)
    return Forbidden()


def _help(refused: Refused) -> dict[str, object]:
    """What Twilio signed instead and what to change, where that can be found; or whose request it says it is."""
    found = services().mismatches.look(refused)
    if found is not None:
        return {"differs": found.differs, "signed_url": found.signed_url, "cure": found.cure}
    account = dict(refused.items).get("AccountSid")
    return {"is_other_account": account != services().settings.twilio_account_sid} if account else {}


def _hosts() -> list[str]:
    """By which names we were asked: candidates for help alone, nothing is trusted for them."""
    forwarded = request.headers.get("X-Forwarded-Host", "").partition(",")[0].strip()
    return [name for name in (forwarded, request.headers.get("Host", "")) if name]


def signed_call_sid() -> str | None:
    """The `?call=` of a callback URL that we handed out; the signature covers it. Raises 400 when it is no Call SID."""
    call_sid = request.args.get("call")
    if call_sid is not None and not CALL_SID.match(call_sid):
        raise MalformedRequest("call")
    return call_sid
