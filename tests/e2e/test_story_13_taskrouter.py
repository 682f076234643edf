"""Story 13: TaskRouter finds the worker, and its events name the agent; conference events bring the holds.

Switches that touch it: taskrouter-order, -delay, -attributes, -accepted, -first-joiner, -labels, -worker-exit,
-after-call; conference-first-sequence, conference-default-events; action-after-hangup.
"""

import pytest

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    STOP,
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_only,
    assert_hold_music_bounded,
    assert_labelled,
    assert_segments,
    assert_stop_before_start,
    failures,
)


def test_holds_of_a_taskrouter_conference(on_each_site: OnEachSite) -> None:
    """As with a conference of our own: the queue unheard, hold music bounded, three segments in the worker's name."""

    def story(site: Site) -> None:
        # 1. The caller is queued, amy accepts, they talk; two holds; amy wraps up; the survey follows.
        played = site.play("taskrouter_conference", changed={"wait until survey": "wait 40"})
        call = CallSeen(site, played.call_sid)

        # 2. Nothing before amy was there; three stretches of hers (until TaskRouter names her, her leg does).
        assert call.requests(START)[0]["at"] > played.time_of("worker amy accepts").began
        assert _named(call.told_agents()) == ["amy"] * 3
        assert_stop_before_start(call)
        assert_hold_music_bounded(call, played, holds=2)
        assert_heard_only(call, "customer-speech", "agent-speech", "hold-music", "held-customer", "queue-music")

        # 3. The survey was reached where the worker's exit ends the conference, and unheard; a clean end.
        ends = site.switched.twilio.get("taskrouter-worker-exit") != "leaves"
        assert site.flows.visits.count(("/survey", call.sid)) == int(ends)
        assert call.received_ms().get("survey", 0) == 0
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert _named([segment["agent_id"] for segment in document["segments"]]) == ["amy"] * 3
        assert failures(document) == []

    on_each_site(story)


def test_dequeued_caller_talks_with_the_accepted_worker(on_each_site: OnEachSite) -> None:
    """Where only TaskRouter tells of the worker, accepting is being connected, and wrapping up is leaving."""

    def story(site: Site) -> None:
        # 1. Amy accepts by dequeue, they talk, amy wraps up, the survey follows.
        played = site.play("taskrouter_dequeue")
        call = CallSeen(site, played.call_sid)

        # 2. One stretch in amy's name, nothing of the queue or survey.
        assert call.requests(START)[0]["at"] > played.time_of("worker amy accepts by dequeue").began
        assert call.told_agents() == ["amy"]
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")
        assert call.received_ms().get("survey", 0) == 0
        assert_labelled(call, "customer-speech", "agent-speech")
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), "amy")

    on_each_site(story)


@pytest.mark.parametrize("how", ["warm", "cold"])
def test_transferred_to_another_worker(on_each_site: OnEachSite, how: str) -> None:
    """Each stretch in the name of the worker who was there, a stop between them, and no end of the call."""

    def story(site: Site) -> None:
        # 1. Amy transfers the caller to bea; then they talk until the customer hangs up.
        played = site.play(f"taskrouter_{how}_transfer")
        call = CallSeen(site, played.call_sid)
        assert call.twilio()["ended_by"] == "hung-up"

        # 2. Amy's stretch, then bea's; until TaskRouter's events tell, legs and devices stand for them.
        assert _named(call.told_agents()) == ["amy", "bea"]
        assert_stop_before_start(call)
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")

        # 3. A clean end; the late events of amy's reservation took nobody away.
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert _named([segment["agent_id"] for segment in document["segments"]]) == ["amy", "bea"]

    on_each_site(story)


def test_caller_who_gives_up_in_the_queue(on_each_site: OnEachSite) -> None:
    """Nothing was transcribed, no survey, a clean end."""

    def story(site: Site) -> None:
        # 1. The caller hangs up in the queue.
        call = CallSeen(site, site.play("taskrouter_caller_gives_up").call_sid)

        # 2. ASAPP was never told to transcribe.
        assert call.requests(START) == []
        assert call.received_ms()["queue-music"] > 0
        assert call.heard_ms() == {}
        assert ("/survey", call.sid) not in site.flows.visits
        assert call.requests(STOP) == []
        assert_ended_clean(call)

    on_each_site(story)


def _named(agents: list[str]) -> list[str]:
    """Without the stretches before TaskRouter's late events told whose leg it was."""
    return [name for name in agents if not name.startswith(("CA", "client:"))]
