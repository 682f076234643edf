"""Story 14: an existing call flow behind a redirect; the desktop reports the agent and the holds."""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    START,
    STOP,
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard,
    assert_heard_at_most,
    assert_heard_only,
    assert_hold_music_bounded,
)


def test_desktop_alone_drives_transcription(on_each_site: OnEachSite) -> None:
    """With no callbacks but the stream's own, the desktop's reports start, stop and resume transcription."""

    def story(site: Site) -> None:
        # 1. The number's TwiML starts the stream and redirects into the flow that was there before.
        played = site.play("desktop_reports_holds")
        call = CallSeen(site, played.call_sid)
        assert call.deliveries("conference-status") == []
        assert [stream["name"] for stream in call.streams()] == ["asapp-1"]

        # 2. The desktop told of agent, hold and unhold: two stretches of transcription.
        assert call.order() == [START, STOP, START, STOP]
        assert_heard(call, "customer-speech")
        assert_heard_only(call, "customer-speech", "agent-speech", "hold-music", "held-customer", "queue-music")
        assert_hold_music_bounded(call, played, holds=1)
        assert_heard_at_most(call, "queue-music", [played.time_of("desktop sends agent-disconnected amy").began])

        # 3. A clean end, and the reported agent's name on both segments.
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert [segment["agent_id"] for segment in document["segments"]] == ["amy", "amy"]

    on_each_site(story)
