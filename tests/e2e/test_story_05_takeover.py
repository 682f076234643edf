"""Story 5: agent amy holds the customer and consults agent bea, who takes over; and a hold of amy's own leg.

Switches that touch it: start-with-new-agent, stop-before-start, stream ids and offsets after a resume, the first
sequence number of a conference, its default events.
"""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    STOP,
    CallSeen,
    Looks,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_at_most,
    assert_heard_only,
    assert_labelled,
    assert_segments,
    assert_stop_before_start,
    failures,
)


def test_second_agent_takes_over(on_each_site: OnEachSite) -> None:
    """The consult is not heard; each stretch has its own agent; a stop before each start."""

    def story(site: Site) -> None:
        looks = Looks(site)

        # 1. Amy holds the customer, bea joins, they consult; the customer comes back; amy leaves, bea goes on.
        played = site.play("consult_and_takeover", on_step=looks)
        call = CallSeen(site, played.call_sid)

        # 2. Nothing at all was heard of the consult, although audio was there.
        assert looks.between("wait until paused", "customer is unheld") == {}
        assert call.received_ms()[call.hold_sound()] > 5000
        began = [played.time_of("customer is held").began]
        assert_heard_at_most(call, "hold-music", began)
        assert_heard_at_most(call, "held-customer", began)

        # 3. The one who was there longer is the agent until she leaves; a stop before each start.
        assert call.told_agents() == ["amy", "amy", "bea"]
        assert_stop_before_start(call)
        assert call.sessions()[2]["started_at"] > played.time_of("agent amy leaves").began
        assert_heard_only(call, "customer-speech", "agent-speech", "hold-music", "held-customer", "queue-music")

        # 4. Everybody's words under their own name, in the archive too.
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert_segments(document, "amy", "amy", "bea")
        assert failures(document) == []

    on_each_site(story)


def test_hold_of_an_agents_own_leg_dies_with_it(on_each_site: OnEachSite) -> None:
    """Amy holds herself and leaves so: bea is transcribed from her joining on, and amy's hold pauses nobody."""

    def story(site: Site) -> None:
        looks = Looks(site)

        # 1. Amy holds her own leg; bea joins and talks with the customer; amy leaves, held as she is.
        played = site.play("agent_holds_herself", on_step=looks)
        call = CallSeen(site, played.call_sid)

        # 2. While the only agent was held nothing was heard.
        assert looks.between("wait until paused", "agent bea joins") == {}
        assert call.sessions()[1]["started_at"] > played.time_of("agent bea joins").began

        # 3. Amy's leaving changed nothing: no request between it and bea's leaving.
        left, over = played.time_of("agent amy leaves").began, played.time_of("agent bea leaves").began
        rows = [row for name in (START, STOP) for row in call.requests(name)]
        assert [row for row in rows if left < row["at"] < over] == []
        assert call.told_agents() == ["amy", "bea"]
        assert_stop_before_start(call)

        # 4. A clean end.
        assert_labelled(call, "customer-speech", "agent-speech")
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), "amy", "bea")

    on_each_site(story)
