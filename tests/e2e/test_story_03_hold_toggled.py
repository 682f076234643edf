"""Story 3: hold is toggled 20 times in a second and ends on hold."""

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.world import CallSeen, assert_archived_complete, assert_ended_clean

HANDFUL = 8


def test_toggling_settles_on_hold(on_each_site: OnEachSite) -> None:
    """Off while the last hold stands, with a handful of vendor calls; on again after the unhold."""

    def story(site: Site) -> None:
        heard_at: dict[str, float] = {}

        def look(call_sid: str, sentence: str) -> None:
            if sentence in {"wait 10", "customer is unheld"}:
                held = CallSeen(site, call_sid)
                heard_at[sentence] = held.heard_ms().get(held.hold_sound(), 0.0)

        # 1. Twenty toggles, the last one a hold; 10 s of it; then an unhold and more talk.
        played = site.play("hold_toggled", on_step=look)
        call = CallSeen(site, played.call_sid)

        # 2. While the last hold stood nothing was heard.
        assert heard_at["wait 10"] == heard_at["customer is unheld"]
        assert call.received_ms()[call.hold_sound()] > heard_at["wait 10"] + 5000

        # 3. A handful of requests for twenty toggles, a few starts among them at most.
        toggled, unheld = (
            played.time_of("toggle hold 20 times in 1 s ending held"),
            played.time_of("customer is unheld"),
        )
        order = [row for name in ("start-streaming", "stop-streaming") for row in call.requests(name)]
        during = [row for row in order if toggled.began < row["at"] < unheld.began]
        assert 1 <= len(during) <= HANDFUL, [row["path"] for row in during]

        # 4. Transcribed again after the final unhold (the scenario waited for it), and a clean end.
        assert call.requests("start-streaming")[-1]["at"] > unheld.began
        assert_ended_clean(call)
        assert_archived_complete(call)

    on_each_site(story)
