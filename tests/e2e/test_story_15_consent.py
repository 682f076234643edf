"""Story 15: consent is required; it is given, and later withdrawn.

Switches that touch it: stream-callback, stream-create-status, stop-stopped-stream, start-before-media,
stop-before-start.
"""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    ANSWER_S,
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
)


def test_nothing_is_heard_outside_the_consent(on_each_site: OnEachSite) -> None:
    """Before it not even a stream; with it the conversation; after its withdrawal neither."""

    def story(site: Site) -> None:
        received: dict[str, float] = {}
        looks = Looks(site)

        def look(call_sid: str, sentence: str) -> None:
            looks(call_sid, sentence)
            call = CallSeen(site, call_sid)
            received[sentence] = sum(call.received_ms().values()) if call_sid and call.was_forked() else 0.0

        # 1. They talk without a consent; it is given; it is withdrawn; they talk on.
        played = site.play("consent", on_step=look)
        call = CallSeen(site, played.call_sid)

        # 2. Before the consent there was no stream: not a frame left Twilio.
        assert received["desktop sends consent-given"] == 0
        (created,) = call.created_streams()
        assert created["at"] > played.time_of("desktop sends consent-given").began

        # 3. After the withdrawal transcription was off and the stream down: nothing heard, nothing forked.
        assert call.order()[:1] == [START]
        assert call.requests(STOP)[0]["at"] > played.time_of("desktop sends consent-withdrawn").began
        assert looks.between("desktop sends consent-withdrawn", "agent amy leaves").keys() <= {
            "silence",
            "customer-speech",
            "agent-speech",
        }
        withdrawn = [played.time_of("desktop sends consent-withdrawn").began]
        before = looks.before("desktop sends consent-withdrawn")
        for kind, ms in looks.between("desktop sends consent-withdrawn", "agent amy leaves").items():
            assert ms <= _most_ms(call, withdrawn[0]), f"{kind}: {ms} ms after {before}"
        assert_heard_at_most(call, "queue-music", withdrawn)
        assert all(stream["state"] != "live" for stream in call.streams())

        # 4. One segment; a clean end.
        assert_labelled(call, "customer-speech")
        assert_heard_only(call, "customer-speech", "agent-speech")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert_segments(document, "amy")
        assert "consent" in {pause["reason"] for pause in document["pauses"]}

    on_each_site(story)


def _most_ms(call: CallSeen, since: float) -> float:
    """Two tracks' sound from a moment until the stop or the stream's end counted."""
    ends = [row["at"] for row in call.requests(STOP)] + [stream["closed_at"] for stream in call.asapp()["streams"]]
    return 2000 * call.site.speed * (min(float(at) for at in ends if at > since) - since + ANSWER_S)
