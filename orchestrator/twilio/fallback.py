"""What the fallback URL answers: where the caller is, is said by what Twilio could not fetch (`ErrorUrl`).

Twilio: Availability and Reliability. The fallback is asked whenever a document fails, not the voice webhook's alone. A
caller whose talk is over must not be sent to the agents again, nor to a flow that has just failed. All of it follows
from the request and the profile, for the store may be what is away.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs

from orchestrator.core.profile import Profile, Route
from orchestrator.hosts import place
from orchestrator.twilio import twiml
from orchestrator.twilio.twiml import CallbackUrls


def call_named(failed_url: str) -> str | None:
    """The `?call=` of the URL that failed, where it is one of ours."""
    return _query(failed_url).get("call")


def instead_of(
    failed_url: str,
    profile: Profile,
    call_sid: str,
    *,
    outcome: str,
    surveys: Iterable[str],
    urls: CallbackUrls,
    caller_id: str | None = None,
) -> str | None:
    """The document for a caller who is past the route; None where the route is what failed to be told.

    `outcome`: of the dial or queue, empty where Twilio does not repeat it. `surveys`: the `survey_url` of any profile,
    for a call may have begun under another one.
    """
    match urls.name_of(failed_url):
        case "dial-ended":
            return _after_dial(failed_url, profile, call_sid, outcome, urls, caller_id)
        case "survey":
            return twiml.survey(profile, twiml.streams_of_unknown(profile)) if profile.survey_url else twiml.goodbye()
        case str():
            return None
    if any(_is_same(failed_url, _target(route)) for route in (profile.route, profile.no_agent_route)):
        return twiml.apology()
    return twiml.goodbye() if any(_is_same(failed_url, each) for each in surveys) else None


def _after_dial(
    failed_url: str, profile: Profile, call_sid: str, outcome: str, urls: CallbackUrls, caller_id: str | None
) -> str:
    """Our step in front of the survey, for that ends transcription first; for who talked to nobody, what is left."""
    had_agent = not outcome  # nobody can say; the agents have been asked once already
    if twiml.leads_to_survey(profile, outcome=outcome, had_agent=had_agent):
        return twiml.survey_redirect((), urls.survey(call_sid))
    if had_agent or outcome in twiml.WITH_AGENT:
        return twiml.goodbye()
    return twiml.dial_ended(
        profile,
        call_sid,
        outcome=outcome,
        had_agent=False,
        streams=(),
        urls=urls,
        is_last=_query(failed_url).get("last") == "1",
        caller_id=caller_id,
    )


def _target(route: Route | None) -> str:
    kind, _, target = (route or "").partition(":")
    return target if kind == "redirect" else ""


def _is_same(failed_url: str, configured: str) -> bool:
    """Whether it is this URL that failed. Twilio does not say whether it tells the query, so one may be missing."""
    failed, wanted = place(failed_url), place(configured)
    if failed is None or wanted is None:
        return False
    return failed[:2] == wanted[:2] and failed.query in {"", wanted.query}


def _query(url: str) -> dict[str, str]:
    found = place(url)
    return {name: values[0] for name, values in parse_qs(found.query).items()} if found is not None else {}
