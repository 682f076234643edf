"""Story 7: the agent's desktop sends the customer to the survey."""

from tests.e2e.harness import Json, OnEachSite, Site
from tests.e2e.world import CallSeen, assert_archived_complete, assert_ended_clean, assert_heard


def test_survey_is_not_transcribed(on_each_site: OnEachSite) -> None:
    """Off confirmed, stream stopped, then the redirect; of the survey nothing even reaches ASAPP."""

    def story(site: Site) -> None:
        # 1. They talk; the desktop sends survey-transfer; the customer hears the survey for a while and hangs up.
        played = site.play("survey_transfer")
        call = CallSeen(site, played.call_sid)
        assert site.flows.visits.count(("/survey", call.sid)) == 1

        # 2. In this order: stop at ASAPP, stream stopped at Twilio, redirect; each once.
        (stop,) = call.requests("stop-streaming")
        (stream_stop,) = _posts(call, "/Streams/")
        (redirect,) = _posts(call, f"/Calls/{call.sid}.json")
        assert stop["status"] == 200
        assert stop["at"] < stream_stop["at"] < redirect["at"]

        # 3. The survey was not even forked; before it, the conversation was heard.
        assert call.received_ms().get("survey", 0) == 0
        assert_heard(call, "customer-speech")

        # 4. A clean end.
        assert_ended_clean(call)
        assert_archived_complete(call)

    on_each_site(story)


def _posts(call: CallSeen, part: str) -> list[Json]:
    rows = call.site.twilio("requests", method="POST")
    return [row for row in rows if call.sid in row["path"] and part in row["path"]]
