"""TaskRouter at the callbacks: whose task it is, in whatever order its events and the conference's come."""

from __future__ import annotations

import json

from orchestrator.core.call import Call
from orchestrator.core.desired import desired
from tests.integration.web.site import CALL, Site

AMY = "CA" + "b" * 32
BOB = "CA" + "e" * 32
ROOM = "CF" + "1" * 32
TASK = "WT" + "2" * 32


def call_of(site: Site) -> Call:
    call = site.services.store.load(CALL)
    assert call is not None
    return call


def tell(site: Site, kind: str, order: int, worker: str = "", attributes: dict[str, object] | None = None) -> None:
    form = {
        "EventType": kind,
        "TaskSid": TASK,
        "TimestampMs": str(1_700_000_000_000 + order),
        "TaskAttributes": json.dumps(attributes or {}),
    }
    if worker:
        form |= {"WorkerName": worker, "ReservationSid": "WR" + worker.encode().hex().ljust(32, "0")[:32]}
    assert site.twilio("taskrouter-events", form).status_code == 204


def joins(site: Site, leg: str, sequence: int, kind: str = "participant-join", label: str = "") -> None:
    form = {
        "StatusCallbackEvent": kind,
        "ConferenceSid": ROOM,
        "CallSid": leg,
        "SequenceNumber": str(sequence),
        "FriendlyName": "flex-room",
        "ParticipantLabel": label,
        "Hold": "true" if kind == "participant-hold" else "false",
    }
    assert site.twilio("conference-status", form).status_code == 204


def test_a_task_of_our_queue_in_a_conference(site: Site) -> None:
    """Story 13: accepted names the agent, the attributes the room and the legs, the conference hold and unhold."""
    site.arrive()
    tell(site, "task.created", 1, attributes={"call": CALL, "call_sid": CALL})
    tell(site, "reservation.accepted", 2, "amy", {"call": CALL})
    joins(site, AMY, 2)
    room = {"sid": ROOM, "participants": {"customer": CALL, "worker": AMY}}
    tell(site, "task.updated", 3, attributes={"call": CALL, "conference": room})
    joins(site, CALL, 1)
    assert desired(call_of(site)).agent_id == "amy"
    joins(site, CALL, 3, "participant-hold")
    assert not desired(call_of(site)).transcription


def test_events_that_came_before_their_task_was_known(site: Site) -> None:
    """They wait under the task, or the conference, and are applied when an event says whose it is."""
    tell(site, "reservation.accepted", 2, "amy")
    joins(site, AMY, 2)
    site.arrive()
    tell(site, "task.updated", 1, attributes={"call_sid": CALL})
    assert [agent.worker_name for agent in call_of(site).agents] == ["amy"]
    attributes: dict[str, object] = {"call_sid": CALL, "conference": {"sid": ROOM, "participants": {"worker": AMY}}}
    tell(site, "task.updated", 3, attributes=attributes)
    joins(site, CALL, 1)
    assert desired(call_of(site)).agent_id == "amy"


def test_a_transfer_between_workers(site: Site) -> None:
    """Bob takes over while the attributes still name Amy's leg; her wrap-up comes last and takes nobody away."""
    site.arrive()
    room = {"sid": ROOM, "participants": {"customer": CALL, "worker": AMY}}
    tell(site, "reservation.accepted", 1, "amy", {"call": CALL, "conference": room})
    joins(site, CALL, 1)
    joins(site, AMY, 2)
    tell(site, "task.transfer-initiated", 3, attributes={"call": CALL, "conference": room})
    tell(site, "reservation.accepted", 4, "bob", {"call": CALL, "conference": room})
    room = {"sid": ROOM, "participants": {"customer": CALL, "worker": BOB}}
    tell(site, "task.transfer-completed", 5, attributes={"call": CALL, "conference": room})
    joins(site, BOB, 3)
    assert desired(call_of(site)).agent_id == "amy"
    joins(site, AMY, 4, "participant-leave")
    tell(site, "reservation.wrapup", 6, "amy", {"call": CALL, "conference": room})
    assert desired(call_of(site)).agent_id == "bob"


def test_tasks_of_other_channels_make_no_calls(site: Site) -> None:
    """Only who takes a task can make a call known, never what ends."""
    for kind in ("reservation.timeout", "task.canceled", "reservation.completed"):
        tell(site, kind, 1, "amy", {"call_sid": CALL})
    tell(site, "task.updated", 2, attributes={"channelType": "web"})
    assert site.services.store.load(CALL) is None


def test_a_customers_leg_never_becomes_another_calls_leg(site: Site) -> None:
    """Attributes or a desktop that name a customer as the agent cannot take that customer's events away."""
    site.arrive()
    other = "CA" + "9" * 32
    site.arrive(other)
    site.report(CALL, type="agent-connected", agent_id="amy", agent_leg=other)
    assert site.services.store.resolve("leg", other) is None
    assert site.api("GET", f"/calls/{other}").get_json()["call_sid"] == other
