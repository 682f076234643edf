"""The Twilio emulator's TaskRouter: tasks of callers, their events, the ways in which a worker gets a call."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]

from orchestrator.emulators.twilio.signature import sign
from tests.contract.twilio_peer import CALLER, NUMBER, SID, TOKEN, Emulator, Peer, Received, running, wait_for

WORKSPACE, WORKFLOW = "WS" + "1" * 32, "WW" + "1" * 32
AMY, BEA = "WK" + "a" * 32, "WK" + "b" * 32
_OFFERED = [
    "workflow.entered",
    "task-queue.entered",
    "task.created",
    "workflow.target-matched",
    "reservation.created",
]


@pytest.fixture(name="twilio")
def _twilio(peer: Peer) -> Iterator[Emulator]:
    with running(peer) as emulator:
        emulator.number(voice_url=f"{peer.url}/voice")
        task = '<Task>{"topic": "bills", "to": "sales"}</Task>'
        peer.documents |= {
            "/voice": f'<Response><Enqueue workflowSid="{WORKFLOW}" action="/left">{task}</Enqueue></Response>',
            "/left": "<Response><Say loop='0'>A survey</Say></Response>",
        }
        workspace = {"workspace_sid": WORKSPACE, "event_callback_url": f"{peer.url}/events"}
        assert emulator.post("workspace", workspace).status_code == 201
        for name, worker_sid in (("amy", AMY), ("bea", BEA)):
            worker = {"name": name, "identity": f"client:agent-{name}", "sid": worker_sid}
            assert emulator.post("workers", worker).status_code == 201
        yield emulator


def _told(peer: Peer, **wanted: str) -> list[Received]:
    return sorted(peer.at("/events", **wanted), key=lambda event: int(event.params["TimestampMs"]))


def _names(peer: Peer) -> list[str]:
    return [event.params["EventType"] for event in _told(peer)]


def _event(peer: Peer, name: str, **wanted: str) -> dict[str, str]:
    found: list[Received] = wait_for(lambda: _told(peer, EventType=name, **wanted))
    return found[-1].params


def _attributes(params: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads(params["TaskAttributes"]))


def _queued(peer: Peer, twilio: Emulator) -> str:
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["queued"] and len(_told(peer)) == len(_OFFERED))
    return sid


def _accept(peer: Peer, twilio: Emulator, sid: str, **more: Any) -> str:
    given = {"worker": "amy", "conference_status_callback": f"{peer.url}/conference", **more}
    return str(twilio.act(sid, "worker-accepts", **given)["sid"])


def test_a_queued_caller_becomes_a_task_that_is_offered(peer: Peer, twilio: Emulator) -> None:
    """The order seen in the field; times in three fields; attributes of the call and of `<Task>`, as JSON text."""
    sid = _queued(peer, twilio)
    assert _names(peer) == _OFFERED
    offered = _told(peer)[-1]
    assert offered.headers["X-Twilio-Signature"] == sign(TOKEN, f"{peer.url}/events", offered.params)
    params = offered.params
    attributes = _attributes(params)
    assert (attributes["call_sid"], attributes["from"], attributes["to"]) == (sid, CALLER, "sales")
    assert (attributes["topic"], attributes["called"], attributes["direction"]) == ("bills", NUMBER, "inbound")
    assert (params["AccountSid"], params["WorkspaceSid"], params["WorkflowSid"]) == (SID, WORKSPACE, WORKFLOW)
    assert (params["WorkerName"], params["WorkerSid"]) == ("amy", AMY)
    assert json.loads(params["WorkerAttributes"]) == {"contact_uri": "client:agent-amy"}
    assert int(params["Timestamp"]) == int(params["TimestampMs"]) // 1000
    assert (params["ResourceType"], params["ResourceSid"]) == ("reservation", params["ReservationSid"])
    prefixes = {name: params[name][:2] for name in ("Sid", "TaskSid", "TaskQueueSid", "ReservationSid")}
    assert prefixes == {"Sid": "EV", "TaskSid": "WT", "TaskQueueSid": "WQ", "ReservationSid": "WR"}
    assert len({event.params["Sid"] for event in _told(peer)}) == len(_OFFERED)


def test_the_documented_order_begins_with_the_task(peer: Peer, twilio: Emulator) -> None:
    """The switch tells the order of events that belong together."""
    twilio.post("switches", {"taskrouter-order": "documented"})
    sid = _queued(peer, twilio)
    assert _names(peer)[:3] == ["task.created", "workflow.entered", "task-queue.entered"]
    twilio.act(sid, "hangup")
    wait_for(lambda: "task.canceled" in _names(peer))
    assert _names(peer)[-2:] == ["reservation.canceled", "task.canceled"]


def test_shuffled_and_late_events_keep_their_own_times(peer: Peer, twilio: Emulator) -> None:
    """They come in any order; their times say which was first."""
    twilio.post("switches", {"taskrouter-order": "shuffled", "taskrouter-delay": "late"})
    _queued(peer, twilio)
    assert _names(peer) == _OFFERED
    arrived = [event.params["EventType"] for event in peer.at("/events")]
    assert sorted(arrived) == sorted(_OFFERED)
    assert arrived != _OFFERED


def test_only_the_events_of_the_filter_are_sent(peer: Peer, twilio: Emulator) -> None:
    """A comma-separated list, as the workspace has it."""
    filtered = "reservation.created, task.canceled"
    workspace = {"workspace_sid": WORKSPACE, "event_callback_url": f"{peer.url}/events", "events_filter": filtered}
    twilio.post("workspace", workspace)
    sid = twilio.ring()
    wait_for(lambda: twilio.call(sid)["queued"])
    twilio.act(sid, "hangup")
    wait_for(lambda: "task.canceled" in _names(peer))
    assert set(_names(peer)) == {"reservation.created", "task.canceled"}


def test_customer_and_worker_meet_in_a_conference(peer: Peer, twilio: Emulator) -> None:
    """Accepted, joined, then the attributes name the room and both legs; the room has TaskRouter's own name."""
    sid = _queued(peer, twilio)
    worker = _accept(peer, twilio, sid)
    accepted = _event(peer, "reservation.accepted")
    assert "conference" not in _attributes(accepted)
    updated = _event(peer, "task.updated")
    room = _attributes(updated)["conference"]
    assert room["participants"] == {"customer": sid, "worker": worker}
    assert (room["friendlyName"], room["sid"]) == (updated["TaskSid"], twilio.call(sid)["conference"]["sid"])
    joins = wait_for(lambda: len(peer.at("/conference", StatusCallbackEvent="participant-join")) == 2)
    assert joins
    assert {r.params["CallSid"] for r in peer.at("/conference", StatusCallbackEvent="participant-join")} == {
        sid,
        worker,
    }
    assert not [r for r in peer.at("/conference") if "ParticipantLabel" in r.params]
    twilio.act(sid, "hold")
    assert wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-hold"))[0].params["CallSid"] == sid


@pytest.mark.parametrize("first", ["customer", "worker"])
def test_what_the_documents_leave_open_about_the_bridge_is_switched(peer: Peer, twilio: Emulator, first: str) -> None:
    """Attributes before the join, accepted after it, labels, who is first."""
    twilio.post(
        "switches",
        {
            "taskrouter-attributes": "before-bridging",
            "taskrouter-accepted": "after-bridging",
            "taskrouter-labels": "roles",
            "taskrouter-first-joiner": first,
        },
    )
    sid = _queued(peer, twilio)
    _accept(peer, twilio, sid)
    assert "conference" in _attributes(_event(peer, "reservation.accepted"))
    assert _names(peer)[len(_OFFERED) :] == ["task.updated", "reservation.accepted"]
    wait_for(lambda: len(peer.at("/conference", StatusCallbackEvent="participant-join")) == 2)
    joins = peer.at("/conference", StatusCallbackEvent="participant-join")
    by_number = sorted(joins, key=lambda request: int(request.params["SequenceNumber"]))
    labels = [request.params["ParticipantLabel"] for request in by_number]
    assert labels == (["customer", "worker"] if first == "customer" else ["worker", "customer"])


def test_a_worker_who_leaves_sends_the_caller_on(peer: Peer, twilio: Emulator) -> None:
    """The conference ends with the worker; QueueResult is bridged; wrapping, then completed, task first."""
    sid = _queued(peer, twilio)
    worker = _accept(peer, twilio, sid)
    twilio.act(sid, "agent-leaves", leg=worker)
    assert wait_for(lambda: peer.at("/left"))[0].params["QueueResult"] == "bridged"
    _event(peer, "task.wrapup")
    wait_for(lambda: twilio.call(sid)["playing"] == "survey")
    twilio.act(sid, "task-completes", reason="resolved")
    completed = _event(peer, "task.completed")
    assert (completed["TaskAssignmentStatus"], completed["TaskCompletedReason"]) == ("completed", "resolved")
    _event(peer, "reservation.completed")
    assert _names(peer)[-4:] == ["reservation.wrapup", "task.wrapup", "task.completed", "reservation.completed"]


def test_a_worker_may_leave_the_customer_in_the_room(peer: Peer, twilio: Emulator) -> None:
    """By the switch; and the reservation may complete at once, or nothing may be told."""
    twilio.post("switches", {"taskrouter-worker-exit": "leaves", "taskrouter-after-call": "none"})
    sid = _queued(peer, twilio)
    worker = _accept(peer, twilio, sid)
    before = _names(peer)
    twilio.act(sid, "agent-leaves", leg=worker)
    wait_for(lambda: peer.at("/conference", StatusCallbackEvent="participant-leave", CallSid=worker))
    assert twilio.call(sid)["conference"]["status"] == "in-progress"
    twilio.act(sid, "worker-wraps-up", worker="amy")
    _event(peer, "reservation.wrapup")
    assert "reservation.wrapup" not in before


def test_a_dequeued_caller_is_bridged_with_the_worker(peer: Peer, twilio: Emulator) -> None:
    """Twilio calls the worker; its callback comes by GET and names the customer; attributes name the worker's leg."""
    sid = _queued(peer, twilio)
    callback = {"status_callback_url": f"{peer.url}/worker", "status_callback_events": "answered completed"}
    worker = _accept(peer, twilio, sid, instruction="dequeue", **callback)
    assert _attributes(_event(peer, "task.updated"))["worker_call_sid"] == worker
    answered = wait_for(lambda: peer.at("/worker", CallStatus="in-progress"))[0]
    assert (answered.method, answered.params["taskCallSid"], answered.params["CallSid"]) == ("GET", sid, worker)
    assert (answered.params["To"], answered.params["ParentCallSid"]) == ("client:agent-amy", sid)
    twilio.act(sid, "agent-leaves", leg=worker)
    assert wait_for(lambda: peer.at("/left"))[0].params["QueueResult"] == "bridged"
    assert not peer.at("/conference")


def test_a_dequeued_caller_who_hangs_up_ends_the_workers_leg(peer: Peer, twilio: Emulator) -> None:
    """And with a redirect: the bridge is over, the caller goes on."""
    peer.documents["/next"] = "<Response><Pause length='60'/></Response>"
    first, second = twilio.ring(), twilio.ring()
    for number, sid in enumerate((first, second)):
        worker = _accept(peer, twilio, sid, instruction="dequeue", worker=("amy", "bea")[number])
        if sid == first:
            twilio.act(sid, "hangup")
        else:
            twilio.client.calls(sid).update(url=f"{peer.url}/next")
        wait_for(partial(twilio.is_over, worker))
    results = {sid: wait_for(partial(peer.at, "/left", CallSid=sid))[0] for sid in (first, second)}
    assert [results[sid].params["QueueResult"] for sid in (first, second)] == ["bridged", "redirected-from-bridged"]


def test_a_called_worker_takes_the_reserved_caller(peer: Peer, twilio: Emulator) -> None:
    """The worker's document dials the queue by the reservation; the caller who has waited longer is passed over."""
    longer, sid = twilio.ring(), twilio.ring()
    wait_for(lambda: twilio.call(longer)["queued"] and twilio.call(sid)["queued"])
    worker = _accept(peer, twilio, sid, instruction="call")
    assert [leg["sid"] for leg in twilio.call(worker)["legs"]] == [sid]
    assert twilio.call(longer)["queued"]
    assert _attributes(_event(peer, "task.updated"))["worker_call_sid"] == worker


def test_a_caller_who_goes_while_the_worker_rings_cancels_the_task(peer: Peer, twilio: Emulator) -> None:
    """bridging-in-process, or hangup by the switch; the phone stops ringing; nobody has accepted."""
    for value in ("bridging-in-process", "hangup"):
        twilio.post("switches", {"queue-result-while-bridging": value})
        sid = twilio.ring()
        worker = _accept(peer, twilio, sid, instruction="dequeue", rings=True)
        twilio.act(sid, "hangup")
        assert wait_for(partial(peer.at, "/left", CallSid=sid))[0].params["QueueResult"] == value
        wait_for(partial(twilio.is_over, worker))
    wait_for(lambda: _names(peer).count("task.canceled") == 2)
    assert "reservation.accepted" not in _names(peer)


def test_a_worker_who_does_not_pick_up_makes_room_for_the_next(peer: Peer, twilio: Emulator) -> None:
    """Busy is a rejection, no answer a timeout; the other worker is offered the task."""
    sid = _queued(peer, twilio)
    worker = _accept(peer, twilio, sid, rings=True)
    assert twilio.act(sid, "agent-declines", leg=worker, status="no-answer")["sid"] == worker
    assert _event(peer, "reservation.timeout")["WorkerName"] == "amy"
    assert wait_for(lambda: _told(peer, EventType="reservation.created", WorkerName="bea"))
    twilio.act(sid, "worker-declines", worker="bea")
    _event(peer, "reservation.rejected", WorkerName="bea")
    assert twilio.get("tasks")[0]["status"] == "pending"
    bea = _accept(peer, twilio, sid, worker="bea", rings=True)
    twilio.act(sid, "agent-answers", leg=bea)
    _event(peer, "reservation.accepted", WorkerName="bea")


def test_another_worker_who_accepts_rescinds_the_first_offer(peer: Peer, twilio: Emulator) -> None:
    """The task was offered to amy; bea takes it."""
    sid = _queued(peer, twilio)
    _accept(peer, twilio, sid, worker="bea")
    assert _event(peer, "reservation.rescinded")["WorkerName"] == "amy"


def test_a_caller_who_hangs_up_cancels_task_and_offer(peer: Peer, twilio: Emulator) -> None:
    """With the reason; a redirect out of the queue does the same."""
    sid = _queued(peer, twilio)
    twilio.act(sid, "hangup")
    assert _event(peer, "task.canceled")["TaskCanceledReason"] == "hangup"
    _event(peer, "reservation.canceled")
    assert _names(peer)[-2:] == ["task.canceled", "reservation.canceled"]
    assert twilio.post(f"calls/{sid}/worker-accepts", {"worker": "amy"}).status_code == 409


def test_a_warm_transfer_brings_the_second_worker_in_beside_the_first(peer: Peer, twilio: Emulator) -> None:
    """The first may leave then; the call goes on; the attributes name the new worker."""
    sid = _queued(peer, twilio)
    amy = _accept(peer, twilio, sid)
    twilio.act(sid, "transfer", worker="bea", mode="warm")
    bea = _accept(peer, twilio, sid, worker="bea")
    assert len(twilio.call(sid)["conference"]["participants"]) == 3
    twilio.act(sid, "worker-wraps-up", worker="amy")
    wait_for(lambda: twilio.is_over(amy))
    assert [p["sid"] for p in twilio.call(sid)["conference"]["participants"]] == [sid, bea]
    wait_for(lambda: "reservation.wrapup" in _names(peer))
    transfer = [name for name in _names(peer) if "transfer" in name or name == "reservation.accepted"]
    assert transfer == [
        "reservation.accepted",
        "task.transfer-initiated",
        "reservation.accepted",
        "task.transfer-completed",
    ]
    assert _attributes(_event(peer, "task.updated"))["conference"]["participants"]["worker"] == bea
    assert "task.wrapup" not in _names(peer)


def test_a_cold_transfer_leaves_the_customer_alone_until_somebody_comes(peer: Peer, twilio: Emulator) -> None:
    """The first goes at once, the room lives; one who declines has failed the transfer."""
    sid = _queued(peer, twilio)
    amy = _accept(peer, twilio, sid)
    twilio.act(sid, "transfer", worker="bea", mode="cold")
    wait_for(lambda: twilio.is_over(amy))
    assert [p["sid"] for p in twilio.call(sid)["conference"]["participants"]] == [sid]
    assert twilio.call(sid)["playing"] is None
    twilio.act(sid, "worker-declines", worker="bea", status="timeout")
    _event(peer, "task.transfer-failed")
    _event(peer, "reservation.timeout", WorkerName="bea")
    _accept(peer, twilio, sid, worker="bea")
    assert len(twilio.call(sid)["conference"]["participants"]) == 2


def test_a_reset_keeps_the_workspace_and_forgets_the_tasks(peer: Peer, twilio: Emulator) -> None:
    """Nothing is told of tasks that a reset ends; the next caller is offered to the same workers."""
    _queued(peer, twilio)
    before = len(peer.requests)
    twilio.post("reset")
    assert (twilio.get("tasks"), len(peer.requests)) == ([], before)
    sid = twilio.ring()
    _accept(peer, twilio, sid)
    assert [task["call_sid"] for task in twilio.get("tasks")] == [sid]


def test_what_makes_no_sense_is_refused(peer: Peer, twilio: Emulator) -> None:
    """An unknown worker or instruction, a workspace without its URL, a worker without an address."""
    sid = _queued(peer, twilio)
    refused: list[tuple[str, dict[str, str], int]] = [
        (f"calls/{sid}/worker-accepts", {"worker": "zoe"}, 409),
        (f"calls/{sid}/worker-accepts", {"worker": "amy", "instruction": "shout"}, 400),
        (f"calls/{sid}/transfer", {"worker": "bea"}, 409),
        (f"calls/{sid}/worker-wraps-up", {}, 409),
        ("workspace", {"workspace_sid": WORKSPACE}, 400),
        ("workers", {"name": "amy"}, 400),
    ]
    for path, given, status in refused:
        assert twilio.post(path, given).status_code == status, (path, given)


def test_the_workspace_is_read_and_changed_over_rest(twilio: Emulator) -> None:
    """As the vendor's own library reads it: what is not named stays, and nothing set is null."""
    twilio.client.taskrouter.base_url = twilio.url
    workspaces = twilio.client.taskrouter.v1.workspaces
    body = {"workspace_sid": WORKSPACE, "event_callback_url": "", "events_filter": "task.created, task.updated"}
    twilio.post("workspace", body | {"workflows": [WORKFLOW]})
    (found,) = workspaces.list()
    assert (found.sid, found.event_callback_url, found.events_filter) == (WORKSPACE, None, "task.created,task.updated")
    changed = workspaces(WORKSPACE).update(event_callback_url="https://calls.example.com/events#rc=3")
    assert changed.event_callback_url == "https://calls.example.com/events#rc=3"
    assert workspaces(WORKSPACE).fetch().events_filter == "task.created,task.updated"
    assert workspaces(WORKSPACE).update(events_filter="").events_filter is None
    assert [workflow.sid for workflow in workspaces(WORKSPACE).workflows.list()] == [WORKFLOW]
    assert workspaces(WORKSPACE).workflows(WORKFLOW).fetch().workspace_sid == WORKSPACE


def test_what_a_workspace_does_not_have_is_not_found(twilio: Emulator) -> None:
    """20404 for another workspace and another workflow; 401 without credentials."""
    twilio.client.taskrouter.base_url = twilio.url
    workspaces = twilio.client.taskrouter.v1.workspaces
    for missing in (workspaces("WS" + "9" * 32), workspaces(WORKSPACE).workflows("WW" + "9" * 32)):
        with pytest.raises(TwilioRestException) as refusal:
            missing.fetch()
        assert (refusal.value.status, refusal.value.code) == (404, 20404)
    assert requests.get(f"{twilio.url}/v1/Workspaces", timeout=5).status_code == 401


def test_events_set_over_rest_are_sent(peer: Peer, twilio: Emulator) -> None:
    """A workspace without a callback tells nobody; once it has one, the next task is told."""
    twilio.client.taskrouter.base_url = twilio.url
    twilio.post("workspace", {"workspace_sid": WORKSPACE, "event_callback_url": ""})
    sid = twilio.ring()
    wait_for(lambda: [task for task in twilio.get("tasks") if task["call_sid"] == sid])
    twilio.client.taskrouter.v1.workspaces(WORKSPACE).update(
        event_callback_url=f"{peer.url}/events", events_filter="task.created"
    )
    second = twilio.ring()
    told = wait_for(lambda: peer.at("/events"))
    assert [json.loads(event.params["TaskAttributes"])["call_sid"] for event in told] == [second]
