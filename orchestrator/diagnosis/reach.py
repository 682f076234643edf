"""Does PUBLIC_BASE_URL lead to this service, and does what answers there accept Twilio's signatures?

The fallback endpoint is asked, signed as Twilio signs: it answers a route and touches nothing. When it refuses, the
same request is signed for other forms of the URL; one that is accepted says what the running service believes itself
to be called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.diagnosis.finding import FAIL, NOTE, OK, Finding
from orchestrator.hosts import is_loopback
from orchestrator.http import Answer, Http, HttpError
from orchestrator.settings import Settings
from orchestrator.twilio.signature import sign

_PATIENCE_S = 5.0
_SLOW_MS = 2000
_OK, _FORBIDDEN, _READYZ = 200, 403, {200, 503}
_CALL = "CA" + "0" * 32
_REASONS = {
    "SSLError": "its certificate is not accepted",
    "NewConnectionError": "nobody answers at that address, or its name is not known",
    "ConnectionError": "nobody answers at that address, or its name is not known",
    "deadline": f"no answer within {_PATIENCE_S:g} s",
}


def public_url(settings: Settings, http: Http) -> Iterator[Finding]:
    """Reached from here, which is not quite from Twilio; an address of this machine alone is said to be one."""
    base = settings.public_base_url
    if is_loopback(urlsplit(base).hostname):
        told = f"{base} leads to this machine alone: Twilio cannot reach it"
        yield Finding("public URL", NOTE, told, "for real calls set PUBLIC_BASE_URL to a public https address")
    answer = _ask(http, "GET", f"{base}/healthz")
    if isinstance(answer, str):
        yield Finding("public URL", FAIL, f"{base}: {answer}", _reach_fix(answer))
        return
    if answer.status != _OK or answer.body.strip() != b"ok":
        told = f"{base}/healthz answers {answer.status}, and not as this service does"
        yield Finding("public URL", FAIL, told, "let PUBLIC_BASE_URL, and the proxy there, lead to the web process")
        return
    is_slow = answer.elapsed_ms > _SLOW_MS
    told = f"{base} leads to this service, {answer.elapsed_ms} ms"
    yield Finding(
        "public URL", NOTE if is_slow else OK, told, "callers wait so long; look at the way" if is_slow else ""
    )
    yield from _signatures(settings, http)
    yield from _refusals(base, http)


def _reach_fix(reason: str) -> str:
    if reason == _REASONS["SSLError"]:
        return "give the proxy a certificate of a public authority for this name; Twilio accepts no other"
    return "start the web process, and check PUBLIC_BASE_URL, DNS and the proxy in front"


def _signatures(settings: Settings, http: Http) -> Iterator[Finding]:
    if settings.twilio_signatures == "shared-key":
        yield Finding(
            "signatures", NOTE, "TWILIO_SIGNATURES=shared-key: only Twilio itself can try them", "place a call"
        )
        return
    url = f"{settings.public_base_url}/twilio/voice-fallback"
    token = settings.twilio_auth_token.value()
    status = _status(http, url, sign(token, url, _form(settings)), settings)
    if status == _OK:
        yield _unsigned(settings, http, url)
        return
    if status != _FORBIDDEN:
        told = f"{url} answers {status} to a signed request"
        yield Finding("signatures", FAIL, told, "let the proxy in front pass POST requests of /twilio/ unchanged")
        return
    accepted = next((each for each in _variants(url) if _accepts(http, url, each, token, settings)), None)
    told = "what answers there refuses requests signed with TWILIO_AUTH_TOKEN"
    if accepted is None:
        fix = "give the web process the same TWILIO_AUTH_TOKEN as here, and restart it"
        yield Finding("signatures", FAIL, told, fix)
        return
    told += f", but accepts them when signed for {accepted}"
    fix = "give the web process the same PUBLIC_BASE_URL as here, or let the proxy in front leave paths as they are"
    yield Finding("signatures", FAIL, told, fix)


def _unsigned(settings: Settings, http: Http, url: str) -> Finding:
    if _status(http, url, "", settings) == _FORBIDDEN:
        return Finding("signatures", OK, "a signed request is accepted, an unsigned one refused")
    told = "an unsigned request is accepted: anybody could report anything"
    return Finding("signatures", FAIL, told, "look what answers at PUBLIC_BASE_URL; this service refuses it")


def _accepts(http: Http, url: str, signed_url: str, token: str, settings: Settings) -> bool:
    return _status(http, url, sign(token, signed_url, _form(settings)), settings) == _OK


def _variants(url: str) -> Iterator[str]:
    """The other scheme, without its port, without a path in front, with a slash at the end."""
    parts = urlsplit(url)
    endpoint = "/twilio/voice-fallback"
    hosts = dict.fromkeys((parts.netloc, parts.hostname or ""))
    paths = dict.fromkeys((parts.path, endpoint, f"{parts.path}/"))
    made = (f"{scheme}://{host}{path}" for scheme in ("https", "http") for host in hosts for path in paths)
    return (each for each in made if each != url)


def _refusals(base: str, http: Http) -> Iterator[Finding]:
    """What the process that answers has lately refused although Twilio had signed it."""
    answer = _ask(http, "GET", f"{base}/readyz")
    if isinstance(answer, str) or answer.status not in _READYZ:
        return
    for line in answer.body.splitlines():
        told = _object(line)
        if told.get("dependency") == "webhooks" and "cure" in told:
            ago, signed = told.get("refused_ago_s"), told.get("signed_url")
            what = f"a request that Twilio signed for {signed} was refused {ago} s ago"
            yield Finding("webhooks", FAIL, what, str(told["cure"]))


def _object(line: bytes) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _form(settings: Settings) -> list[tuple[str, str]]:
    """A call that nobody placed, under a number that nobody has."""
    return [
        ("AccountSid", settings.twilio_account_sid),
        ("CallSid", _CALL),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", "+15555550100"),
        ("To", "+15555550100"),
    ]


def _status(http: Http, url: str, signature: str, settings: Settings) -> int | str:
    headers = {"X-Twilio-Signature": signature} if signature else {}
    answer = _ask(http, "POST", url, dict(_form(settings)), headers)
    return answer if isinstance(answer, str) else answer.status


def _ask(
    http: Http, method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> Answer | str:
    try:
        return http.request(method, url, deadline_s=_PATIENCE_S, data=form, headers=headers)
    except HttpError as error:
        return _REASONS.get(error.reason, f"no answer ({error.reason})")
