"""Story 9: the media stream breaks in the middle of the talk, told in five ways."""

import pytest

from tests.e2e.harness import NUMBER, PROBED_NUMBER, OnEachSite, Site
from tests.e2e.world import (
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard,
    assert_heard_only,
    failures,
)


@pytest.mark.parametrize(
    ("scenario", "number"),
    [
        ("stream_breaks_error_then_stopped", NUMBER),
        ("stream_breaks_stopped_then_error", NUMBER),
        ("stream_breaks_stopped_only", NUMBER),
        ("stream_breaks_error_only", NUMBER),
        ("stream_breaks_silent", PROBED_NUMBER),  # only a probe can find it, so its pace is this number's
    ],
)
def test_broken_stream_is_rebuilt(on_every_site: OnEachSite, scenario: str, number: str) -> None:
    """A new stream `asapp-2` by REST, transcription on again, the gap told, the call untouched."""

    def story(site: Site) -> None:
        # 1. They talk; the stream breaks; they go on talking until the customer hangs up.
        played = site.play(scenario, number=number)
        call = CallSeen(site, played.call_sid)
        broken = next(step for step in played.steps if step.sentence.startswith("stream breaks"))

        # 2. One new stream, asked for by REST with a URL that worked.
        assert [stream["name"] for stream in call.streams()] == ["asapp-1", "asapp-2"]
        (created,) = call.created_streams()
        assert created["at"] > broken.began
        assert created["form"]["Name"] == "asapp-2"
        assert len(call.asapp()["streams"]) == 2

        # 3. Transcription was started again on it, and only the conversation was heard.
        assert call.requests("start-streaming")[-1]["at"] > created["at"]
        assert_heard(call, "customer-speech")
        assert_heard_only(call, "customer-speech", "agent-speech")

        # 4. The call itself was left alone: no update, and it ended because the customer hung up.
        updates = [
            row for row in call.site.twilio("requests", method="POST") if row["path"].endswith(f"{call.sid}.json")
        ]
        assert updates == []
        assert call.twilio()["ended_by"] == "hung-up"

        # 5. The gap is shown with its reason; all else is there.
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        why = f"{document['gaps']}; {[(each['at'], each['event']) for each in call.timeline()]}"
        assert [gap["reason"] for gap in failures(document)] == ["stream-broken"], why
        assert [segment["agent_id"] for segment in document["segments"]] == ["amy", "amy"]

    on_every_site(story)
