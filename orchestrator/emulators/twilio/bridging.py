"""How a worker who accepted a task gets the caller (Twilio: assignment instructions).

``conference``: both join a conference that TaskRouter makes, named by the task's SID. ``dequeue``: Twilio calls the
worker and bridges the caller. ``call``: the worker's own document does, with `<Dial><Queue reservationSid>`.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from orchestrator.emulators.twilio import calls, interpreter, legs, placing, rooms, taskrouter
from orchestrator.emulators.twilio.documents import Step
from orchestrator.emulators.twilio.model import Callback, Conference, Leg, Member, Role

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.tasks import Reservation, Task

Json = dict[str, Any]
INSTRUCTIONS = ("conference", "dequeue", "call")
_RING_S = 30.0
_WITHIN_S = 5.0
_EVENTS = "start end join leave mute hold"


class CallerGoneError(Exception):
    """The caller is no longer there to be connected."""


def place(account: "Account", reservation: "Reservation", given: Json) -> Leg:
    """Place the call to the worker; `connect` goes on from there."""
    task, instruction = reservation.task, given.get("instruction", "conference")
    customer = task.waiting.leg
    events = frozenset(str(given.get("status_callback_events", "completed")).split())
    callback = Callback(str(given.get("status_callback_url", "")), "GET", events)
    is_dequeue = instruction == "dequeue"
    leg = Leg(
        str(given.get("from") or customer.sender),
        reservation.worker.identity,
        "outbound-dial" if is_dequeue else "outbound-api",
        Role.AGENT,
        parent=customer if is_dequeue else None,
        asides={"taskCallSid": customer.sid} if is_dequeue else {},
        callbacks=[callback],
    )
    reservation.leg = account.add(leg)
    task.waiting.is_ordered = True
    return leg


async def connect(account: "Account", reservation: "Reservation", leg: Leg, given: Json) -> None:
    """Let the worker's phone ring and connect the two, or raise `CallerGoneError`.

    ``rings``: the phone waits for `agent-answers`; else it answers of its own.
    """
    waiting = reservation.task.waiting
    try:
        if not await _answered(account, leg, rings=bool(given.get("rings"))):
            taskrouter.declined(account, reservation, "timeout" if leg.status == "no-answer" else "rejected")
            return
        await _ways(account, reservation, leg, given)
    except CallerGoneError:
        calls.finish(account, leg, "completed", "caller-gone")
        raise
    finally:
        waiting.is_ordered = False
    account.router.watch(_until_over(account, reservation, leg))


async def _until_over(account: "Account", reservation: "Reservation", leg: Leg) -> None:
    await leg.over.wait()
    taskrouter.worker_left(account, reservation)


async def _answered(account: "Account", leg: Leg, *, rings: bool) -> bool:
    if rings:
        return await legs.first_answer(account, [leg], _RING_S) is not None
    calls.ring(account, leg)
    calls.answer(account, leg)
    return True


def _ways(account: "Account", reservation: "Reservation", leg: Leg, given: Json) -> "Coroutine[Any, Any, None]":
    match given.get("instruction", "conference"):
        case "dequeue":
            return _in_turn(account, reservation, {"worker_call_sid": leg.sid}, _dequeue(account, reservation, leg))
        case "call":
            return _in_turn(account, reservation, {"worker_call_sid": leg.sid}, _call(account, reservation, leg, given))
        case _:
            room = _room(account, reservation.task)
            names = {"conference": _names(reservation, room, leg)}
            return _in_turn(account, reservation, names, _confer(account, reservation, leg, room, given))


async def _in_turn(
    account: "Account", reservation: "Reservation", names: Json, bridge: "Coroutine[Any, Any, None]"
) -> None:
    """Tell the attributes, accept and bridge in the order of the switches."""
    task = reservation.task
    names_first = account.switches["taskrouter-attributes"] == "before-bridging"
    accepts_first = account.switches["taskrouter-accepted"] == "before-bridging"
    if names_first:
        taskrouter.describe(account, task, names)
    if accepts_first:
        taskrouter.accepted(account, reservation)
    await bridge
    if not accepts_first:
        taskrouter.accepted(account, reservation)
    if not names_first:
        taskrouter.describe(account, task, names)


def _room(account: "Account", task: "Task") -> Conference:
    if task.room is None or task.room.status == "completed":
        task.room = rooms.conference(account, task.sid)
    return task.room


def _names(reservation: "Reservation", room: Conference, leg: Leg) -> Json:
    people = {"customer": reservation.task.waiting.leg.sid, "worker": leg.sid}
    return {"sid": room.sid, "friendlyName": room.name, "participants": people}


async def _confer(account: "Account", reservation: "Reservation", leg: Leg, room: Conference, given: Json) -> None:
    is_worker_first = account.switches["taskrouter-first-joiner"] == "worker"
    if is_worker_first:
        await _worker_in(account, leg, room, given)
    _customer_in(account, reservation, room, given)
    if not is_worker_first:
        await _worker_in(account, leg, room, given)


def _customer_in(account: "Account", reservation: "Reservation", room: Conference, given: Json) -> None:
    waiting = reservation.task.waiting
    if waiting.leg.room is room:
        return  # a transfer: the customer has been there all along
    if not account.queues.remove(waiting):
        raise CallerGoneError
    ends = bool(given.get("end_conference_on_customer_exit", True))
    member = Member(waiting.leg, label=_label(account, "customer"), end_on_exit=ends)
    url, method = str(given.get("conference_status_callback", "")), "POST"
    callback = rooms.callback_of(url, method, _events(given), frozenset())
    rooms.join(account, waiting.leg, room.name, member, callback)
    waiting.taken.set_result(member)


async def _worker_in(account: "Account", leg: Leg, room: Conference, given: Json) -> None:
    ends = account.switches["taskrouter-worker-exit"] == "ends-conference"
    attributes = {
        "participantLabel": _label(account, "worker") if not room.members or len(room.members) == 1 else "",
        "beep": "false",
        "endConferenceOnExit": str(bool(given.get("end_conference_on_exit", ends))).lower(),
        "statusCallback": str(given.get("conference_status_callback", "")),
        "statusCallbackEvent": _events(given),
    }
    interpreter.launch(account, leg, placing.conference_step(room.name, attributes))
    await _until_in_a_room(leg)


def _events(given: Json) -> str:
    return str(given.get("conference_status_callback_events", _EVENTS))


def _label(account: "Account", role: str) -> str:
    return role if account.switches["taskrouter-labels"] == "roles" else ""


async def _dequeue(account: "Account", reservation: "Reservation", leg: Leg) -> None:
    waiting = reservation.task.waiting
    if not account.queues.remove(waiting):
        raise CallerGoneError
    mine, theirs = rooms.bridge(account, leg, waiting.leg)
    waiting.taken.set_result(theirs)
    leg.task = asyncio.create_task(_talk(account, leg, mine))


async def _talk(account: "Account", leg: Leg, member: Member) -> None:
    await member.gone.wait()
    calls.finish(account, leg, "completed", "bridge-ended")


async def _call(account: "Account", reservation: "Reservation", leg: Leg, given: Json) -> None:
    reservation.task.waiting.reservation = reservation.sid
    taking = f"<Response><Dial><Queue reservationSid='{reservation.sid}'/></Dial></Response>"
    url = str(given.get("url", ""))
    interpreter.launch(account, leg, Step("call-instruction", url, text=None if url else taking))
    await _until_in_a_room(leg)


async def _until_in_a_room(leg: Leg) -> None:
    deadline = asyncio.get_running_loop().time() + _WITHIN_S
    while leg.room is None:
        if leg.is_over or asyncio.get_running_loop().time() > deadline:
            raise CallerGoneError
        await asyncio.sleep(0.005)
