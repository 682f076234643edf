"""Story 1: a customer waits in the queue, an agent answers, they talk, the agent hangs up."""

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
)


def test_only_the_conversation_is_transcribed(on_every_site: OnEachSite) -> None:
    """The stream is up from the first TwiML, transcription from the agent's answer, and the queue is never heard."""

    def story(site: Site) -> None:
        heard_until: dict[str, dict[str, float]] = {}

        def look(call_sid: str, sentence: str) -> None:
            if sentence in {"agent amy joins", "agent amy leaves"}:
                heard_until[sentence] = CallSeen(site, call_sid).heard_ms()

        # 1. The customer calls and waits 20 s; agent amy joins; they talk; amy leaves; the customer hangs up.
        played = site.play("queue_then_agent", on_step=look)
        call = CallSeen(site, played.call_sid)

        # 2. One stream, from the first TwiML: none was asked for by REST.
        assert [stream["name"] for stream in call.streams()] == ["asapp-1"]
        assert call.created_streams() == []

        # 3. Nothing was heard before the agent joined, and nothing but the conversation until the agent left.
        assert heard_until["agent amy joins"] == {}
        assert set(heard_until["agent amy leaves"]) <= {"customer-speech", "agent-speech", "silence"}
        assert call.received_ms()["queue-music"] > 15_000

        # 4. One start, after the agent joined; one stop, which bounds what the lonely customer heard until then.
        assert call.order() == [START, STOP]
        assert call.requests(START)[0]["at"] > played.time_of("agent amy joins").began
        assert_heard(call, "customer-speech", "agent-speech")
        assert_heard_only(call, "customer-speech", "agent-speech", "queue-music")
        assert_heard_at_most(call, "queue-music", [played.time_of("agent amy leaves").began])

        # 5. Off, no stream, `ended`, nothing left to do; the transcript is archived, complete, with its roles.
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert [segment["agent_id"] for segment in document["segments"]] == ["amy"]
        assert {utterance["role"] for utterance in document["utterances"]} == {"customer", "agent"}

    on_every_site(story)
