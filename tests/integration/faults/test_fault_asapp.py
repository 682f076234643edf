"""ASAPP in trouble: what must not be heard is not heard, what should be transcribed is as soon as it can be."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from orchestrator.asapp.day import Reserved
from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.backoff import STOP_DEADLINE_MS
from orchestrator.core.call import Call
from orchestrator.core.desired import desired
from orchestrator.core.transition import transition
from orchestrator.store.daily import Used
from orchestrator.web import create_app
from orchestrator.worker.execute import Executor
from orchestrator.worker.loop import LEASE_MS, Worker
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import START, STOP, Asked, Mood

CUT_S = STOP_DEADLINE_MS / 1000 + 0.5
DOWN = {
    "08-401": Mood(401, b'{"error": {"code": "401-01"}}'),
    "08-403": Mood(403, b'{"error": {"code": "403-01"}}'),
    "12-429": Mood(429, b'{"error": {"code": "429-01"}}'),
    "13-500": Mood(500, b"oops"),
    "13-503": Mood(503, b"<html>"),
    "14-hangs": Mood(after_s=30),
    "16-html": Mood(200, b"<html>fine</html>"),
    "16-huge": Mood(200, b" " * 10_000_000),
    "17-not-ok": Mood(200, b'{"isOk": false}'),
}


def cuts(floor: Floor, sid: str) -> list[float]:
    return [each.at for each in floor.vendors.requests(f"/Calls/{sid}/Streams/")]


@pytest.mark.parametrize("mood", DOWN.values(), ids=DOWN)
def test_fault_a_hold_is_cut_at_twilio_when_asapp_confirms_no_stop(floor: Floor, mood: Mood) -> None:
    """8, 12, 13, 14, 16, 17: whatever ASAPP answers to the stop, the stream is down 3.5 s after the hold."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods[STOP] = mood
    held_at = time.monotonic()
    floor.hold(sid)
    until(lambda: cuts(floor, sid), CUT_S + 0.5, "the stream is stopped at Twilio")
    assert cuts(floor, sid)[0] - held_at <= CUT_S
    assert floor.vendors.requests(STOP, sid)[0].at - held_at < 0.5, "ASAPP was asked first, and at once"
    until(lambda: floor.call(sid).exposure_since is None, 1, "the exposure is over")
    assert floor.state(sid) == "pausing", "off is not known at ASAPP"
    assert floor.call(sid).unwanted_ms > 0, "how long it lasted is kept"


def test_what_may_have_been_heard_is_counted_from_what_happened(floor: Floor) -> None:
    """Unwanted seconds are those from the hold to the cut, pause-to-off those until ASAPP confirms."""
    counters = floor.services.store.counters
    unwanted, to_off = "orchestrator_unwanted_transcription_seconds_total", "orchestrator_pause_to_off_seconds"
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods[STOP] = DOWN["13-503"]
    held_at = time.monotonic()
    floor.hold(sid)
    until(lambda: floor.call(sid).exposure_since is None, 5, "the stream is cut")
    heard_s = cuts(floor, sid)[0] - held_at
    assert counters()[unwanted] == pytest.approx(heard_s, abs=0.3)
    assert f"{to_off}_count" not in counters(), "nothing is off yet, as far as anybody knows"
    floor.vendors.moods.clear()
    floor.reaches(sid, "paused", 5)
    off_s = floor.vendors.requests(STOP, sid)[-1].at - held_at
    assert counters()[f"{to_off}_count"] == 1
    assert counters()[f"{to_off}_sum"] == pytest.approx(off_s, abs=0.3)
    assert counters()[unwanted] == pytest.approx(heard_s, abs=0.3), "with the stream down nothing more was heard"


def tries(floor: Floor) -> list[Asked]:
    return [*floor.vendors.requests(START), *floor.vendors.requests(STOP)]


@pytest.mark.parametrize("mood", [DOWN["08-401"], DOWN["13-500"]], ids=["08-401", "13-500"])
def test_fault_starts_are_no_storm_and_come_back_when_asapp_does(floor: Floor, mood: Mood) -> None:
    """8, 13: with twenty calls waiting ASAPP gets a probe every 2 s, and all are on within 5 s of its return."""
    floor.vendors.moods[START] = floor.vendors.moods[STOP] = mood
    sids = [floor.talk(number) for number in range(20)]
    until(lambda: floor.services.budgets.starts.state()["open"], 5, "the breaker is open")
    until(lambda: all(floor.state(sid) == "interrupted" for sid in sids), 5, "all tell that there is trouble")
    before, began = len(tries(floor)), time.monotonic()
    until(lambda: len(tries(floor)) >= before + 2, 8, "probes go on")
    assert len(tries(floor)) - before <= 2 + (time.monotonic() - began) / 2, "no storm"
    floor.vendors.moods.clear()
    until(lambda: all(floor.state(sid) == "transcribing" for sid in sids), 5, "all are on again")
    assert not floor.services.budgets.starts.state()["open"]


def test_fault_12_holds_go_past_an_open_breaker(floor: Floor) -> None:
    """12: while starts are refused, the stop of another call is sent at once."""
    held = floor.talk(1)
    floor.reaches(held, "transcribing")
    floor.vendors.moods[START] = DOWN["12-429"]
    for number in range(2, 12):
        floor.talk(number)
    until(lambda: floor.services.budgets.starts.state()["open"], 10, "the breaker is open")
    began = time.monotonic()
    floor.hold(held)
    floor.reaches(held, "paused", 1)
    assert floor.vendors.requests(STOP, held)[0].at - began < 0.5


def test_fault_14_and_42_a_start_without_an_answer_is_followed_by_its_stop(floor: Floor) -> None:
    """14, 42: a hold comes while start hangs: the stop goes once the start is given up, and once more 6 s later."""
    floor.vendors.moods[START] = Mood(after_s=30)
    sid = floor.talk()
    until(lambda: floor.vendors.requests(START, sid), 3, "start is under way")
    floor.hold(sid)
    started_at = floor.vendors.requests(START, sid)[0].at
    until(lambda: floor.vendors.requests(STOP, sid), 3, "a stop follows")
    stopped_at = floor.vendors.requests(STOP, sid)[0].at
    assert stopped_at - started_at < 2.0 + 0.4, "as soon as the start's own time is over"
    floor.reaches(sid, "paused", 2)
    until(lambda: len(floor.vendors.requests(STOP, sid)) == 2, 8, "asserted once more")
    assert floor.vendors.requests(STOP, sid)[1].at - stopped_at >= 5
    assert len(floor.vendors.requests(START, sid)) == 1


def test_fault_42_a_hold_during_a_slow_start(floor: Floor) -> None:
    """42: the stop follows within 250 ms of the start's answer."""
    floor.vendors.moods[START] = Mood(after_s=1.2)
    sid = floor.talk()
    until(lambda: floor.vendors.requests(START, sid), 3, "start is under way")
    floor.hold(sid)
    until(lambda: floor.vendors.requests(STOP, sid), 3, "a stop follows")
    gap_s = floor.vendors.requests(STOP, sid)[0].at - floor.vendors.requests(START, sid)[0].at - 1.2
    assert 0 <= gap_s < 0.25
    floor.reaches(sid, "paused", 2)


def test_fault_42_a_hold_between_the_decision_and_the_start(make_floor: Callable[..., Floor]) -> None:
    """42: the intent is stored against the very state that was decided upon: with a newer one no start is sent."""
    floor = make_floor(has_worker=False)
    worker, sid = Worker(floor.services, threads=2), floor.talk()

    class Meanwhile(Executor):
        def wait_ms(self, action: a.VendorAction, call: Call) -> int:
            if isinstance(action, a.StartTranscription):
                floor.hold(sid)
            return super().wait_ms(action, call)

    worker.executor = Meanwhile(floor.services)
    now = floor.services.clock.now_ms()
    while now + 1_000 > floor.services.clock.now_ms():
        claim = floor.services.queue.claim("test", lease_ms=LEASE_MS)
        if claim is not None:
            worker._work_safely(claim)
    assert floor.state(sid) == "paused"
    assert not floor.vendors.requests(START, sid)


def test_fault_43_the_call_ends_within_a_start(floor: Floor) -> None:
    """43: the start goes through after the end: a stop follows it, the call is closed, and nothing is begun again."""
    floor.vendors.moods[START] = Mood(after_s=0.6)
    sid = floor.talk()
    until(lambda: floor.vendors.requests(START, sid), 3, "start is under way")
    floor.tell(sid, e.LegEnded(at=floor.services.clock.now_ms(), leg=sid))
    until(lambda: floor.vendors.requests(STOP, sid), 3, "a stop follows")
    assert floor.vendors.requests(STOP, sid)[0].at - floor.vendors.requests(START, sid)[0].at >= 0.6
    until(lambda: floor.call(sid).transcription.state == "off", 3, "off")
    until(lambda: floor.services.queue.depth() == 0, 5, "nothing is due")
    assert floor.state(sid) == "ended"
    assert len(floor.vendors.requests(START, sid)) == 1
    assert not floor.vendors.requests("/Streams", sid)


def test_fault_26_both_vendors_down(floor: Floor) -> None:
    """26: stop and cut are repeated every second or so; when one vendor returns, so does silence, within 1.5 s."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods |= {STOP: DOWN["13-503"], "/Streams/": DOWN["13-503"]}
    floor.hold(sid)
    until(lambda: len(cuts(floor, sid)) >= 4, 8, "the cut is repeated")
    until(lambda: "stop-unconfirmed" in [each.id for each in floor.call(sid).problems], 5, "people are told")
    shown = (
        create_app(services=floor.services)
        .test_client()
        .get(f"/api/v1/calls/{sid}", headers={"Authorization": "Bearer fake-key"})
    )
    assert shown.json is not None
    assert shown.json["problem"]["id"] == "stop-unconfirmed"
    stops = [each.at for each in floor.vendors.requests(STOP, sid)]
    assert max(later - earlier for earlier, later in itertools.pairwise(stops)) < 1.6
    del floor.vendors.moods["/Streams/"]
    until(lambda: floor.call(sid).exposure_since is None, 1.5, "Twilio is back: cut")
    assert floor.call(sid).unwanted_ms >= STOP_DEADLINE_MS


def test_fault_44_every_order_of_reasons(make_floor: Callable[..., Floor]) -> None:
    """44: hold, payment and a manual pause in each order: on only while none stands, and never after a survey."""
    floor = make_floor(has_worker=False)
    talking, now = floor.call(floor.talk()), floor.services.clock.now_ms()
    switches: dict[str, tuple[e.Event, e.Event]] = {
        "hold": (e.HoldReported(at=now), e.UnholdReported(at=now)),
        "payment": (e.PauseRequested(at=now, reason="payment"), e.PauseLifted(at=now, reason="payment")),
        "manual": (e.PauseRequested(at=now), e.PauseLifted(at=now)),
    }
    moves = [(name, is_off) for name in switches for is_off in (False, True)]
    for order in itertools.permutations(moves):
        call, standing = talking, set[str]()
        for name, is_off in order:
            call = transition(call, switches[name][is_off])
            standing = standing - {name} if is_off else standing | {name}
            assert desired(call).transcription == (not standing), order
            assert not desired(transition(call, e.SurveyReached(at=now))).transcription


def test_fault_44_survey_while_on_hold(floor: Floor) -> None:
    """44: the survey begins during a hold, and the hold ends during the survey: nothing is started."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.hold(sid)
    floor.reaches(sid, "paused")
    floor.tell(sid, e.SurveyReached(at=floor.services.clock.now_ms()))
    floor.unhold(sid)
    floor.reaches(sid, "survey")
    until(lambda: floor.vendors.requests(f"/Calls/{sid}/Streams/"), 3, "the stream is taken down")
    assert len(floor.vendors.requests(START, sid)) == 1


def test_fault_12_the_daily_limit_keeps_a_stop_for_every_start(make_floor: Callable[..., Floor]) -> None:
    """12: of six requests a day one is a URL's, and two transcriptions get start and stop; a third is refused, told."""
    floor = make_floor(ASAPP_DAILY_LIMIT="6", METRICS_TOKEN="fake-metrics")
    until(floor.services.stream_urls.at_hand, 5, "a URL is at hand")
    first, second, third = (floor.talk(number) for number in range(3))
    until(lambda: sum(floor.state(sid) == "transcribing" for sid in (first, second, third)) == 2, 5, "two are on")
    (late,) = [sid for sid in (first, second, third) if floor.state(sid) != "transcribing"]
    floor.reaches(late, "interrupted")
    today = floor.services.budgets.asapp_day.today()
    assert today.is_near
    assert today.used + today.reserved <= 6
    assert [each.id for each in floor.call(late).problems] == ["asapp-daily-limit"]
    client = create_app(services=floor.services).test_client()
    assert '"problem":"daily-limit-near"' in client.get("/readyz").text
    metrics = client.get("/metrics", headers={"Authorization": "Bearer fake-metrics"}).text
    assert "orchestrator_asapp_daily_limit 6" in metrics
    assert "orchestrator_asapp_kept_for_stops 2" in metrics
    for sid in {first, second, third} - {late}:
        floor.hold(sid)
        floor.reaches(sid, "paused")
    assert len(floor.vendors.requests(START, late)) == 0
    assert floor.services.budgets.asapp_day.today() == Used(5, 0, 6)
    assert len(floor.vendors.asked) - len(floor.vendors.requests("/2010-04-01/")) == 5, "what ASAPP was asked in all"


def test_fault_12_without_a_limit_nothing_is_counted(floor: Floor) -> None:
    """12: the default."""
    assert floor.services.budgets.asapp_day.reserve("x") is Reserved.NEW
    assert floor.services.budgets.asapp_day.today().limit is None
    assert not floor.services.redis.execute_command("KEYS", "*daily*")
