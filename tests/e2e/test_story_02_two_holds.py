"""Story 2: as story 1, with two holds."""

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
    failures,
)


def test_holds_are_not_transcribed(on_every_site: OnEachSite) -> None:
    """Hold music is heard for no longer than it takes to stop; each unhold resumes; three segments."""

    def story(site: Site) -> None:
        # 1. Amy talks with the customer, and holds them twice for 10 s.
        played = site.play("two_holds")
        call = CallSeen(site, played.call_sid)

        # 2. Three stretches of transcription on one stream (the last one may end with the call, without a stop).
        assert call.order()[:5] == [START, STOP, START, STOP, START]
        assert call.order()[5:] in ([], [STOP])
        assert [stream["name"] for stream in call.streams()] == ["asapp-1"]
        assert_heard(call, "customer-speech")
        assert_heard_only(call, "customer-speech", "agent-speech", "hold-music", "held-customer", "queue-music")

        # 3. Hold music was heard for the time that the stops took, and no longer; the same when amy left.
        assert_hold_music_bounded(call, played, holds=2)
        assert_heard_at_most(call, "queue-music", [played.time_of("agent amy leaves").began])

        # 4. The ledger has three segments with amy in them, and the two pauses between.
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert [segment["agent_id"] for segment in document["segments"]] == ["amy"] * 3
        assert len(document["pauses"]) == 2
        assert failures(document) == []

    on_every_site(story)
