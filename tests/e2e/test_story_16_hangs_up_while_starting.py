"""Story 16: the caller hangs up while start-streaming is in flight."""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import START, STOP, CallSeen, assert_ended_clean

FEW = 4


def test_no_orphan_is_left(on_each_site: OnEachSite) -> None:
    """The start that was under way ends off; nothing transcribes and nothing is retried for ever."""

    def story(site: Site) -> None:
        # 1. ASAPP takes its time over start-streaming; the customer hangs up before it answers.
        played = site.play("hangs_up_while_starting")
        call = CallSeen(site, played.call_sid)
        assert call.requests(START)
        assert call.requests(START)[0]["at"] < played.time_of("customer hangs up").ended

        # 2. Off, ended, nothing due: whatever was still to be asserted has been.
        assert_ended_clean(call)

        # 3. A few requests in all; nobody was heard for longer than the call lasted.
        requests = [*call.requests(START), *call.requests(STOP)]
        assert len(requests) <= FEW, requests
        assert not call.asapp()["transcribing"]
        assert all(not stream["open"] for stream in call.asapp()["streams"])

    on_each_site(story)
