"""Both vendors' accounts: are our credentials theirs, and what do they give?"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.diagnosis.finding import FAIL, NOTE, OK, Finding, is_unreached, refusal
from orchestrator.services import Services
from orchestrator.twilio.account import Account

_SANDBOX = "https://api.sandbox.asapp.com"
_UNAUTHORIZED = "auth"


def asapp(services: Services) -> Iterator[Finding]:
    """Credentials, and the form of the stream URL."""
    health = services.asapp.health()
    if health.verdict is not Verdict.DONE:
        fix = "check ASAPP_API_ID and ASAPP_API_SECRET, and that they belong to ASAPP_API_BASE_URL"
        way = "check ASAPP_API_BASE_URL, and the way there from this machine"
        yield Finding("asapp", FAIL, refusal(health), way if is_unreached(health) else fix)
        return
    yield Finding("asapp", OK, "credentials are accepted")
    if services.settings.asapp_api_base_url == _SANDBOX:
        yield Finding(
            "asapp", NOTE, "ASAPP_API_BASE_URL is ASAPP's sandbox", "for real calls set the production address"
        )
    fetched = services.asapp.stream_url(requested_at_ms=services.clock.now_ms())
    if isinstance(fetched, Outcome):
        fix = "ask ASAPP to enable the Twilio media gateway for this key"
        yield Finding("stream URL", FAIL, refusal(fetched), fix)
    elif "?" in fetched.url or "#" in fetched.url:
        told = "ASAPP's stream URL has a query string, which Twilio is known to drop"
        yield Finding("stream URL", FAIL, told, "ask ASAPP for the path form of the URL")
    else:
        yield Finding("stream URL", OK, "wss, without a query string")


def twilio(services: Services, account: Account) -> Iterator[Finding]:
    """Credentials for REST, and the token with which Twilio signs, which may be wrong beside a good API key."""
    settings = services.settings
    listed = services.twilio.list_calls_in_progress()
    names = (
        "TWILIO_API_KEY and TWILIO_API_SECRET"
        if settings.twilio_api_key
        else "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
    )
    if isinstance(listed, Outcome):
        way = "check TWILIO_API_BASE_URL, and the way there from this machine"
        yield Finding("twilio", FAIL, refusal(listed), way if is_unreached(listed) else f"check {names}")
        if is_unreached(listed):
            return
    else:
        yield Finding("twilio", OK, f"credentials are accepted; calls in progress: {len(listed.legs)}")
    token = account.check_token()
    if token.verdict is Verdict.DONE:
        yield Finding("auth token", OK, "belongs to the account, so its signatures are recognised")
    elif token.family == _UNAUTHORIZED:
        told = "TWILIO_AUTH_TOKEN is not this account's: every request that Twilio signs is refused with 403"
        yield Finding("auth token", FAIL, told, "copy the account's primary auth token from Twilio's console")
    else:
        yield Finding("auth token", NOTE, f"could not be checked: {refusal(token)}", "run doctor again later")
