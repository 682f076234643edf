"""Twilio's status callbacks: stored, attributed, adopted, parked; 503 when they cannot be stored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from orchestrator.core.call import Call, Progress, StreamState
from orchestrator.core.desired import desired, state_of
from orchestrator.store.forgetting import forget
from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site

AGENT = "CA" + "b" * 32
OTHER = "CA" + "c" * 32
ROOM = "CF" + "1" * 32
TASK = "WT" + "2" * 32
STREAM = "MZ" + "3" * 32


def call_of(site: Site, sid: str = CALL) -> Call:
    call = site.services.store.load(sid)
    assert call is not None
    return call


def news(event: str, leg: str, sequence: int, **fields: str) -> dict[str, str]:
    return {
        "StatusCallbackEvent": event,
        "ConferenceSid": ROOM,
        "CallSid": leg,
        "SequenceNumber": str(sequence),
        "FriendlyName": "lobby",
        "Hold": "false",
        "Coaching": "false",
        "Timestamp": "Fri, 20 Aug 2010 01:13:42 +0000",
        **fields,
    }


def stream(event: str, leg: str = CALL) -> dict[str, str]:
    return {
        "CallSid": leg,
        "StreamSid": STREAM,
        "StreamName": "asapp-1",
        "StreamEvent": event,
        "Timestamp": "2026-01-01T00:00:00Z",
    }


def talk(site: Site) -> None:
    """A customer and a labelled agent in one room of ours."""
    site.arrive()
    query = f"conference-status?call={CALL}"
    assert site.twilio(query, news("participant-join", CALL, 1, ParticipantLabel="customer")).status_code == 204
    assert site.twilio(query, news("participant-join", AGENT, 2, ParticipantLabel="agent-amy")).status_code == 204


def test_a_conversation_makes_transcription_wanted_and_a_hold_ends_it(site: Site) -> None:
    """Join, hold and unhold are believed in the order of their sequence numbers."""
    talk(site)
    assert desired(call_of(site)).agent_id == "amy"
    query = f"conference-status?call={CALL}"
    site.twilio(query, news("participant-unhold", CALL, 4))
    site.twilio(query, news("participant-hold", CALL, 3, Hold="true"))
    assert desired(call_of(site)).transcription
    site.twilio(query, news("participant-hold", CALL, 5, Hold="true"))
    assert not desired(call_of(site)).transcription


def test_any_leg_leads_to_its_call(site: Site) -> None:
    """The agent's leg was learnt from the conference; the agent's own events and the API find the call by it."""
    talk(site)
    answer = site.twilio("conference-status", news("participant-leave", AGENT, 3))
    assert answer.status_code == 204
    assert not desired(call_of(site)).transcription
    assert site.api("GET", f"/calls/{AGENT}").get_json()["call_sid"] == CALL


def test_events_of_a_room_configured_elsewhere_wait_for_its_call(site: Site) -> None:
    """An agent who joined first is counted once the customer is seen in the same room."""
    site.arrive()
    assert (
        site.twilio("conference-status", news("participant-join", AGENT, 1, ParticipantLabel="agent-amy")).status_code
        == 204
    )
    assert not desired(call_of(site)).transcription
    site.twilio("conference-status", news("participant-join", CALL, 2, ParticipantLabel="customer"))
    assert desired(call_of(site)).agent_id == "amy"


def test_an_event_of_nobody_makes_no_call(site: Site) -> None:
    """A room of strangers, a leg nobody knows."""
    site.twilio("conference-status", news("participant-join", OTHER, 1))
    site.twilio("call-status", {"CallSid": OTHER, "CallStatus": "completed"})
    site.twilio("taskrouter-events", {"EventType": "reservation.accepted", "WorkerName": "amy", "TaskSid": TASK})
    assert site.services.store.list().calls == []


def accepted() -> dict[str, str]:
    return {
        "EventType": "reservation.accepted",
        "TaskSid": TASK,
        "WorkerName": "amy",
        "TimestampMs": "1700000000000",
        "TaskAttributes": json.dumps({"call_sid": CALL, "worker_call_sid": AGENT}),
    }


def test_taskrouter_names_the_agent_and_may_make_a_call_known(site: Site) -> None:
    """`call_sid` of the task's attributes is the customer's leg; the answer's type is JSON."""
    answer = site.twilio("taskrouter-events", accepted())
    assert (answer.status_code, answer.content_type) == (204, "application/json")
    assert call_of(site).progress is Progress.UNKNOWN
    assert site.services.store.resolve("task", TASK) == CALL
    assert site.services.store.resolve("leg", AGENT) == CALL


@pytest.mark.parametrize("query", ["", f"?call={CALL}"])
def test_a_stream_status_is_applied_or_makes_its_call_known(site: Site, query: str) -> None:
    """Before and after the call is known; a stream event of a call of which Redis lost everything heals it."""
    site.twilio(f"stream-status{query}", stream("stream-started"))
    assert call_of(site).progress is Progress.UNKNOWN
    site.services.redis.execute_command("FLUSHALL")
    site.arrive()
    site.services.stream_urls.refresh()
    site.twilio(f"stream-status{query}", stream("stream-started"))
    assert any(each.sid == STREAM for each in call_of(site).streams)


def test_a_stream_of_the_first_answer_comes_to_life(site: Site) -> None:
    """`requested` by TwiML becomes `live` with its SID."""
    site.services.stream_urls.refresh()
    site.arrive()
    site.twilio(f"stream-status?call={CALL}", stream("stream-started"))
    current = call_of(site).current_stream
    assert current is not None
    assert (current.state, current.sid) == (StreamState.LIVE, STREAM)


def test_a_terminal_status_of_the_customer_s_leg_ends_the_call(site: Site) -> None:
    """The agent's child leg does not."""
    site.arrive(called="+15555550102")
    child = {"CallSid": AGENT, "ParentCallSid": CALL, "To": "+15555550177", "Direction": "outbound-dial"}
    site.twilio(f"call-status?call={CALL}", {**child, "CallStatus": "in-progress"})
    assert desired(call_of(site)).transcription
    site.twilio(f"call-status?call={CALL}", {**child, "CallStatus": "completed"})
    assert not call_of(site).is_ended
    site.twilio("call-status", {"CallSid": CALL, "CallStatus": "completed"})
    assert state_of(call_of(site)) == "ended"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("stream-status", stream("stream-started", "CA1")),
        ("stream-status", stream("stream-started") | {"StreamSid": "x"}),
        (f"stream-status?call={CALL}x", stream("stream-started")),
        ("stream-status?call=", stream("stream-started")),
        ("call-status", {"CallStatus": "completed"}),
        ("conference-status", news("participant-join", CALL, 1) | {"SequenceNumber": "one"}),
        ("conference-status", news("participant-hold", CALL, 1) | {"ConferenceSid": "}:"}),
        ("taskrouter-events", {"EventType": "task.created", "TaskSid": "x"}),
    ],
)
def test_a_signed_but_malformed_request_is_refused_and_changes_nothing(
    site: Site, path: str, form: dict[str, str]
) -> None:
    """400, whatever is malformed."""
    assert site.twilio(path, form).status_code == 400
    assert site.services.store.list().calls == []


def test_unknown_kinds_of_events_are_answered_and_forgotten(site: Site) -> None:
    """Twilio may add what it likes."""
    assert site.twilio("stream-status", stream("stream-dances")).status_code == 204
    assert site.twilio("conference-status", news("participant-speech-start", CALL, 1)).status_code == 204
    assert site.twilio("taskrouter-events", {"EventType": "worker.created"}).status_code == 204
    assert site.services.store.list().calls == []


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("completed", "survey.example"), ("busy", "+15555550188"), ("no-answer", "+15555550188")],
)
def test_what_follows_a_dial_is_survey_or_the_other_route(site: Site, outcome: str, expected: str) -> None:
    """An agent was there: survey. Nobody was: the profile's other route, then the apology."""
    site.arrive(called="+15555550102")
    form = {"CallSid": CALL, "DialCallStatus": outcome}
    answer = site.twilio(f"dial-ended?call={CALL}", form)
    assert expected in answer.text
    assert (state_of(call_of(site)) == "survey") == (outcome == "completed")
    if outcome != "completed":
        assert "<Say>" in site.twilio(f"dial-ended?call={CALL}&last=1", form).text


def test_the_survey_step_turns_transcription_off_and_goes_on(site: Site) -> None:
    """Wanted off is stored before the answer; the stream ends in the very same document."""
    talk(site)
    site.twilio("stream-status", stream("stream-started"))
    answer = site.twilio(f"survey?call={CALL}", {"CallSid": CALL})
    assert "https://survey.example/start" in answer.text
    assert '<Stop><Stream name="asapp-1"' in answer.text
    assert not desired(call_of(site)).transcription


def test_a_stream_that_does_not_run_is_not_stopped_by_twiml(site: Site) -> None:
    """Twilio does not say what a `<Stop>` of nothing does to a document, and the caller must not pay for it."""
    talk(site)
    site.twilio("stream-status", stream("stream-started"))
    site.twilio("stream-status", stream("stream-error"))
    answer = site.twilio(f"survey?call={CALL}", {"CallSid": CALL})
    assert "https://survey.example/start" in answer.text
    assert "<Stop>" not in answer.text


@pytest.fixture
def orphan(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Site:
    return open_site(make_settings(own_redis.url), vendor)


def stops(vendor: Vendor) -> list[str]:
    return [body["guid"] for path, body in vendor.requests if path.endswith("/stop-streaming")]


def test_with_redis_away_a_hold_reaches_asapp_once_before_the_503(
    orphan: Site, own_redis: RedisServer, eventually: Callable[[Callable[[], object]], None]
) -> None:
    """A hold, the desktop's pause and the survey step; an unhold sends nothing."""
    own_redis.end()
    query = f"conference-status?call={CALL}"
    assert orphan.twilio(query, news("participant-unhold", CALL, 1)).status_code == 503
    assert stops(orphan.vendor) == []
    assert orphan.twilio(query, news("participant-hold", CALL, 2, Hold="true")).status_code == 503
    eventually(lambda: stops(orphan.vendor) == [CALL])
    assert orphan.report(OTHER, type="pause", reason="payment").status_code == 503
    eventually(lambda: stops(orphan.vendor) == [CALL, OTHER])
    assert "survey.example" in orphan.twilio(f"survey?call={CALL}", {"CallSid": CALL}).text
    eventually(lambda: stops(orphan.vendor) == [CALL, OTHER, CALL])


def test_with_redis_hanging_a_callback_is_told_to_come_back_in_time(orphan: Site, own_redis: RedisServer) -> None:
    """503 within two and a half seconds, and the hold has reached ASAPP."""
    own_redis.freeze()
    started = time.monotonic()
    answer = orphan.twilio(f"conference-status?call={CALL}", news("participant-hold", CALL, 2, Hold="true"))
    assert time.monotonic() - started < 2.5
    assert answer.status_code == 503
    assert stops(orphan.vendor) == [CALL]


@pytest.mark.parametrize("is_erased", [False, True], ids=["expired", "erased"])
def test_whatever_is_replayed_of_a_call_that_is_over_begins_none(site: Site, is_erased: bool) -> None:
    """Its time in Redis is over, or it was forgotten: whatever makes calls known is taken, and begins none."""
    talk(site)
    site.twilio(f"call-status?call={CALL}", {"CallSid": CALL, "CallStatus": "completed"})
    assert call_of(site).is_ended
    if is_erased:
        forget(site.services.redis, site.services.store.keys, CALL)
    else:
        site.services.redis.delete(site.services.store.keys.of(CALL).document)
    assert site.arrive().status_code == 200
    assert site.twilio("stream-status", stream("stream-started")).status_code == 204
    held = news("participant-hold", CALL, 9, Hold="true")
    assert site.twilio(f"conference-status?call={CALL}", held).status_code == 204
    assert site.twilio(f"call-status?call={CALL}", {"CallSid": CALL, "CallStatus": "in-progress"}).status_code == 204
    assert site.twilio(f"dial-ended?call={CALL}", {"CallSid": CALL, "DialCallStatus": "completed"}).status_code == 200
    answer = site.report(CALL, type="agent-connected", agent_id="amy")
    assert (answer.status_code, answer.json and answer.json["type"]) == (404, "no-such-call")
    assert site.services.store.load(CALL) is None
    assert list(site.services.store.live_sids()) == []


def test_a_task_of_a_call_that_is_over_begins_none(site: Site) -> None:
    """As above, for TaskRouter's news."""
    site.arrive()
    site.twilio(f"call-status?call={CALL}", {"CallSid": CALL, "CallStatus": "completed"})
    site.services.redis.delete(site.services.store.keys.of(CALL).document)
    answer = site.twilio("taskrouter-events", accepted())
    assert answer.status_code == 204
    assert site.services.store.load(CALL) is None
