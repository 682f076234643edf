"""Story 10: the media stream breaks while the customer is on hold."""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    CallSeen,
    assert_ended_clean,
    assert_heard,
    assert_heard_at_most,
)


def test_transcription_stays_off_until_the_unhold(on_each_site: OnEachSite) -> None:
    """Rebuilt or not, nothing is transcribed before the unhold; then the talk is, on a new stream."""

    def story(site: Site) -> None:
        # 1. They talk, amy holds the customer, the stream breaks, the hold goes on; she unholds, they talk again.
        played = site.play("stream_breaks_on_hold")
        call = CallSeen(site, played.call_sid)
        broken = played.time_of("stream breaks with error-then-stopped")
        unheld = played.time_of("customer is unheld")

        # 2. No start between the break and the unhold, and no new stream either: there is nothing to hear.
        starts = [row["at"] for row in call.requests("start-streaming")]
        assert [at for at in starts if broken.began < at < unheld.began] == []
        assert [row for row in call.created_streams() if row["at"] < unheld.began] == []

        # 3. After the unhold one new stream by REST, and transcription on it.
        (created,) = call.created_streams()
        assert created["form"]["Name"] == "asapp-2"
        assert starts[-1] > created["at"]
        assert_heard(call, "customer-speech")

        # 4. Hold music was heard only between the hold and its stop; the call ended as its people ended it.
        assert_heard_at_most(call, "hold-music", [played.time_of("customer is held").began])
        assert call.twilio()["ended_by"] == "hung-up"
        assert_ended_clean(call)

    on_each_site(story)
