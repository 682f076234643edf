"""Story 18: the agent leaves, nobody is there for ten seconds, another agent joins; or nobody ever does.

Switches that touch it: start-with-new-agent, streams-on-redirect, call-reads,
conference-first-sequence.
"""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    PAUSE_TO_OFF_S,
    START,
    STOP,
    CallSeen,
    Looks,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_at_most,
    assert_labelled,
    assert_segments,
    assert_stop_before_start,
)

AGENT_RETURN_S = 2.0


def test_nothing_is_heard_between_two_agents(on_each_site: OnEachSite) -> None:
    """Off while the customer is alone, on again with bea's name."""

    def story(site: Site) -> None:
        looks = Looks(site)

        # 1. Amy leaves; ten seconds later bea joins.
        played = site.play("cold_transfer", on_step=looks)
        call = CallSeen(site, played.call_sid)

        # 2. Off in between.
        assert looks.between("wait until waiting", "agent bea joins") == {}
        lonely = [played.time_of(f"agent {name} leaves").began for name in ("amy", "bea")]
        assert_heard_at_most(call, "queue-music", lonely)
        assert call.received_ms()["queue-music"] > 5000

        # 3. Each stretch its own agent, a stop between.
        assert call.told_agents() == ["amy", "bea"]
        assert_stop_before_start(call)
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), "amy", "bea")

    on_each_site(story)


def test_customer_is_not_alone_for_ever(on_each_site: OnEachSite) -> None:
    """After `agent_return_s` the conference is ended, and the customer goes on to what follows."""

    def story(site: Site) -> None:
        # 1. Amy leaves, and nobody comes.
        played = site.play("cold_transfer_nobody_comes")
        call = CallSeen(site, played.call_sid)

        # 2. The conference was ended when the time was up, once, and the call was not cut: the survey followed.
        over, left = played.time_of("wait until the conference is over"), played.time_of("agent amy leaves")
        assert AGENT_RETURN_S - 0.1 <= over.ended - left.began <= AGENT_RETURN_S + 2
        assert site.flows.visits.count(("/survey", call.sid)) == 1
        assert call.twilio()["ended_by"] == "hung-up"

        # 3. The customer alone was heard only until the stop counted.
        assert call.order()[:1] == [START]
        assert call.requests(STOP)[0]["at"] > left.began
        assert_heard_at_most(call, "queue-music", [left.began])
        assert call.received_ms().get("survey", 0) == 0
        assert_ended_clean(call)

    on_each_site(story)


def test_customer_with_a_guest_is_not_cut_off(on_each_site: OnEachSite) -> None:
    """Whom the agent left with the customer may be anybody; the two talk on, unheard, for as long as they like."""

    def story(site: Site) -> None:
        # 1. Amy leaves the customer with ann, who goes long after `agent_return_s`.
        played = site.play("left_with_a_guest")
        call = CallSeen(site, played.call_sid)

        # 2. The conference lived on until ann had gone, and for its time then.
        amy, ann = (played.time_of(f"{who} leaves") for who in ("agent amy", "guest ann"))
        over = played.time_of("wait until the conference is over")
        assert ann.began - amy.ended > 2 * AGENT_RETURN_S
        assert AGENT_RETURN_S - 0.1 <= over.ended - ann.began <= AGENT_RETURN_S + 2

        # 3. Nothing was transcribed without an agent.
        assert call.order() == [START, STOP]
        assert call.requests(STOP)[0]["at"] - amy.began < PAUSE_TO_OFF_S
        assert_ended_clean(call)

    on_each_site(story)
