"""Story 12: an agent's device dials the customer; later the agent transfers, sends to the survey, or just hangs up.

Switches that touch it: stream-callback, stream-create-status, child-on-parent-redirect, child-on-parent-hangup,
streams-on-redirect, caller-called, second-stream, start-with-new-agent.
"""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard_only,
    assert_labelled,
    assert_segments,
    assert_stop_before_start,
)

DEVICE = "client:agent-amy"


def test_customers_leg_is_the_call(on_each_site: OnEachSite) -> None:
    """One stream, by REST, on the customer's child leg; everybody's words under the right name."""

    def story(site: Site) -> None:
        # 1. Amy's device dials the customer, who answers; they talk; the customer hangs up.
        played = site.play("outbound_customer_hangs_up")
        call = CallSeen(site, played.call_sid)

        # 2. The call is the customer's leg; the stream was asked for there by REST, after they answered.
        (created,) = call.created_streams()
        assert created["at"] > played.time_of("customer answers").began
        assert call.twilio()["role"] == "customer"
        devices = [leg["sid"] for leg in site.twilio("calls") if leg["role"] != "customer" and leg["streams"]]
        assert devices == []

        # 3. The customer's words are the customer's, the agent's the agent's.
        assert_labelled(call, "customer-speech", "agent-speech")
        assert_heard_only(call, "customer-speech", "agent-speech")
        assert call.told_agents() == [DEVICE]

        # 4. A clean end.
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), DEVICE)

    on_each_site(story)


def test_transcription_follows_the_customer(on_each_site: OnEachSite) -> None:
    """Moved to a conference and left by amy, the customer is not heard until bea is there, and then with her."""

    def story(site: Site) -> None:
        # 1. The customer is moved to a conference, which ends amy's part; bea joins after a while.
        played = site.play("outbound_transfer")
        call = CallSeen(site, played.call_sid)

        # 2. Two stretches, amy's and bea's; between them a stop.
        assert call.told_agents()[0] == DEVICE
        assert call.told_agents()[-1] == "bea"
        assert_stop_before_start(call)
        assert call.sessions()[-1]["started_at"] > played.time_of("agent bea joins").began
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")

        # 3. It is one call for all that, with a clean end.
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        assert {segment["agent_id"] for segment in assert_archived_complete(call)["segments"]} == {DEVICE, "bea"}

    on_each_site(story)


def test_survey_redirects_the_customers_leg(on_each_site: OnEachSite) -> None:
    """The survey is the customer's, and nothing of it is forked."""

    def story(site: Site) -> None:
        # 1. The desktop sends the customer to the survey; they hear it and hang up.
        played = site.play("outbound_survey")
        call = CallSeen(site, played.call_sid)
        assert site.flows.visits.count(("/survey", call.sid)) == 1
        assert call.twilio()["ended_by"] == "hung-up"

        # 2. None of it was heard, or even forked.
        assert call.received_ms().get("survey", 0) == 0
        assert_heard_only(call, "customer-speech", "agent-speech")
        assert_ended_clean(call)

    on_each_site(story)


def test_agents_hang_up_ends_the_conversation(on_each_site: OnEachSite) -> None:
    """Whether the customer's leg then ends or stays alone, nothing more is heard, and the call ends with the leg."""

    def story(site: Site) -> None:
        # 1. Amy hangs up; the customer's leg ends with hers, or stays and the customer hangs up later.
        steps = {"wait 5": "", "wait until ended": "wait 3"}
        played = site.play("outbound", changed=steps)
        call = CallSeen(site, played.call_sid)
        left = played.time_of("agent amy leaves").ended
        alone_ms = call.received_ms().get("silence", 0)
        if site.switched.twilio.get("child-on-parent-hangup") == "keep":
            assert alone_ms > 0
            site.twilio(f"calls/{call.sid}/hangup", {})

        # 2. No start after she had left; a clean end; the device's leg was never transcribed.
        assert_ended_clean(call)
        assert [row for row in call.requests(START) if row["at"] > left] == []
        assert call.told_agents() == [DEVICE]
        assert_heard_only(call, "customer-speech", "agent-speech")

    on_each_site(story)


def test_who_does_not_become_a_call(on_each_site: OnEachSite) -> None:
    """Agent to agent, a customer who is busy, one who does not answer: no stream, no request to ASAPP, no call."""

    def story(site: Site) -> None:
        for scenario in ("agent_to_agent", "outbound_busy", "outbound_no_answer"):
            # 1. The device's call is over at Twilio.
            played = site.play(scenario)
            device = CallSeen(site, played.call_sid)

            # 2. Neither it nor the leg it dialled was forked or told to ASAPP, and the desktop knows no such call.
            legs = [device.sid, *(leg["sid"] for leg in device.twilio()["legs"])]
            for leg in legs:
                assert not CallSeen(site, leg).was_forked()
                assert site.asapp("requests", guid=leg) == []
                site.api(f"/calls/{leg}", status=404)

    on_each_site(story)
