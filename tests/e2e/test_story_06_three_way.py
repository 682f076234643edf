"""Story 6: a second agent joins and leaves while the first stays; and a coach who only listens, then speaks too.

Switches that touch it: start-with-new-agent, the first sequence number of a conference, overrides of callbacks.
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
    failures,
)


@pytest.mark.parametrize("scenario", ["three_way", "coach_listens_and_barges_in"])
def test_others_come_and_go_within_one_segment(on_each_site: OnEachSite, scenario: str) -> None:
    """One start, one segment, one agent's name, whoever else was in the room."""

    def story(site: Site) -> None:
        # 1. Amy talks with the customer; somebody else comes; in the end the customer hangs up.
        played = site.play(scenario)
        call = CallSeen(site, played.call_sid)

        # 2. One stretch of transcription, amy's, without a restart.
        assert len(call.requests(START)) == len(call.accepted(START)) + _refused_early(call)
        assert call.order()[:1] == [START]
        assert call.order().count(START) == 1
        assert call.told_agents() == ["amy"]

        # 3. The conversation and its labels.
        assert_labelled(call, "customer-speech", "agent-speech")
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert_segments(document, "amy")
        assert failures(document) == []

    on_each_site(story)


def _refused_early(call: CallSeen) -> int:
    """Starts that came before ASAPP knew the stream."""
    return sum(row["status"] != 200 and row["at"] < call.accepted(START)[0]["at"] for row in call.requests(START))
