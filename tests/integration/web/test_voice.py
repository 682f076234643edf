"""`/twilio/voice`: TwiML for every caller, one round trip for a new call, no vendor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from msgspec import structs
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK is not marked as typed

from orchestrator.clock import Clock
from orchestrator.core.events import AgentConnected, StreamFailed
from orchestrator.core.profile import Profile
from orchestrator.profiles import Profiles
from orchestrator.threads import Threads
from orchestrator.web import create_app
from orchestrator.web.context import KEY
from tests.integration.conftest import RedisServer
from tests.integration.web.site import BASE, CALL, TOKEN, MakeSettings, Site, Vendor, open_site
from tests.link import Link
from tests.scarce import no_threads

FORGED = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="


def tags(text: str) -> list[str]:
    return [element.tag for element in ET.fromstring(text).iter()]  # noqa: S314  our own answer


def commands(site: Site) -> dict[str, int]:
    """What Redis has been sent by others than this question."""
    info = site.services.redis.execute_command("INFO", "commandstats")
    counts = {name.removeprefix("cmdstat_"): int(stat["calls"]) for name, stat in info.items()}
    return {name: count for name, count in counts.items() if name != "info" and "config" not in name}


@pytest.fixture
def with_url(site: Site) -> Site:
    """A site whose processes have a stream URL at hand and have talked to Redis before."""
    site.services.stream_urls.refresh()
    site.arrive("CA" + "f" * 32)
    site.vendor.requests.clear()
    return site


def test_a_new_call_is_stored_and_answered_with_stream_and_route(with_url: Site) -> None:
    """A media stream of both tracks, then a conference named by the call; no vendor is asked."""
    answer = with_url.arrive()
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/xml")
    document = ET.fromstring(answer.text)  # noqa: S314  our own answer
    stream, conference = document.find("Start/Stream"), document.find("Dial/Conference")
    assert stream is not None
    assert conference is not None
    assert (stream.get("name"), stream.get("track")) == ("asapp-1", "both_tracks")
    assert f"stream-status?call={CALL}#" in str(stream.get("statusCallback"))
    assert conference.text == CALL
    assert with_url.services.store.load(CALL) is not None
    assert with_url.vendor.requests == []


def test_a_new_call_costs_one_round_trip(with_url: Site) -> None:
    """One script does it all; nothing else is sent."""
    before = commands(with_url)
    with_url.arrive()
    after = commands(with_url)
    assert after["evalsha"] - before["evalsha"] == 1
    sent_by_us = {"get", "set", "hgetall", "ping", "time", "eval"}
    assert not [name for name in sent_by_us & after.keys() if name != "time" and after[name] != before.get(name, 0)]


def test_without_a_url_the_caller_gets_the_route_within_a_second(site: Site) -> None:
    """The wait for a fetch under way is bounded; the stream is added later."""
    started = time.monotonic()
    answer = site.arrive()
    assert time.monotonic() - started < 1.5
    assert tags(answer.text) == ["Response", "Dial", "Conference"]
    assert site.vendor.requests == []


def test_the_same_call_again_gets_the_same_document_while_it_is_young(with_url: Site) -> None:
    """Twilio repeats a fetch whose answer it has not seen."""
    assert with_url.arrive().text == with_url.arrive().text


def test_the_same_call_again_gets_no_second_stream_after_a_stream_event(with_url: Site) -> None:
    """Whatever became of the first stream, the next one is the reconciler's."""
    with_url.arrive()
    at = with_url.services.clock.now_ms()
    with_url.services.store.apply(CALL, StreamFailed(at=at, name="asapp-1", sid="MZ" + "0" * 32))
    assert "Start" not in tags(with_url.arrive().text)


@pytest.mark.parametrize("field", ["From", "CallerName", "SipHeader_X-Name"])
def test_what_a_caller_names_itself_cannot_become_markup(with_url: Site, field: str) -> None:
    """The same elements as for any caller."""
    plain = tags(with_url.arrive().text)
    hostile = with_url.arrive("CA" + "b" * 32, **{field: '"/><Redirect>https://evil.example</Redirect>'})
    assert tags(hostile.text) == plain


@pytest.mark.parametrize("sid", ["", "CA1", "CA" + "g" * 32, "CA" + "A" * 32, "}:x", "CA" + "a" * 10_000])
def test_a_caller_without_a_call_sid_gets_a_room_of_their_own(site: Site, sid: str) -> None:
    """The route, never in a room that somebody else may be in; nothing is stored."""
    rooms = [ET.fromstring(site.arrive(sid).text).findtext("Dial/Conference") for _ in range(2)]  # noqa: S314  ours
    assert all(rooms)
    assert rooms[0] != rooms[1]
    assert site.services.store.list().calls == []


SIGNED_ODDITIES = {
    "a caller's name in Latin-1": b"&CallerName=Ren%E9",
    "a caller's name in raw bytes": b"&CallerName=Ren\xe9",
    "a parent that is no SID": b"&ParentCallSid=someone",
    "a child that is no SID": b"&DialCallSid=someone&DialCallStatus=no-answer",
    "more headers than usual": b"".join(b"&SipHeader_X-%d=%d" % (number, number) for number in range(500)),
}


@pytest.mark.parametrize(
    "path", ["voice", "voice-fallback", "dial-ended", "survey", "dial-ended?call=x", "survey?call="]
)
@pytest.mark.parametrize("oddity", SIGNED_ODDITIES)
def test_whatever_is_signed_is_answered_with_a_document(site: Site, path: str, oddity: str) -> None:
    """Odd fields and a `?call=` that is none of ours do not drop the caller, and the call is known all the same."""
    form = b"CallSid=%s&From=%%2B15555550101&To=%%2B15555550100&Direction=inbound" % CALL.encode()
    answer = site.twilio_raw(path, form + SIGNED_ODDITIES[oddity])
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/xml")
    assert tags(answer.text)[0] == "Response"
    assert (site.services.store.load(CALL) is None) == (path == "voice-fallback")


def test_a_caller_name_that_is_no_utf_8_costs_the_call_nothing(with_url: Site) -> None:
    """Media stream and route as for anybody else."""
    plain = tags(with_url.arrive("CA" + "b" * 32).text)
    form = b"CallSid=%s&From=%%2B15555550101&To=%%2B15555550100&CallerName=Ren%%E9" % CALL.encode()
    assert tags(with_url.twilio_raw("voice", form).text) == plain


def test_the_call_of_the_url_stands_in_for_a_call_sid_that_is_none(site: Site) -> None:
    """What follows the dial is answered for the call that our URL names."""
    site.arrive(called="+15555550102")
    answer = site.twilio(f"dial-ended?call={CALL}", {"CallSid": "CA1", "DialCallStatus": "no-answer"})
    number = ET.fromstring(answer.text).findtext("Dial/Number")  # noqa: S314  our own answer
    assert number == "+15555550188"


@pytest.mark.parametrize("path", ["voice", "voice-fallback", "dial-ended", "survey"])
def test_a_bug_outside_the_store_does_not_drop_the_caller_either(site: Site, path: str) -> None:
    """Profiles that cannot be matched leave the default one's route."""

    class Broken(Profiles):
        def match(self, called: str) -> Profile:
            raise ZeroDivisionError(called)

    site.services.__dict__["profiles"] = Broken(site.services.profiles.default)
    form = {"CallSid": CALL, "To": "+15555550100", "From": "client:agent-amy"}
    assert tags(site.twilio(path, form).text) == ["Response", "Dial", "Conference"]


def test_a_forged_request_touches_no_redis(with_url: Site) -> None:
    """403 for a wrong or missing signature, on every path of Twilio's, before anything is looked up."""
    before = commands(with_url)
    for path in (
        "voice",
        "voice-fallback",
        "call-status",
        "stream-status",
        "conference-status",
        "dial-ended",
        "survey",
    ):
        for signature in (FORGED, ""):
            assert with_url.twilio(path, {"CallSid": CALL}, signature=signature).status_code == 403
    assert with_url.twilio("taskrouter-events", {"EventType": "task.created"}, signature=FORGED).status_code == 403
    assert commands(with_url) == before


def test_host_and_forwarded_headers_mean_nothing(site: Site) -> None:
    """Signatures are for PUBLIC_BASE_URL: the same request under other names is as good, signed for those it is not."""
    form = {"CallSid": CALL, "To": "+15555550100"}
    named = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    for origin, status in ((BASE, 200), ("https://evil.example", 403), ("http://evil.example", 403)):
        signature = RequestValidator(TOKEN).compute_signature(f"{origin}/twilio/voice", form)
        answer = site.client.post("/twilio/voice", data=form, headers={**named, "X-Twilio-Signature": signature})
        assert answer.status_code == status, origin


def test_of_a_repeated_field_the_first_value_is_read(site: Site) -> None:
    """All of them are signed; which one counts does not depend on the reader."""
    other = "CA" + "b" * 32
    form = [("CallSid", CALL), ("CallSid", other), ("From", "+15555550101"), ("To", "+15555550100")]
    assert site.twilio("voice", [*form, ("CallStatus", "ringing"), ("Direction", "inbound")]).status_code == 200
    assert [call.call_sid for call in site.services.store.list().calls] == [CALL]


def test_an_oversized_or_overfull_form_is_refused_before_it_is_read(site: Site) -> None:
    """403 above 64 KiB and above 2000 fields, though it is signed: what cannot be checked counts as not signed."""
    few, large, many = {"a0": "b"}, {"a": "b" * 70_000}, {f"a{number}": "b" for number in range(2001)}
    for form, status in ((few, 200), (large, 403), (many, 403)):
        assert site.twilio("voice", form).status_code == status


@pytest.mark.parametrize("body", [b"CallSid=%ff", b"\xff\xfe", b"&&&", b"=", b"%", b"CallSid"])
def test_a_form_that_is_none_never_does_worse_than_being_refused(site: Site, body: bytes) -> None:
    """403: a wrong signature comes before everything else that is wrong."""
    headers = {"X-Twilio-Signature": FORGED, "Content-Type": "application/x-www-form-urlencoded"}
    assert site.client.post("/twilio/voice", data=body, headers=headers).status_code == 403


def test_the_fallback_answers_the_route_without_the_store(with_url: Site) -> None:
    """No command is sent to Redis."""
    before = commands(with_url)
    answer = with_url.twilio("voice-fallback", {"CallSid": CALL, "To": "+15555550102", "ErrorCode": "11200"})
    assert tags(answer.text) == ["Response", "Dial", "Number"]
    assert commands(with_url) == before


@pytest.mark.parametrize(
    ("number", "failed", "expected"),
    [
        ("+15555550100", f"{BASE}/twilio/voice", ["Response", "Dial", "Conference"]),
        ("+15555550100", f"{BASE}/twilio/dial-ended?call={CALL}", ["Response", "Redirect"]),
        ("+15555550100", f"{BASE}/twilio/survey?call={CALL}", ["Response", "Stop", "Stream", "Redirect"]),
        ("+15555550100", "https://survey.example/start", ["Response", "Say", "Hangup"]),
        ("+15555550102", f"{BASE}/twilio/dial-ended?call={CALL}", ["Response", "Redirect"]),
    ],
)
def test_the_fallback_does_not_send_a_caller_back_whose_talk_is_over(
    with_url: Site, number: str, failed: str, expected: list[str]
) -> None:
    """What failed says where the caller is; no command is sent to Redis for it."""
    before = commands(with_url)
    form = {"CallSid": CALL, "To": number, "From": "+15555550101", "Direction": "inbound", "ErrorUrl": failed}
    assert tags(with_url.twilio("voice-fallback", form).text) == expected
    assert commands(with_url) == before


@pytest.mark.parametrize("path", ["voice", "voice-fallback", f"dial-ended?call={CALL}"])
def test_a_caller_without_a_number_reaches_a_phone_all_the_same(with_url: Site, path: str) -> None:
    """Shown is the number that was called; with a number of their own, that, though the document was prepared."""

    def shown(caller: str, sid: str) -> str | None:
        form = {"CallSid": sid, "To": "+15555550102", "From": caller, "DialCallStatus": "no-answer"}
        dial = ET.fromstring(with_url.twilio(path, form).text).find("Dial")  # noqa: S314  our own answer
        assert dial is not None
        return dial.get("callerId")

    callers = ("+15555550101", "client:visitor", "anonymous", "+15555550101", "client:visitor")
    sids = ("CA" + letter * 32 for letter in "bcde1")
    assert [shown(*each) for each in zip(callers, sids, strict=True)] == [
        None,
        *["+15555550102"] * 2,
        None,
        "+15555550102",
    ]


@pytest.fixture
def orphan(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Site:
    """A site on a Redis of its own, with a URL in memory."""
    site = open_site(make_settings(own_redis.url), vendor)
    site.services.stream_urls.refresh()
    vendor.requests.clear()
    return site


def test_with_redis_refused_a_caller_is_answered_at_once(orphan: Site, own_redis: RedisServer) -> None:
    """Route and stream, within half a second; the number's other callbacks are told to come back."""
    own_redis.end()
    started = time.monotonic()
    answer = orphan.arrive()
    assert time.monotonic() - started < 0.5
    assert tags(answer.text) == ["Response", "Start", "Stream", "Dial", "Conference"]
    assert orphan.twilio("call-status", {"CallSid": CALL, "CallStatus": "completed"}).status_code == 503


def test_with_redis_refused_and_no_url_a_caller_is_answered_at_once(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """Nobody waits for a URL that cannot come."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    started = time.monotonic()
    assert site.arrive().status_code == 200
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("is_clock_asked", [False, True])
def test_with_redis_hanging_a_caller_is_answered_within_its_patience(
    orphan: Site, own_redis: RedisServer, is_clock_asked: bool
) -> None:
    """At most two and a half seconds, even when the clock has to be asked first; with the stream all the same."""
    own_redis.freeze()
    if is_clock_asked:
        orphan.services.clock._tried_at = float("-inf")
    started = time.monotonic()
    answer = orphan.arrive()
    assert time.monotonic() - started < 2.5
    assert tags(answer.text) == ["Response", "Start", "Stream", "Dial", "Conference"]


@pytest.mark.parametrize(("transcribe", "stopped"), [(True, ["asapp-1"]), (False, [])])
def test_with_redis_away_only_a_stream_that_may_live_is_stopped(
    orphan: Site, own_redis: RedisServer, *, transcribe: bool, stopped: list[str]
) -> None:
    """Twilio does not say whether a document fails at a `<Stop>` of a stream that never was."""
    profiles = orphan.services.profiles
    profiles.default, profiles.others = structs.replace(profiles.default, transcribe=transcribe), ()
    own_redis.end()
    form = {"CallSid": CALL, "To": "+15555550100", "From": "+15555550101", "DialCallStatus": "answered"}
    document = ET.fromstring(orphan.twilio(f"dial-ended?call={CALL}", form).text)  # noqa: S314  our own answer
    assert [stream.get("name") for stream in document.iter("Stream")] == stopped
    assert document.findtext("Redirect") == "https://survey.example/start"


@pytest.fixture
def slow(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Iterator[tuple[Site, Link]]:
    """A site with a talk going on, whose link to Redis can be slowed down."""
    with Link(own_redis.port) as link:
        site = open_site(make_settings(link.url), vendor)
        site.arrive()
        at = site.services.clock.now_ms()
        site.services.store.apply(CALL, AgentConnected(at=at, agent_id="amy"))
        vendor.requests.clear()
        yield site, link
        link.delay_s = 0.0
        site.services.close()


@pytest.mark.parametrize("each_way_s", [0.2, 0.3, 0.42, 0.485])
@pytest.mark.parametrize("sid", [CALL, "CA" + "e" * 32])
@pytest.mark.parametrize("path", ["dial-ended", "survey"])
def test_with_redis_slow_the_end_of_a_talk_is_answered_in_time(
    slow: tuple[Site, Link], path: str, sid: str, each_way_s: float
) -> None:
    """Two and a half seconds, however the answers of a slow Redis add up; then the survey."""
    site, link = slow
    link.delay_s = each_way_s
    site.services.clock._tried_at = float("-inf")  # the clock has to be asked, too
    started = time.monotonic()
    form = {"CallSid": sid, "To": "+15555550100", "From": "+15555550101", "DialCallStatus": "answered"}
    answer = site.twilio(f"{path}?call={sid}", form)
    assert time.monotonic() - started < 2.5
    assert tags(answer.text)[-1] == "Redirect"


@pytest.mark.parametrize("each_way_s", [0.2, 0.3, 0.42, 0.485])
def test_with_redis_slow_a_new_caller_is_answered_in_time(slow: tuple[Site, Link], each_way_s: float) -> None:
    """No time is spent on waiting for a URL that a slow Redis would have to bring."""
    site, link = slow
    link.delay_s = each_way_s
    site.services.clock._tried_at = float("-inf")
    started = time.monotonic()
    answer = site.arrive("CA" + "e" * 32)
    assert time.monotonic() - started < 2.5
    assert tags(answer.text)[-1] == "Conference"


def test_with_redis_too_slow_what_is_known_of_the_call_is_not_forgotten(slow: tuple[Site, Link]) -> None:
    """An agent was there, so a dial that failed later leads to the survey; nobody is heard on the way there."""
    site, link = slow
    link.delay_s = 0.35
    site.services.clock._tried_at = float("-inf")  # clock and call read: too late for more
    answer = site.twilio(f"dial-ended?call={CALL}", {"CallSid": CALL, "To": "+15555550100", "DialCallStatus": "busy"})
    assert tags(answer.text)[-1] == "Redirect"
    assert [path for path, _ in site.vendor.requests if "stop" in path]


def test_a_bug_of_ours_does_not_drop_the_caller(site: Site) -> None:
    """Whatever breaks inside, the route is answered."""

    class Broken(Clock):
        def now_ms(self) -> int:
            raise ZeroDivisionError

    site.services.__dict__["clock"] = Broken()
    assert tags(site.arrive().text) == ["Response", "Dial", "Conference"]


@pytest.mark.parametrize("path", ["voice", f"dial-ended?call={CALL}", "call-status"])
def test_without_a_thread_to_be_had_twilio_is_answered(site: Site, path: str) -> None:
    """What wants a thread beside the request, the look for a URL and the tally, is done at the next one."""
    app = create_app(site.services.settings)
    counted = replace(site, app=app, services=app.extensions[KEY], client=app.test_client())
    form = {"CallSid": CALL, "To": "+15555550100", "From": "+15555550101", "CallStatus": "completed"}
    with no_threads():
        assert counted.twilio(path, form).status_code < 300
    counted.services.close()


def test_with_redis_refused_and_no_thread_the_stop_is_sent_all_the_same(
    orphan: Site, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the survey nobody may be heard any more; the request itself sends the stop."""
    monkeypatch.setattr("orchestrator.web.emergency._lines", Threads(1, "none-yet"))
    own_redis.end()
    with no_threads():
        answer = orphan.twilio("survey", {"CallSid": CALL, "To": "+15555550100", "From": "+15555550101"})
    assert tags(answer.text) == ["Response", "Stop", "Stream", "Redirect"]
    assert [path for path, _ in orphan.vendor.requests if "stop" in path]
