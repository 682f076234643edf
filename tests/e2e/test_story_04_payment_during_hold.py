"""Story 4: a payment pause during a hold; the unhold arrives first."""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import (
    CallSeen,
    assert_archived_complete,
    assert_ended_clean,
    assert_heard,
    assert_unheard_but_received,
)


def test_payment_outlasts_the_hold(on_each_site: OnEachSite) -> None:
    """The unhold alone resumes nothing: transcription is on again only after `resume`."""

    def story(site: Site) -> None:
        starts_at: dict[str, int] = {}

        def look(call_sid: str, sentence: str) -> None:
            if sentence == "desktop sends resume payment":
                starts_at[sentence] = len(CallSeen(site, call_sid).accepted("start-streaming"))

        # 1. Hold, pause for the payment, unhold, card details, resume.
        played = site.play("payment_during_hold", on_step=look)
        call = CallSeen(site, played.call_sid)

        # 2. No start between the unhold and the resume; one after it.
        assert starts_at == {"desktop sends resume payment": 1}
        starts = call.accepted("start-streaming")
        assert len(starts) == 2
        assert starts[1]["at"] > played.time_of("desktop sends resume payment").began

        # 3. The card was spoken, reached ASAPP's side, and was not heard; it is in no transcript.
        assert_unheard_but_received(call, "payment")
        assert_heard(call, "customer-speech")
        assert_ended_clean(call)
        document = assert_archived_complete(call)
        assert not [each for each in document["utterances"] if "card number" in each["text"]]
        assert "payment" in {pause["reason"] for pause in document["pauses"]}

    on_each_site(story)
