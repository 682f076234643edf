"""What the fallback answers, by what failed before it: nobody whose talk is over is sent to the agents again."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.profile import Profile
from orchestrator.twilio import fallback, twiml
from tests.unit.twilio.test_twiml import CALL, SURVEY, URLS, only, tags

BASE = "https://calls.example/pre/twilio/"
ENDED = f"{BASE}dial-ended?call={CALL}"


def instead(failed_url: str, outcome: str = "", surveys: list[str] | None = None, **more: Any) -> str | None:
    profile = Profile(**{"route": "conference", **more})
    known = [SURVEY] if surveys is None else surveys
    return fallback.instead_of(
        failed_url, profile, CALL, outcome=outcome, surveys=known, urls=URLS, caller_id="+15555550100"
    )


@pytest.mark.parametrize(
    "failed",
    [
        "",
        f"{BASE}voice",
        f"{BASE}voice#rc=3",
        "https://flow.example/v/2",
        "https://flow.example/v?step=2",
        "no URL",
        "//",
    ],
)
def test_who_has_not_been_routed_yet_is_routed(failed: str) -> None:
    """Nothing of ours after the route has failed, and nothing that the profile names."""
    assert instead(failed, route="redirect:https://flow.example/v?step=1") is None


@pytest.mark.parametrize("outcome", ["", "completed", "answered", "bridged"])
@pytest.mark.parametrize("failed", [ENDED, ENDED + "#rc=3", ENDED.replace("calls", "CALLS")])
def test_after_the_talk_the_survey(failed: str, outcome: str) -> None:
    """By way of our own step, which ends transcription; without a survey, a goodbye."""
    document = instead(failed, outcome, survey_url=SURVEY) or ""
    assert tags(document) == ["Redirect"]
    assert only(document, "Redirect").text == URLS.survey(CALL)
    assert instead(failed, outcome, no_agent_route="dial:+15555550102") == twiml.goodbye()


def test_who_found_no_agent_gets_what_is_left() -> None:
    """The other route, once; then the apology. Never the route again."""
    document = instead(ENDED, "no-answer", no_agent_route="dial:+15555550102", survey_url=SURVEY) or ""
    assert only(document, "Number").text == "+15555550102"
    assert only(document, "Dial").attrib["action"] == URLS.dial_ended(CALL, is_last=True)
    assert only(document, "Dial").attrib["callerId"] == "+15555550100"
    assert instead(f"{ENDED}&last=1", "no-answer", no_agent_route="dial:+15555550102") == twiml.apology()
    assert instead(ENDED, "no-answer", survey_url=SURVEY) == twiml.apology()


@pytest.mark.parametrize(("outcome", "tag"), [("redirected", "Pause"), ("hangup", "Hangup")])
def test_who_is_elsewhere_or_gone_is_left_alone(outcome: str, tag: str) -> None:
    """As after the dial itself."""
    assert tags(instead(ENDED, outcome, survey_url=SURVEY) or "") == [tag]


def test_where_our_step_before_the_survey_failed_the_survey_itself_follows() -> None:
    """With a stop of the stream that the call began with, if it began with one."""
    step = f"{BASE}survey?call={CALL}"
    assert tags(instead(step, survey_url=SURVEY) or "") == ["Stop", "Stream", "Redirect"]
    document = instead(step, survey_url=SURVEY, transcribe=False) or ""
    assert (tags(document), only(document, "Redirect").text) == (["Redirect"], SURVEY)
    assert instead(step) == twiml.goodbye()


@pytest.mark.parametrize(
    "failed", [SURVEY, SURVEY.replace("https://survey", "HTTPS://SURVEY") + "#x", SURVEY[: SURVEY.index("?")]]
)
def test_where_the_survey_failed_the_call_ends_with_a_word(failed: str) -> None:
    """Whichever profile's it is, and whether or not Twilio tells the query."""
    assert instead(failed, survey_url=SURVEY) == twiml.goodbye() == instead(failed)
    assert tags(twiml.goodbye()) == ["Say", "Hangup"]
    assert instead(failed, surveys=["https://other.example/"]) is None


@pytest.mark.parametrize("key", ["route", "no_agent_route"])
def test_a_flow_that_failed_is_not_asked_again(key: str) -> None:
    """No route is left: the apology."""
    more: dict[str, Any] = {key: "redirect:https://flow.example/v"}
    assert instead("https://flow.example/v", **more) == twiml.apology()


@pytest.mark.parametrize(("url", "found"), [(ENDED, CALL), (f"{BASE}survey", None), ("https://[x", None), ("", None)])
def test_our_url_says_whose_call_it_is(url: str, found: str | None) -> None:
    """For a request whose own Call SID is none."""
    assert fallback.call_named(url) == found
