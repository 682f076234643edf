"""Twilio's callbacks become our events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from orchestrator.core import events as e
from orchestrator.twilio import wire

AT = 1_282_266_825_000
CALL = "CA" + "1" * 32
AGENT = "CA" + "2" * 32
ROOM = "CF" + "3" * 32
STREAM = "MZ" + "4" * 32
TASK = "WT" + "5" * 32
RFC_2822 = "Fri, 20 Aug 2010 01:13:42 +0000"
OCCURRED = 1_282_266_822_000


def test_voice_request() -> None:
    """Twilio: TwiML request parameters; SIP headers and everything sent are at hand, and nothing shows in a repr."""
    form = {
        "CallSid": CALL,
        "From": "+15555550101",
        "To": "sip:line@desk.example",
        "Direction": "inbound",
        "CallStatus": "ringing",
        "SipDomain": "desk.example",
        "SipHeader_X-Customer": "c-7",
        "Account": "a-7",
    }
    got = wire.voice_request(form)
    assert (got.call_sid, got.caller, got.called) == (CALL, "+15555550101", "sip:line@desk.example")
    assert (got.direction, got.status, got.sip_domain, got.parent) == ("inbound", "ringing", "desk.example", None)
    assert got.sip_headers == {"X-Customer": "c-7"}
    assert got.parameters["Account"] == "a-7"
    assert "5555550101" not in repr(got)
    assert wire.voice_request({"CallSid": AGENT, "ParentCallSid": CALL}).parent == CALL


@pytest.mark.parametrize(
    "sid",
    [
        "",
        "CA1",
        "CA" + "1" * 33,
        "CA" + "G" * 32,
        "ca" + "1" * 32,
        CALL + "\n",
        CALL.replace("1", "\u0661"),
        "MZ" + "1" * 32,
    ],
)
def test_a_call_sid_that_is_none(sid: str) -> None:
    """Only Twilio's form of a SID becomes part of a key or a URL."""
    for parse in (wire.voice_request, wire.dial_ended):
        with pytest.raises(wire.MalformedRequest) as caught:
            parse({"CallSid": sid})
        assert caught.value.error_id == "malformed-request"
        assert sid == "" or sid not in str(caught.value)


STREAM_FORM = {"CallSid": CALL, "StreamSid": STREAM, "StreamName": "asapp-1", "Timestamp": "2010-08-20T01:13:42.000Z"}


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("stream-started", e.StreamStarted(at=AT, occurred_at=OCCURRED, name="asapp-1", sid=STREAM)),
        ("stream-stopped", e.StreamStopped(at=AT, occurred_at=OCCURRED, name="asapp-1", sid=STREAM)),
        ("stream-error", e.StreamFailed(at=AT, occurred_at=OCCURRED, name="asapp-1", sid=STREAM, error="31921")),
    ],
)
def test_stream_events(kind: str, event: e.Event) -> None:
    """Twilio: `<Stream>` statusCallback."""
    got = wire.stream_event(STREAM_FORM | {"StreamEvent": kind, "StreamError": "31921"}, AT)
    assert got == wire.Incoming(event=event, leg=CALL)


def test_a_stream_without_a_name_is_named_by_its_sid() -> None:
    """Twilio: StreamName is the name, else the StreamSid."""
    got = wire.stream_event({"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-started"}, AT)
    assert got is not None
    assert got.event == e.StreamStarted(at=AT, name=STREAM, sid=STREAM)


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
def test_a_leg_ended(status: str) -> None:
    """Twilio: call status callbacks, terminal statuses."""
    form = {"CallSid": AGENT, "ParentCallSid": CALL, "CallStatus": status, "Timestamp": RFC_2822}
    event = e.LegEnded(at=AT, occurred_at=OCCURRED, leg=AGENT, reason=status)
    assert wire.call_status_event(form, AT) == wire.Incoming(event=event, leg=AGENT, parent=CALL)


@pytest.mark.parametrize(
    ("form", "identity"),
    [
        ({"Direction": "outbound-dial", "To": "client:amy", "From": "+15555550101"}, "client:amy"),
        ({"Direction": "outbound-dial", "To": "sip:amy@desk.example"}, "sip:amy@desk.example"),
        ({"Direction": "outbound-dial", "To": "+15555550101"}, None),
        ({"Direction": "inbound", "From": "client:amy", "To": "+15555550101"}, "client:amy"),
        ({"Direction": "inbound", "From": "+15555550101", "To": "client:amy"}, None),
        ({}, None),
    ],
)
def test_a_leg_was_answered(form: dict[str, str], identity: str | None) -> None:
    """`answered` arrives as in-progress; a device's name is an identity, a phone number is not."""
    got = wire.call_status_event({"CallSid": AGENT, "CallStatus": "in-progress"} | form, AT, is_dialled=True)
    assert got is not None
    assert got.event == e.LegAnswered(at=AT, leg=AGENT, identity=identity, is_dialled=True)


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "", "new-status"])
def test_other_call_statuses_are_no_event(status: str) -> None:
    """Ringing is not news."""
    assert wire.call_status_event({"CallSid": CALL, "CallStatus": status}, AT) is None


ROOM_FORM = {
    "ConferenceSid": ROOM,
    "FriendlyName": "support",
    "CallSid": AGENT,
    "SequenceNumber": "7",
    "Timestamp": RFC_2822,
    "Hold": "true",
    "Coaching": "false",
    "ParticipantLabel": "agent-amy",
}


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("participant-join", e.ParticipantJoined),
        ("participant-hold", e.ParticipantHeld),
        ("participant-unhold", e.ParticipantUnheld),
        ("participant-mute", e.ParticipantModified),
        ("participant-unmute", e.ParticipantModified),
        ("participant-modify", e.ParticipantModified),
    ],
)
def test_participants(kind: str, event: Any) -> None:
    """Twilio: `<Conference>` statusCallback: every participant event tells hold and coaching."""
    expected = event(
        at=AT,
        occurred_at=OCCURRED,
        conference=ROOM,
        leg=AGENT,
        sequence=7,
        label="agent-amy",
        is_held=True,
        is_coaching=False,
        is_own_room=False,
    )
    got = wire.conference_event(ROOM_FORM | {"StatusCallbackEvent": kind}, AT)
    assert got == wire.Incoming(event=expected, leg=AGENT, conference=ROOM)


def test_a_participant_left() -> None:
    """The reason is kept; what a field does not say stays unknown."""
    form = {name: value for name, value in ROOM_FORM.items() if name not in {"Hold", "ParticipantLabel", "Timestamp"}}
    form |= {"StatusCallbackEvent": "participant-leave", "ReasonParticipantLeft": "participant_hung_up"}
    got = wire.conference_event(form | {"Coaching": "maybe"}, AT)
    assert got is not None
    expected = e.ParticipantLeft(at=AT, conference=ROOM, leg=AGENT, sequence=7, is_own_room=False)
    assert got.event == structs.replace(expected, reason="participant_hung_up")


def test_the_customers_leg_is_known_by_label_or_by_our_room() -> None:
    """In a room that we made the name is the call; elsewhere the label tells."""
    form = ROOM_FORM | {"StatusCallbackEvent": "participant-join"}
    ours = wire.conference_event(form | {"FriendlyName": CALL}, AT)
    labelled = wire.conference_event(form | {"ParticipantLabel": "customer"}, AT)
    ended = wire.conference_event(form | {"FriendlyName": CALL, "StatusCallbackEvent": "conference-end"}, AT)
    assert ours is not None
    assert labelled is not None
    assert ended is not None
    assert (ours.customer, labelled.customer, ended.customer) == (CALL, AGENT, CALL)


@pytest.mark.parametrize(
    ("kind", "event"), [("conference-start", e.ConferenceStarted), ("conference-end", e.ConferenceEnded)]
)
def test_conferences_start_and_end(kind: str, event: Any) -> None:
    """The conference's own events need no participant."""
    form = {name: value for name, value in ROOM_FORM.items() if name not in {"CallSid", "Hold"}}
    got = wire.conference_event(form | {"StatusCallbackEvent": kind}, AT)
    expected = event(at=AT, occurred_at=OCCURRED, conference=ROOM, sequence=7, is_own_room=False)
    assert got == wire.Incoming(event=expected, conference=ROOM)


@pytest.mark.parametrize("kind", ["participant-speech-start", "announcement-end", "", "participant-new"])
def test_other_conference_events_are_no_event(kind: str) -> None:
    """Frequent or unknown events are not news."""
    assert wire.conference_event(ROOM_FORM | {"StatusCallbackEvent": kind}, AT) is None


@pytest.mark.parametrize("sequence", ["", "-1", "x", "1.0", "9" * 16, "\u0661", "1\n"])
def test_a_sequence_number_that_is_none(sequence: str) -> None:
    """Order hangs on it."""
    form = ROOM_FORM | {"StatusCallbackEvent": "participant-hold", "SequenceNumber": sequence}
    with pytest.raises(wire.MalformedRequest):
        wire.conference_event(form, AT)


def task_form(kind: str, attributes: Any = None, **more: str) -> dict[str, str]:
    text = attributes if isinstance(attributes, str) else json.dumps(attributes or {})
    return {"EventType": kind, "TaskSid": TASK, "WorkerName": "amy", "TaskAttributes": text} | more


def test_a_reservation_was_accepted() -> None:
    """Twilio: TaskRouter Events; the call is in the task's attributes, the time in epoch milliseconds."""
    form = task_form("reservation.accepted", {"call_sid": CALL, "worker_call_sid": AGENT}, TimestampMs=str(OCCURRED))
    event = e.ReservationAccepted(
        at=AT, occurred_at=OCCURRED, order=OCCURRED, worker="amy", task=TASK, reservation="WR" + "7" * 32, leg=AGENT
    )
    form["ReservationSid"] = event.reservation
    got = wire.taskrouter_event(form, AT)
    assert got == wire.Incoming(event=event, task=TASK, customer=CALL, worker_leg=AGENT)


def test_flex_names_its_participants() -> None:
    """Flex puts room and legs under `conference`."""
    room = {"sid": ROOM, "participants": {"customer": CALL, "worker": AGENT}}
    got = wire.taskrouter_event(task_form("reservation.accepted", {"conference": room}), AT)
    assert got is not None
    assert (got.customer, got.worker_leg, got.conference, got.task) == (CALL, AGENT, ROOM, TASK)


@pytest.mark.parametrize("kind", ["wrapup", "completed", "canceled", "rescinded", "timeout", "rejected", "failed"])
def test_a_reservation_ended(kind: str) -> None:
    """Wrap-up, completion and cancellation: this worker is no longer on the call; seconds will do for a time."""
    form = task_form(f"reservation.{kind}", Timestamp=str(OCCURRED // 1000), WorkerName="", WorkerSid="WK1")
    got = wire.taskrouter_event(form, AT)
    assert got is not None
    assert got.event == e.ReservationEnded(at=AT, occurred_at=OCCURRED, order=OCCURRED, worker="WK1", task=TASK)


@pytest.mark.parametrize("kind", ["updated", "transfer-initiated", "transfer-completed", "transfer-failed"])
def test_a_task_names_the_workers_leg(kind: str) -> None:
    """After the bridge the attributes name the worker's leg: in two places, by the way it was bridged."""
    for attributes in ({"worker_call_sid": AGENT}, {"conference": {"participants": {"worker": AGENT}}}):
        got = wire.taskrouter_event(task_form(f"task.{kind}", attributes, TimestampMs=str(OCCURRED)), AT)
        assert got is not None
        assert got.event == e.WorkerLegNamed(at=AT, occurred_at=OCCURRED, order=OCCURRED, task=TASK, leg=AGENT)


@pytest.mark.parametrize("kind", ["completed", "canceled", "deleted"])
def test_a_task_ended(kind: str) -> None:
    """Nobody has it any more. Its own time is kept however long the message took."""
    got = wire.taskrouter_event(task_form(f"task.{kind}", {"worker_call_sid": AGENT}, TimestampMs="1000000000000"), AT)
    assert got is not None
    assert got.event == e.TaskEnded(at=AT, occurred_at=AT - 5000, order=1_000_000_000_000, task=TASK)


def test_the_customer_of_a_task() -> None:
    """What our TwiML wrote there, else who Flex says is the customer, else the leg that TaskRouter saw."""
    attributes: dict[str, Any] = {"call_sid": AGENT, "conference": {"participants": {"customer": CALL}}}
    for more in ({}, {"call": CALL, "conference": {}}):
        got = wire.taskrouter_event(task_form("task.updated", attributes | more), AT)
        assert got is not None
        assert got.customer == CALL


@pytest.mark.parametrize(("name", "expected"), [(CALL, True), ("lobby", False), (None, None)])
def test_whose_room_it_is(name: str | None, expected: bool | None) -> None:
    """A room that our TwiML made bears a call's SID."""
    named = {} if name is None else {"FriendlyName": name}
    for kind in ("participant-join", "conference-end"):
        form = ROOM_FORM | {"StatusCallbackEvent": kind}
        form.pop("FriendlyName", None)
        got = wire.conference_event(form | named, AT)
        assert got is not None
        assert isinstance(got.event, e.ParticipantJoined | e.ConferenceEnded)
        assert got.event.is_own_room is expected


def test_task_events_bring_names_only() -> None:
    """What a task names is worth knowing before the reservation is."""
    got = wire.taskrouter_event(task_form("task.updated", {"call_sid": CALL}), AT)
    assert got == wire.Incoming(event=None, task=TASK, customer=CALL)
    assert wire.taskrouter_event(task_form("worker.activity.update"), AT) is None


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"x"',
        '{"call_sid": 5}',
        '{"call_sid": "CA1"}',
        '{"conference": []}',
        "[" * 5000,
        '{"conference": {"participants": "x", "sid": {}}}',
    ],
)
def test_attributes_may_be_anything(attributes: str) -> None:
    """A site's own task attributes never make an event fail."""
    got = wire.taskrouter_event(task_form("reservation.accepted", attributes), AT)
    assert got is not None
    assert (got.customer, got.worker_leg, got.conference) == (None, None, None)
    assert isinstance(got.event, e.ReservationAccepted)


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        ({"DialCallStatus": "no-answer", "DialCallSid": AGENT}, "no-answer"),
        ({"QueueResult": "bridged"}, "bridged"),
        ({}, ""),
    ],
)
def test_dial_ended(form: dict[str, str], outcome: str) -> None:
    """DialCallStatus of a dial, QueueResult of a queue."""
    got = wire.dial_ended(form | {"CallSid": CALL})
    assert (got.leg, got.outcome, got.child) == (CALL, outcome, form.get("DialCallSid"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RFC_2822, OCCURRED),
        ("Fri, 20 Aug 2010 03:13:42 +0200", OCCURRED),
        ("Fri, 20 Aug 2010 01:13:42 -0000", OCCURRED),
        ("2010-08-20T01:13:42Z", OCCURRED),
        ("2010-08-20T01:13:42.500123Z", OCCURRED + 500),
        ("2010-08-20T01:13:42", OCCURRED),
        (str(OCCURRED // 1000), OCCURRED),
        (str(OCCURRED), OCCURRED),
        ("Fri, 20 Aug 2009 01:13:42 +0000", AT - 5000),
        ("2030-08-20T01:13:42Z", AT + 5000),
        ("0", AT - 5000),
        ("9" * 15, AT + 5000),
        ("", None),
        (None, None),
        ("soon", None),
        ("9" * 16, None),
        ("Fri, 99 Aug 2010 01:13:42 +0000", None),
        ("0001-01-01T00:00:00+23:59", AT - 5000),
    ],
)
def test_times(text: str | None, expected: int | None) -> None:
    """Three formats become milliseconds, at most five seconds from the receipt."""
    assert wire.occurred_at(text, AT) == expected


NAMES = st.sampled_from(
    [
        "CallSid",
        "ParentCallSid",
        "ConferenceSid",
        "StreamSid",
        "StreamEvent",
        "StatusCallbackEvent",
        "SequenceNumber",
        "Timestamp",
        "TimestampMs",
        "EventType",
        "TaskAttributes",
        "TaskSid",
        "WorkerName",
        "CallStatus",
        "Hold",
        "FriendlyName",
        "ParticipantLabel",
        "DialCallStatus",
        "DialCallSid",
        "To",
        "From",
        "Direction",
        "SipHeader_",
    ]
)
VALUES = st.text() | st.sampled_from(
    [
        CALL,
        AGENT,
        ROOM,
        STREAM,
        TASK,
        "stream-error",
        "participant-hold",
        "conference-end",
        "reservation.accepted",
        "in-progress",
        "completed",
        "7",
        RFC_2822,
        "2010-08-20T01:13:42Z",
        '{"conference": {"sid": []}}',
        "inbound",
    ]
)


@given(st.dictionaries(NAMES | st.text(), VALUES, max_size=12))
def test_any_form_parses_or_is_malformed(form: dict[str, str]) -> None:
    """Nothing but MalformedRequest comes out of any form."""
    parsers: list[Any] = [wire.stream_event, wire.call_status_event, wire.conference_event, wire.taskrouter_event]
    for parse in parsers:
        try:
            got = parse(form, AT)
        except wire.MalformedRequest:
            continue
        assert got is None or isinstance(got, wire.Incoming)
    for read in (wire.voice_request, wire.dial_ended):
        if form.get("CallSid") not in {CALL, AGENT}:
            with pytest.raises(wire.MalformedRequest):
                read(form)


@given(st.text())
def test_any_time_is_a_time_or_none(text: str) -> None:
    """A time that cannot be read is no time, and none is far from the receipt."""
    got = wire.occurred_at(text, AT)
    assert got is None or abs(got - AT) <= 5000
