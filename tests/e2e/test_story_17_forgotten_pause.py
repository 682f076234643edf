"""Story 17: a hold or a pause for a payment is forgotten beyond `max_pause_s`.

Switches that touch it: hold's events (conference-first-sequence), stop-before-start, stream ids after a resume.
"""

import pytest

from tests.e2e.harness import Json, OnEachSite, Site
from tests.e2e.world import (
    START,
    CallSeen,
    Looks,
    assert_archived_complete,
    assert_ended_clean,
    assert_labelled,
    assert_segments,
    assert_unheard_but_received,
)

ENDS = {"forgotten_hold": "customer is unheld", "forgotten_payment_pause": "desktop sends resume payment"}


@pytest.mark.parametrize("scenario", sorted(ENDS))
def test_forgotten_pause_is_told_and_goes_on(on_each_site: OnEachSite, scenario: str) -> None:
    """A problem tells of it; transcription stays off until somebody ends the pause, and then goes on."""

    def story(site: Site) -> None:
        looks, seen = Looks(site), list[Json]()

        def look(call_sid: str, sentence: str) -> None:
            looks(call_sid, sentence)
            if sentence == ENDS[scenario]:
                seen.append(CallSeen(site, call_sid).api())

        # 1. The pause lasts longer than two seconds; later somebody remembers it.
        played = site.play(scenario, on_step=look)
        call = CallSeen(site, played.call_sid)

        # 2. The desktop was told beside the state; the pause did not end of itself.
        assert seen[0]["state"] == "paused"
        assert seen[0]["problem"]["id"] == "pause-overdue"
        assert seen[0]["transcription"]["state"] == "off"

        # 3. Nothing was heard from the pause's being off until its end, and only then was there a start.
        assert looks.between("wait until paused", ENDS[scenario]) == {}
        assert call.accepted(START)[1]["at"] > played.time_of(ENDS[scenario]).began
        if scenario == "forgotten_payment_pause":
            assert_unheard_but_received(call, "payment")

        # 4. Then as ever.
        assert_labelled(call, "customer-speech")
        assert_ended_clean(call)
        assert_segments(assert_archived_complete(call), "amy", "amy")

    on_each_site(story)
