"""Twilio in trouble: no second stream, no storm, no stale URL, and the call itself is left alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import msgspec
import pytest

from orchestrator.asapp.client import FetchedUrl
from orchestrator.core import events as e
from orchestrator.core.call import Progress
from orchestrator.web import create_app
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import CREATE, STOP, URL, Asked, Mood, Vendors


def broken(floor: Floor, number: int = 0) -> str:
    """A talk whose stream has just failed."""
    sid = floor.talk(number)
    floor.reaches(sid, "transcribing")
    now = floor.services.clock.now_ms()
    floor.tell(sid, e.StreamFailed(at=now, name="asapp-1", sid=f"MZ{number:032x}", error="31921"))
    return sid


def creates(floor: Floor, sid: str) -> list[Asked]:
    return [each for each in floor.vendors.requests(CREATE, sid) if each.method == "POST"]


def test_fault_25_a_create_without_an_answer(floor: Floor) -> None:
    """25: it may live: it is stopped by its name before another name is tried."""
    floor.vendors.moods[CREATE] = Mood(after_s=30)
    sid = broken(floor)
    until(lambda: creates(floor, sid), 5, "a stream is created")
    del floor.vendors.moods[CREATE]
    until(lambda: len(creates(floor, sid)) == 2, 10, "another is created")
    stop = next(each for each in floor.vendors.asked if each.path.endswith("/Streams/asapp-2.json"))
    first, second = creates(floor, sid)
    assert (b"Name=asapp-2" in first.body, b"Name=asapp-3" in second.body) == (True, True)
    assert first.at < stop.at < second.at


@pytest.mark.parametrize("mood", [Mood(429, b'{"code": 20429}'), Mood(503, b"{}")], ids=["24-429", "25-503"])
def test_fault_creates_are_no_storm_and_come_back(floor: Floor, mood: Mood) -> None:
    """24, 25: many broken streams, Twilio refusing: a breaker opens; when it closes all of them are rebuilt."""
    floor.vendors.moods[CREATE] = mood
    sids = [broken(floor, number) for number in range(8)]
    until(floor.services.budgets.creates.is_open, 5, "the breaker is open")
    until(lambda: floor.services.budgets.creates.state()["waiting"], 5, "calls wait")
    floor.vendors.moods.clear()
    until(lambda: all(is_requested(floor, sid) for sid in sids), 8, "all are rebuilt")
    assert not floor.services.budgets.creates.is_open()


def is_made(floor: Floor, sid: str) -> bool:
    stream = floor.call(sid).current_stream
    return stream is not None and stream.name != "asapp-1" and stream.sid is not None


def is_requested(floor: Floor, sid: str) -> bool:
    stream = floor.call(sid).current_stream
    return stream is not None and stream.state == "requested" and stream.sid is not None


def test_fault_24_a_third_of_the_creates_is_refused(make_floor: Callable[..., Floor]) -> None:
    """24: within the account's places, a refused one again later, not all at once; who must not be heard is first."""
    floor = make_floor(TWILIO_MAX_CONCURRENCY="4", WORKER_THREADS="16")
    floor.vendors.moods[CREATE] = Mood(429, b'{"code": 20429}', after_s=0.1, every=3)
    silenced, *sids = (floor.talk(number) for number in range(31))
    for sid in (silenced, *sids):
        floor.reaches(sid, "transcribing", 10)
    for number, sid in enumerate(sids, start=1):
        now = floor.services.clock.now_ms()
        floor.tell(sid, e.StreamFailed(at=now, name="asapp-1", sid=f"MZ{number:032x}", error="31921"))
    until(lambda: len(floor.vendors.requests(CREATE)) > 3, 5, "creates take all places")
    began = time.monotonic()
    floor.tell(silenced, e.ConsentWithdrawn(at=floor.services.clock.now_ms()))
    own_stream = f"/Calls/{silenced}/Streams/"
    until(lambda: floor.vendors.requests(own_stream), 5, "its stream is taken down")
    assert floor.vendors.requests(own_stream)[0].at - began <= 1.0
    until(lambda: all(is_made(floor, sid) for sid in sids), 20, "all are rebuilt")
    assert floor.vendors.most_at_once(CREATE) <= 4
    gaps = [later.at - earlier.at for sid in sids for earlier, later in itertools.pairwise(creates(floor, sid))]
    assert gaps, "some were refused"
    assert min(gaps) >= 0.1
    assert max(gaps) - min(gaps) > 0.05


def test_fault_24_stops_go_while_creates_are_refused(floor: Floor) -> None:
    """24: an open breaker of creates keeps no hold waiting."""
    held = floor.talk(20)
    floor.reaches(held, "transcribing")
    floor.vendors.moods[CREATE] = Mood(429, b'{"code": 20429}')
    for number in range(6):
        broken(floor, number)
    until(floor.services.budgets.creates.is_open, 5, "the breaker is open")
    floor.hold(held)
    floor.reaches(held, "paused", 1)


def test_fault_23_the_call_has_ended_at_twilio(floor: Floor) -> None:
    """23: 21220 to a create: Twilio is asked, the call is closed, and that was all."""
    floor.vendors.leg_status = "completed"
    floor.vendors.moods[CREATE] = Mood(400, b'{"code": 21220, "message": "not in progress", "status": 400}')
    sid = broken(floor)
    floor.reaches(sid, "ended", 5)
    assert len(creates(floor, sid)) == 1
    assert floor.vendors.requests(STOP, sid), "off is made sure of"


def test_fault_18_a_url_that_opens_no_stream_is_not_used_again(floor: Floor) -> None:
    """18: the stream of the first answer never came to life: its URL is forgotten before the next stream is made."""
    services, sid = floor.services, floor.sid()
    until(lambda: services.redis.get("orchestrator:stream-url"), 5, "a URL is at hand, for all processes")
    now = services.clock.now_ms()
    old = FetchedUrl(url="wss://media.asapp.example/fake-old-path", requested_at_ms=now - 60_000)
    services.stream_urls._kept = old
    services.redis.set("orchestrator:stream-url", msgspec.json.encode(old))
    fetched = len(floor.vendors.requests(URL))
    profile = services.profiles.default
    services.store.begin(e.CallArrived(at=now, call_sid=sid, profile=profile, has_stream_url=True))
    floor.tell(sid, e.StreamFailed(at=now, name="asapp-1", sid="MZ" + "0" * 32, error="31920"))
    floor.tell(sid, e.AgentConnected(at=now, agent_id="amy"))
    until(lambda: creates(floor, sid), 5, "another stream is made")
    assert b"old" not in creates(floor, sid)[0].body
    assert len(floor.vendors.requests(URL)) == fetched + 1


def test_fault_19_calls_that_need_a_url_wait_for_one_probe(vendors: Vendors, make_floor: Callable[..., Floor]) -> None:
    """19: none at hand and ASAPP has none: it is asked every 2 s by one, `/readyz` says so, and all go on together."""
    vendors.moods[URL] = Mood(503, b"{}")
    floor = make_floor()
    urls, now = floor.services.budgets.urls, floor.services.clock.now_ms()
    sids = [floor.sid(number) for number in range(10)]
    for sid in sids:
        floor.services.store.begin(e.CallArrived(at=now, call_sid=sid, profile=floor.services.profiles.default))
        floor.tell(sid, e.AgentConnected(at=now, agent_id="amy"))
    until(lambda: urls.state()["waiting"] == len(sids), 15, "all wait for it")
    assert {floor.state(sid) for sid in sids} == {"interrupted"}
    page = create_app(services=floor.services).test_client().get("/readyz")
    assert '"fetches":{"open":true' in page.text
    before, began = len(vendors.requests(URL)), time.monotonic()
    until(lambda: len(vendors.requests(URL)) >= before + 4, 12, "probes go on")
    assert len(vendors.requests(URL)) - before <= 1 + (time.monotonic() - began) / 2, "no storm"
    assert not creates(floor, sids[0])
    vendors.moods.clear()
    until(lambda: all(is_requested(floor, sid) for sid in sids), 5, "every stream is made")
    assert not urls.is_open()


class Dialling:
    """As Twilio does with each stream that it has made: tells that it lives, or that it could not be opened."""

    def __init__(self, floor: Floor, sids: list[str]) -> None:
        self.is_taken = False
        self._floor = floor
        self._told = dict.fromkeys(sids, "asapp-1")

    def until(self, condition: Callable[[], object], within_s: float, why: str) -> None:
        def is_met() -> object:
            for sid, known in self._told.items():
                self._told[sid] = self._tell(sid, known)
            return condition()

        until(is_met, within_s, why)

    def _tell(self, sid: str, known: str) -> str:
        stream, now = self._floor.call(sid).current_stream, self._floor.services.clock.now_ms()
        if stream is None or stream.sid is None or stream.name == known:
            return known
        if self.is_taken:
            self._floor.tell(sid, e.StreamStarted(at=now, name=stream.name, sid=stream.sid))
        else:
            self._floor.tell(sid, e.StreamFailed(at=now, name=stream.name, sid=stream.sid, error="31920"))
        return stream.name


def test_fault_13_streams_that_reach_nobody_wait_for_one_that_does(floor: Floor) -> None:
    """13: Twilio makes streams and ASAPP takes none: one tries for all, no call gives up, and all go on together."""
    media = floor.services.budgets.media
    sids = [broken(floor, number) for number in range(12)]
    twilio = Dialling(floor, sids)
    twilio.until(lambda: int(str(media.state()["waiting"])) >= len(sids) - 1, 20, "all wait")
    before, began = len(floor.vendors.requests(CREATE)), time.monotonic()
    twilio.until(lambda: time.monotonic() > began + 5, 6, "a while")
    assert 1 <= len(floor.vendors.requests(CREATE)) - before <= 4, "a try every two seconds"
    assert not any(floor.call(sid).has_given_up_streams for sid in sids)
    page = create_app(services=floor.services).test_client().get("/readyz")
    assert '"media":{"open":true' in page.text
    twilio.is_taken = True
    twilio.until(lambda: {floor.state(sid) for sid in sids} == {"transcribing"}, 15, "all are transcribed again")
    assert not media.is_open()


def test_fault_8_reads_that_twilio_refuses_us_are_told(floor: Floor) -> None:
    """8: 401 to a look at the call shows on it, and is taken back by the next look that is answered."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.moods[f"/Calls/{sid}.json"] = Mood(401, b'{"code": 20003, "message": "Authenticate"}')
    floor.tell(sid, e.AuditRequested(at=floor.services.clock.now_ms(), why="a test"))
    until(lambda: problems(floor, sid) == ["twilio-unreadable"], 5, "it is told")
    assert "20003" in floor.call(sid).problems[0].detail
    floor.vendors.moods.clear()
    until(lambda: not problems(floor, sid), 5, "and taken back")


def problems(floor: Floor, sid: str) -> list[str]:
    return [each.id for each in floor.call(sid).problems]


def test_fault_53_a_late_replay_revives_nothing(floor: Floor) -> None:
    """53, 7: a callback of a call that is long over and forgotten: Twilio is asked once, nothing is sent to ASAPP."""
    floor.vendors.leg_status = "completed"
    sid, now = floor.sid(), floor.services.clock.now_ms()
    adopted = e.CallAdopted(at=now, call_sid=sid, profile=floor.services.profiles.default, via="stream-status")
    floor.services.store.begin(adopted)
    floor.tell(sid, e.StreamStarted(at=now, name="asapp-1", sid="MZ" + "0" * 32))
    floor.tell(sid, e.AgentConnected(at=now, agent_id="amy"))
    until(lambda: floor.call(sid).is_ended, 5, "it is known to be over")
    until(lambda: floor.call(sid).transcription.state == "off", 8, "and off")
    assert floor.call(sid).progress in {Progress.ENDED, Progress.DROPPED}
    assert not floor.vendors.requests("/start-streaming", sid)
    assert not creates(floor, sid)


def test_fault_53_after_its_end_nothing_raises_a_call(floor: Floor) -> None:
    """53: every kind of news that once began a transcription, told again after the end."""
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    now = floor.services.clock.now_ms()
    floor.tell(sid, e.LegEnded(at=now, leg=sid))
    until(lambda: floor.call(sid).transcription.state == "off", 5, "off")
    asked = len(floor.vendors.requests("/start-streaming"))
    profile = floor.services.profiles.default
    for event in (
        e.CallArrived(at=now, call_sid=sid, profile=profile, has_stream_url=True),
        e.StreamStarted(at=now, name="asapp-1", sid="MZ" + "0" * 32),
        e.AgentConnected(at=now, agent_id="bob"),
        e.UnholdReported(at=now),
        e.RetryRequested(at=now),
    ):
        floor.tell(sid, event)
        assert floor.state(sid) == "ended"
    until(lambda: floor.services.queue.depth() == 0, 5, "nothing is due")
    assert len(floor.vendors.requests("/start-streaming")) == asked
