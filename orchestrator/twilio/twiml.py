"""The documents that Twilio runs, and the callback URLs in them. Built with the SDK, which escapes what needs it.

Sources: Twilio: TwiML Voice `<Stream>`, `<Dial>`, `<Conference>`, `<Enqueue>`, `<Redirect>`; connection overrides for
the fragment of callback URLs (three retries on 5xx and on time-outs; by default a 5xx is not repeated).

`<Start>` returns at once and `<Stop>` of a stream that is gone does no harm, so neither stands in a caller's way. An
`action` is set only where something must follow: after a dial or queue (an apology or another route when no agent was
found), and after a conference only when there is a survey.

`answerOnBridge` is never set: Twilio then answers the caller at once, so the leg is in progress from our document on.
With it the leg would ring until an agent answers, and on a ringing leg Twilio refuses (21220) the media streams and
redirects that repairs need; an apology would be the first thing that answers. "Customer connected" is our document.

A queue's task carries our attributes beside Twilio's own: `{"call": <Call SID>}`. It outlives transfers.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from twilio.twiml.voice_response import (  # type: ignore[import-untyped]  # the SDK is not marked as typed
    Dial,
    Enqueue,
    Start,
    Stop,
    VoiceResponse,
)

from orchestrator.core.call import Call
from orchestrator.core.profile import Profile, Route
from orchestrator.hosts import path_below

APOLOGY = "We are sorry, nobody can take your call at the moment. Please call again later."
GOODBYE = "Thank you for your call. Goodbye."
REFUSAL = "This number cannot be called from here."
CONFERENCE_EVENTS = "start end join leave mute hold modify"
CHILD_EVENTS = "answered completed"
OVERRIDES = "#rc=3&rp=5xx,ct,rt"
_FIRST_STREAM = "asapp-1"
_SID = re.compile(r"CA[0-9a-f]{32}\Z")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_SID_HERE, _URL_HERE, _NUMBER_HERE = (f"{what}-{secrets.token_hex(16)}" for what in ("call", "url", "number"))
"""Where a prepared document gets the call's own: words that nobody can have put into a profile."""
WITH_AGENT = ("completed", "answered", "bridged")
_CALLER_IS_ELSEWHERE = ("redirected", "redirected-from-bridged", "bridging-in-process")
_CALLER_LEFT = ("hangup",)


class CallbackUrls:
    """Our URLs as Twilio is given them: with `?call=`, so that an event says itself whose it is, and with retries."""

    def __init__(self, public_base_url: str) -> None:
        self._base = public_base_url.rstrip("/") + "/twilio/"

    def stream_status(self, call_sid: str) -> str:
        return self._of("stream-status", call=call_sid)

    def conference_status(self, call_sid: str) -> str:
        return self._of("conference-status", call=call_sid)

    def call_status(self, call_sid: str) -> str:
        return self._of("call-status", call=call_sid)

    def device_call_status(self, device_leg: str, identity: str = "") -> str:
        """For the child of an agent's device: that child is the call, its SID is not known yet; `identity` of whom."""
        return self._of("call-status", device=device_leg, **({"identity": identity} if identity else {}))

    def dial_ended(self, call_sid: str, *, is_last: bool = False) -> str:
        """`is_last`: what was dialled is the `no_agent_route`, after which only the apology is left."""
        return self._of("dial-ended", call=call_sid, **({"last": "1"} if is_last else {}))

    def survey(self, call_sid: str) -> str:
        return self._of("survey", call=call_sid)

    def name_of(self, url: str) -> str | None:
        """Which of our endpoints this URL is one of (`dial-ended`); None for an address elsewhere."""
        return path_below(url, self._base)

    def _of(self, path: str, **query: str) -> str:
        return f"{self._base}{path}?{urlencode(query)}{OVERRIDES}"


def caller_id(profile: Profile, caller: str, own_number: str) -> str | None:
    """What a phone that is dialled is shown, where the caller's own name is no number; None: the caller's number.

    Twilio does not dial a number for a `client:` or `sip:` caller without a caller ID of the account (13214), and
    whoever is called may refuse the words of a withheld one. What was called is ours; an application has no number.
    """
    if _E164.fullmatch(caller):
        return None
    return own_number if _E164.fullmatch(own_number) else profile.outbound_caller_id


def answer(call: Call, *, stream_url: str | None, urls: CallbackUrls, caller_id: str | None = None) -> str:
    """The voice webhook's document: the media stream, if there is a URL, then the profile's route.

    Building one takes longer than all else that the webhook does for itself, and they differ in few places only: each
    kind is built once, and what is the call's own is put in where it belongs, escaped as the SDK escapes it.
    """
    if not _SID.match(call.call_sid):
        return _built(call.profile, _name_of_stream(call), call.call_sid, stream_url, urls, caller_id)
    prepared = _prepared(call.profile, _name_of_stream(call), stream_url is not None, urls, caller_id is not None)
    own = prepared.replace(_SID_HERE, call.call_sid).replace(_NUMBER_HERE, _escaped(caller_id or ""))
    return own.replace(_URL_HERE, _escaped(stream_url or ""))


def begins_with_stream(profile: Profile) -> bool:
    """Whether the voice webhook's document starts a media stream, where there is a URL for one."""
    return profile.transcribe and profile.stream_from == "call-start" and profile.consent != "required"


def streams_of_unknown(profile: Profile) -> list[str]:
    """Which streams may live on a call whose state cannot be read: the one that the call began with, if any.

    Twilio does not say whether a document fails at a `<Stop>` of a stream that never was.
    """
    return [_FIRST_STREAM] if begins_with_stream(profile) else []


def _name_of_stream(call: Call) -> str:
    return call.current_stream.name if call.current_stream is not None else _FIRST_STREAM


@lru_cache(maxsize=256)
def _prepared(profile: Profile, name: str, has_stream: bool, urls: CallbackUrls, has_caller_id: bool) -> str:
    url, number = _URL_HERE if has_stream else None, _NUMBER_HERE if has_caller_id else None
    return _built(profile, name, _SID_HERE, url, urls, number)


def _built(
    profile: Profile, name: str, call_sid: str, stream_url: str | None, urls: CallbackUrls, caller_id: str | None
) -> str:
    document = VoiceResponse()
    if stream_url is not None:
        start = Start()
        start.stream(
            url=stream_url,
            name=name,
            track="both_tracks",
            status_callback=urls.stream_status(call_sid),
            status_callback_method="POST",
        )
        document.append(start)
    _append_route(document, profile.route, profile, call_sid, urls, caller_id)
    return str(document)


def _escaped(text: str) -> str:
    """As the value of an attribute."""
    return escape(text, {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#09;"})


def route_only(profile: Profile, call_sid: str, urls: CallbackUrls, caller_id: str | None = None) -> str:
    """The route without a media stream: for whatever fails inside, and for the fallback URL. Needs no store."""
    document = VoiceResponse()
    _append_route(document, profile.route, profile, call_sid, urls, caller_id)
    return str(document)


def static_fallback(profile: Profile) -> str:
    """The route as a document that Twilio itself can keep (a TwiML Bin): it holds no address of ours.

    `{{CallSid}}` is where a bin puts the call's SID, `{{To}}` the number called: a bin cannot tell who calls, so a
    phone that is dialled is always shown that one (see `caller_id`). Nothing is transcribed and nothing reported
    while it is in use.
    """
    document = VoiceResponse()
    kind, _, target = profile.route.partition(":")
    match kind:
        case "redirect":
            document.redirect(target, method="POST")
        case "enqueue":
            document.append(Enqueue(None, workflow_sid=target))
        case "conference":
            dial = Dial()
            dial.conference("{{CallSid}}", participant_label="customer", end_conference_on_exit=True, beep="false")
            document.append(dial)
        case _:
            document.append(_dial_to(target, caller_id="{{To}}"))
    return str(document)


def apology() -> str:
    """A spoken apology, then the end of the call."""
    return _said(APOLOGY)


def goodbye() -> str:
    """A word for a caller whose talk is over, then the end of the call."""
    return _said(GOODBYE)


def refusal() -> str:
    """For an agent's device that may not call this number: a word, then the end."""
    return _said(REFUSAL)


def _said(words: str) -> str:
    document = VoiceResponse()
    document.say(words)
    document.hangup()
    return str(document)


def dial_customer(number: str, *, caller_id: str, device_leg: str, identity: str, urls: CallbackUrls) -> str:
    """For an agent's device: the customer is rung; the answered child leg will be the call, under `?device=`."""
    document = VoiceResponse()
    dial = Dial(caller_id=caller_id)
    dial.number(number, **_reports_to(urls.device_call_status(device_leg, identity)))
    document.append(dial)
    return str(document)


def dial_agent(address: str) -> str:
    """From an agent's device to another one's (`client:` or `sip:`): nothing of it is reported, for it is no call."""
    document = VoiceResponse()
    document.append(_dial_to(address))
    return str(document)


def leads_to_survey(profile: Profile, *, outcome: str, had_agent: bool) -> bool:
    """What follows a dial or queue is the survey: there is one, and an agent was on the call."""
    is_elsewhere = outcome in _CALLER_IS_ELSEWHERE or outcome in _CALLER_LEFT
    return bool(profile.survey_url) and not is_elsewhere and (had_agent or outcome in WITH_AGENT)


def dial_ended(
    profile: Profile,
    call_sid: str,
    *,
    outcome: str,
    had_agent: bool,
    streams: Iterable[str],
    urls: CallbackUrls,
    is_last: bool = False,
    caller_id: str | None = None,
) -> str:
    """What follows a dial or queue that ended with `outcome` (Twilio's DialCallStatus or QueueResult).

    `had_agent`: an agent was connected on this call. `streams`: names of media streams that may live; they end before
    a survey. `is_last`: this was the `no_agent_route` already. After a redirect Twilio asks and ignores the answer.
    """
    if outcome in _CALLER_IS_ELSEWHERE:
        document = VoiceResponse()
        document.pause(length=30)
        return str(document)
    if leads_to_survey(profile, outcome=outcome, had_agent=had_agent):
        return survey(profile, streams)
    if had_agent or outcome in WITH_AGENT or outcome in _CALLER_LEFT:
        return _hang_up()
    if is_last or not profile.no_agent_route:
        return apology()
    document = VoiceResponse()
    _append_route(document, profile.no_agent_route, profile, call_sid, urls, caller_id, is_last=True)
    return str(document)


def survey(profile: Profile, streams: Iterable[str]) -> str:
    """The step in front of the survey: streams end, then the survey's own document; without a survey, the end."""
    return survey_redirect(streams, profile.survey_url) if profile.survey_url else _hang_up()


def survey_redirect(streams: Iterable[str], survey_url: str) -> str:
    """`<Stop>` of every stream that may live, then `<Redirect>` to the survey. Also sent by REST."""
    document = VoiceResponse()
    for name in streams:
        stop = Stop()
        stop.stream(name=name)
        document.append(stop)
    document.redirect(survey_url, method="POST")
    return str(document)


def _hang_up() -> str:
    document = VoiceResponse()
    document.hangup()
    return str(document)


def _append_route(
    document: VoiceResponse,
    route: Route,
    profile: Profile,
    call_sid: str,
    urls: CallbackUrls,
    caller_id: str | None,
    *,
    is_last: bool = False,
) -> None:
    kind, _, target = route.partition(":")
    ended = urls.dial_ended(call_sid, is_last=is_last)
    match kind:
        case "conference":
            _append_conference(document, call_sid, urls, ended if profile.survey_url else None)
        case "redirect":
            document.redirect(target, method="POST")
        case "enqueue":
            _append_queue(document, target, call_sid, ended)
        case _:
            report = _reports_to(urls.call_status(call_sid))
            document.append(_dial_to(target, report, caller_id, action=ended, method="POST"))


def _append_queue(document: VoiceResponse, target: str, call_sid: str, ended: str) -> None:
    """A workflow's task names our call; a plain queue has no task."""
    if re.fullmatch(r"WW[0-9a-f]{32}", target) is None:
        document.append(Enqueue(target, action=ended, method="POST"))
        return
    queue = Enqueue(None, workflow_sid=target, action=ended, method="POST")
    queue.task(json.dumps({"call": call_sid}))
    document.append(queue)


def _append_conference(document: VoiceResponse, call_sid: str, urls: CallbackUrls, ended: str | None) -> None:
    """The room is the call's alone: named by its SID, and closed when the customer leaves."""
    dial = Dial(action=ended, method="POST" if ended else None)
    dial.conference(
        call_sid,
        participant_label="customer",
        start_conference_on_enter=True,
        end_conference_on_exit=True,
        beep="false",
        status_callback=urls.conference_status(call_sid),
        status_callback_method="POST",
        status_callback_event=CONFERENCE_EVENTS,
    )
    document.append(dial)


def _dial_to(
    target: str, report: Mapping[str, str] | None = None, caller_id: str | None = None, **attributes: str
) -> Dial:
    """`+1...`, `client:NAME` or `sip:...`; devices are shown the caller by whatever name."""
    kind, _, name = target.partition(":")
    match kind:
        case "client":
            dial = Dial(**attributes)
            dial.client(name, **(report or {}))
        case "sip" | "sips":
            dial = Dial(**attributes)
            dial.sip(target, **(report or {}))
        case _:
            dial = Dial(caller_id=caller_id, **attributes)
            dial.number(target, **(report or {}))
    return dial


def _reports_to(url: str) -> dict[str, str]:
    return {"status_callback": url, "status_callback_method": "POST", "status_callback_event": CHILD_EVENTS}
