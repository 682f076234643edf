"""`/twilio/voice` and what else Twilio fetches TwiML from. A caller is never dropped because of us.

So these views alone catch everything: whatever fails inside, and whatever a signed request looks like, the profile's
route is answered, without a media stream if need be; the reconciler adds the stream by REST once the call is known.
Only a request without a valid signature is refused. No vendor is called here. A new call costs one round trip to
Redis; with Redis away the answer comes within its two seconds, with the stream if this process has a URL in memory.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, g, request

from orchestrator.core.call import Call, StreamState
from orchestrator.core.events import CallArrived, DialEnded, SurveyReached
from orchestrator.core.people import had_agent
from orchestrator.core.profile import Profile
from orchestrator.core.transition import begin
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.store.errors import StoreUnavailable
from orchestrator.twilio import fallback, twiml, wire
from orchestrator.web.adoption import adopt, applied_to
from orchestrator.web.context import CALL_SID, is_impatient, lose_patience, received_at, services
from orchestrator.web.emergency import is_silencing, stop_at_once
from orchestrator.web.guard import check_signature
from orchestrator.web.outbound import answer_to_device

bp = Blueprint("voice", __name__, url_prefix="/twilio")
bp.before_request(check_signature)

URL_WAIT_S = 0.7
URL_LOOK_S = 0.05
STEPS_S = 1.25
"""Half of what an answer may take: a Redis that is slow takes as long for the next step as for all before it."""
REPEAT_MS = 60_000
_log = get_logger("orchestrator.web.voice")


def _xml(document: str) -> Response:
    return Response(document, content_type="text/xml; charset=utf-8")


def _never_drops(document: Callable[[], str]) -> Callable[[], Response]:
    """A view of this document, and of the route alone when there is none."""

    @wraps(document)
    def view() -> Response:
        try:
            return _xml(document())
        except OrchestratorError as error:
            _log.warning("answered the route alone", error_id=error.error_id, field=error.context.get("field"), **_of())
        except Exception:  # noqa: BLE001  the boundary to the caller: a bug of ours must not drop a call
            _log.exception("answered the route alone", error_id="internal", **_of())
        return _xml(_route_alone())

    return view


def _of() -> dict[str, str | None]:
    return {"call_sid": _sid_or_none(g.form.get("CallSid"))}


def _sid_or_none(text: str | None) -> str | None:
    return text if text is not None and CALL_SID.match(text) else None


def _route_alone() -> str:
    """The last resort. A caller without a usable SID still gets a room of their own."""
    name = _sid_or_none(g.form.get("CallSid")) or f"unknown-{secrets.token_hex(16)}"
    ends = g.form.get("From", ""), g.form.get("To", "")
    customer, own_number = reversed(ends) if g.form.get("Direction", "").startswith("outbound") else ends
    profiles, urls = services().profiles, services().callback_urls
    try:
        profile = profiles.match(own_number)
        return twiml.route_only(profile, name, urls, twiml.caller_id(profile, customer, own_number))
    except Exception:  # noqa: BLE001  as in `_never_drops`
        _log.exception("answered the default route", error_id="internal", **_of())
        return twiml.route_only(profiles.default, name, urls)


@bp.post("/voice")
@_never_drops
def voice() -> str:
    """The number's voice URL."""
    fetch = wire.voice_request(g.form)
    return answer_to_device(fetch) or _answer_to(fetch, services().profiles.match(fetch.own_number))


def _answer_to(fetch: wire.VoiceRequest, profile: Profile) -> str:
    try:
        return _stored_and_answered(fetch, profile)
    except StoreUnavailable as error:
        url = services().stream_urls.in_memory() if twiml.begins_with_stream(profile) else None
        if url is None:
            raise
        _log.warning("answered without the store", error_id=error.error_id, **_of())
        # The stream's status, or any other callback of ours, makes the call known once Redis is back.
        call = begin(_arrival(fetch, profile, at=0, has_stream_url=True))
        return twiml.answer(call, stream_url=url, urls=services().callback_urls, caller_id=_caller_id(fetch, profile))


def _stored_and_answered(fetch: wire.VoiceRequest, profile: Profile) -> str:
    started = time.monotonic()
    at = received_at()
    url = _stream_url(profile, started)
    lose_patience(started + URL_WAIT_S)  # a wait of our own is no sign of a slow Redis
    applied = services().store.begin(_arrival(fetch, profile, at=at, has_stream_url=url is not None))
    may_start = applied.is_new or _is_repeat(applied.after, at)
    return twiml.answer(
        applied.after,
        stream_url=url if may_start and _asks_for_stream(applied.after) else None,
        urls=services().callback_urls,
        caller_id=_caller_id(fetch, applied.after.profile),
    )


def _caller_id(fetch: wire.VoiceRequest, profile: Profile) -> str | None:
    return twiml.caller_id(profile, fetch.customer_number, fetch.own_number)


def _arrival(fetch: wire.VoiceRequest, profile: Profile, *, at: int, has_stream_url: bool) -> CallArrived:
    return CallArrived(
        at=at,
        call_sid=fetch.call_sid,
        profile=profile,
        customer_id=_customer_id(profile, fetch),
        customer_number=fetch.customer_number,
        called_number=fetch.own_number,
        has_stream_url=has_stream_url,
        direction=fetch.direction or "inbound",
    )


def _stream_url(profile: Profile, started: float) -> str | None:
    """The URL at hand; only when there is none, and the answer needs one, a bounded wait for a worker's fetch."""
    if not twiml.begins_with_stream(profile):
        return None
    url = services().stream_urls.at_hand()
    return _awaited_url(started) if url is None and not is_impatient(started) else url


def _awaited_url(started: float) -> str | None:
    """A worker fetches URLs ahead, so one may be on its way. With Redis away none can come: raises then.

    Nor does one come in time from a Redis that is slow: what time is left is for the call itself.
    """
    services().redis.execute_command("PING")
    if is_impatient(started):
        return None
    until = time.monotonic() + URL_WAIT_S
    while time.monotonic() < until:
        time.sleep(URL_LOOK_S)
        url = services().stream_urls.at_hand()
        if url is not None:
            return url
    return None


def _asks_for_stream(call: Call) -> bool:
    stream = call.current_stream
    return stream is not None and stream.state is StreamState.REQUESTED and stream.origin == "twiml"


def _is_repeat(call: Call, at: int) -> bool:
    """Young enough that Twilio may not have seen our first answer."""
    return at - call.created_at < REPEAT_MS


def _customer_id(profile: Profile, fetch: wire.VoiceRequest) -> str:
    kind, _, name = profile.customer_id.partition(":")
    match kind:
        case "from":
            found = fetch.customer_number
        case "sip_header":
            found = fetch.sip_headers.get(name, "")
        case "parameter":
            found = fetch.parameters.get(name, "")
        case _:
            found = ""
    return found or fetch.call_sid


@bp.post("/voice-fallback")
@_never_drops
def voice_fallback() -> str:
    """The number's fallback URL: the route alone, or what is left of it for a caller who is past it. No store."""
    form = _form_of_leg(fallback.call_named(g.form.get("ErrorUrl", "")))
    fetch = wire.voice_request(form)
    profiles, urls = services().profiles, services().callback_urls
    profile = profiles.match(fetch.own_number)
    shown = _caller_id(fetch, profile)
    past = fallback.instead_of(
        fetch.failed_url,
        profile,
        fetch.call_sid,
        outcome=wire.dial_ended(form).outcome,
        surveys=[each.survey_url for each in profiles if each.survey_url],
        urls=urls,
        caller_id=shown,
    )
    return past or answer_to_device(fetch) or twiml.route_only(profile, fetch.call_sid, urls, shown)


@bp.post("/dial-ended")
@_never_drops
def dial_ended() -> str:
    """What follows a dial or queue. The answer waits for nobody; the worker stops ASAPP meanwhile."""
    form = _form_of_leg(request.args.get("call"))
    result = wire.dial_ended(form)
    call = _known_call(form, lambda known, at: _dial_ended(known, result, at))
    return twiml.dial_ended(
        call.profile,
        call.call_sid,
        outcome=result.outcome,
        had_agent=had_agent(call),
        streams=_stream_names(call),
        urls=services().callback_urls,
        is_last=request.args.get("last") == "1",
        caller_id=_caller_id(wire.voice_request(form), call.profile),
    )


@bp.post("/survey")
@_never_drops
def survey() -> str:
    """The step in front of the survey."""
    call = _known_call(_form_of_leg(request.args.get("call")), lambda _, at: SurveyReached(at=at))
    return twiml.survey(call.profile, _stream_names(call))


def _form_of_leg(call_sid: str | None) -> dict[str, str]:
    """The form; where its Call SID is none, with this one of a URL that we handed out."""
    form: dict[str, str] = g.form
    named = _sid_or_none(call_sid)
    return form if named is None or _sid_or_none(form.get("CallSid")) else {**form, "CallSid": named}


def _dial_ended(call: Call, result: wire.DialResult, at: int) -> DialEnded:
    goes_to_survey = twiml.leads_to_survey(call.profile, outcome=result.outcome, had_agent=had_agent(call))
    return DialEnded(at=at, outcome=result.outcome, goes_to_survey=goes_to_survey, child=result.child)


def _known_call(form: dict[str, str], event_for: Callable[[Call, int], DialEnded | SurveyReached]) -> Call:
    """The call after this event; when that fails or takes too long, what is known of it.

    That is the call as it was, or a call of this leg with what its number's profile says.

    A `?call=` that is no SID, which is none of ours, counts as absent.
    """
    fetch = wire.voice_request(form)
    call_sid, own_number = _sid_or_none(request.args.get("call")) or fetch.call_sid, fetch.own_number
    known = Call(call_sid=call_sid, profile=services().profiles.match(own_number), created_at=0)
    started = time.monotonic()
    try:
        at = received_at()
        loaded = services().store.load(call_sid)
        known = loaded or known
        lose_patience(started, STEPS_S)
        if loaded is None:
            known = adopt(call_sid, at, via="twiml", called=own_number)
            lose_patience(started, STEPS_S)
        return applied_to(known, event_for(known, at))
    except OrchestratorError as error:
        _log.warning("answered without the call's state", call_sid=call_sid, error_id=error.error_id)
        if isinstance(error, StoreUnavailable) and is_silencing(event_for(known, 0)):
            stop_at_once(services(), call_sid)
    except Exception:  # noqa: BLE001  as in `voice`
        _log.exception("answered without the call's state", call_sid=call_sid, error_id="internal")
    return known


def _stream_names(call: Call) -> list[str]:
    """What may live."""
    is_known = call.created_at > 0
    known = [stream.name for stream in call.streams_that_may_live()]
    return known if is_known else twiml.streams_of_unknown(call.profile)
