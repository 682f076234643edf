"""Story 8: the agent hangs up and the survey follows, as the action of the dial or after the conference was ended.

Switches that touch it: streams-on-redirect, stop-stopped-stream, stop-on-ended-call,
action-after-hangup, call-reads.
"""

import pytest

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    STOP,
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_at_most,
    assert_heard_only,
    assert_labelled,
    assert_segments,
)


@pytest.mark.parametrize(
    ("scenario", "agent"), [("survey_after_dial", "client:agent-amy"), ("survey_after_agent_leaves", "amy")]
)
def test_survey_follows_and_is_not_transcribed(on_each_site: OnEachSite, scenario: str, agent: str) -> None:
    """The survey is reached once, by a customer who was never dropped, and of it nothing even reaches ASAPP."""

    def story(site: Site) -> None:
        # 1. They talk; the agent hangs up; the customer hears the survey for a while and hangs up.
        played = site.play(scenario)
        call = CallSeen(site, played.call_sid)
        assert site.flows.visits.count(("/survey", call.sid)) == 1
        assert call.twilio()["ended_by"] == "hung-up"

        # 2. One stretch, stopped when the agent left (with the stream already down, ASAPP may refuse the stop);
        # what the lonely customer heard until then was bounded by that.
        assert call.order()[:1] == [START]
        assert call.order().count(START) == 1
        left = played.time_of("agent amy leaves").began
        assert call.requests(STOP)[0]["at"] > left
        assert_heard_at_most(call, "queue-music", [left])

        # 3. The stream was down before the survey: not a frame of it was forked.
        assert call.received_ms().get("survey", 0) == 0
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")

        # 4. A clean end.
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), agent)

    on_each_site(story)
