"""Story 19: the dial or the queue finds no agent: busy, no answer, a full queue.

Switches that touch it: action-after-hangup, streams-on-redirect, caller-called.
"""

import pytest

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_only,
    assert_labelled,
    assert_segments,
    assert_unheard_but_received,
)


@pytest.mark.parametrize("scenario", ["no_agent_busy", "queue_full"])
def test_nobody_there_ends_with_a_spoken_word(on_each_site: OnEachSite, scenario: str) -> None:
    """The other route is tried; when nobody is there either, an apology: no survey, nothing transcribed."""

    def story(site: Site) -> None:
        # 1. Neither the agent nor the one for the night takes the call.
        call = CallSeen(site, site.play(scenario).call_sid)

        # 2. Both were tried, an apology was heard, and our document ended the call.
        assert "agent-night" in {leg["to"].rpartition(":")[2] for leg in _dialled(call)}
        assert_unheard_but_received(call, "ivr")
        assert call.twilio()["status"] == "completed"

        # 3. Nothing was transcribed; no survey.
        assert call.requests(START) == []
        assert call.heard_ms() == {}
        assert ("/survey", call.sid) not in site.flows.visits
        assert_ended_clean(call)

    on_each_site(story)


def test_the_other_route_finds_somebody(on_each_site: OnEachSite) -> None:
    """Nobody answers at first; the one for the night does, and that conversation is transcribed in their name."""

    def story(site: Site) -> None:
        # 1. The agent's phone is not answered; the other route's is.
        played = site.play("no_agent_no_answer")
        call = CallSeen(site, played.call_sid)

        # 2. Transcribed from that answer on.
        assert call.requests(START)[0]["at"] > played.time_of("agent night answers").began
        assert call.told_agents() == ["client:agent-night"]
        assert_heard_only(call, "customer-speech", "agent-speech")
        assert_labelled(call, "customer-speech", "agent-speech")
        assert ("/survey", call.sid) not in site.flows.visits
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), "client:agent-night")

    on_each_site(story)


def _dialled(call: CallSeen) -> list[dict[str, str]]:
    """The agents' legs that Twilio dialled for this call."""
    sids = {leg["sid"] for leg in call.twilio()["legs"]}
    return [leg for leg in call.site.twilio("calls") if leg["sid"] in sids]
