"""The control interface of TaskRouter: its workspace and workers, and what workers do.

``POST /_emulator/workspace {"workspace_sid", "event_callback_url", "events_filter"?, "workflows"?}`` ·
``POST /_emulator/workers {"name", "identity", "sid"?}`` · ``GET /_emulator/tasks``. Both are set anew by name;
they outlast a reset. ``events_filter`` is a comma-separated list, as the vendor's; an empty callback URL: no events;
``workflows`` are the SIDs that REST shows, those of before where it is left out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.twilio import bridging, calls, rooms, taskrouter
from orchestrator.emulators.twilio.actions import conflict
from orchestrator.emulators.twilio.keys import ACCOUNT
from orchestrator.emulators.twilio.model import Leg
from orchestrator.emulators.twilio.tasks import Reservation, Task, Worker, Workspace, events_of

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]
_TASK_WITHIN_S = 10.0
AFTER_THE_CALL = frozenset({"worker-wraps-up", "task-completes"})


def routes() -> list[web.RouteDef]:
    return [
        web.post("/_emulator/workspace", _workspace),
        web.post("/_emulator/workers", _worker),
        web.get("/_emulator/tasks", _tasks),
    ]


async def _workspace(request: web.Request) -> web.Response:
    account, given = request.app[ACCOUNT], await request.json()
    if not given.get("workspace_sid") or "event_callback_url" not in given:
        raise web.HTTPBadRequest(text="workspace_sid and event_callback_url are required")
    events, before = events_of(str(given.get("events_filter") or "")), account.router.workspace
    workflows = given.get("workflows", () if before is None else before.workflows)
    account.router.workspace = Workspace(given["workspace_sid"], given["event_callback_url"], events, tuple(workflows))
    return web.json_response({"sid": given["workspace_sid"]}, status=201)


async def _worker(request: web.Request) -> web.Response:
    account, given = request.app[ACCOUNT], await request.json()
    if not given.get("name") or not given.get("identity"):
        raise web.HTTPBadRequest(text="name and identity are required")
    worker = account.router.workers.setdefault(given["name"], Worker(given["name"], given["identity"]))
    worker.identity, worker.sid = given["identity"], given.get("sid") or worker.sid
    for task in account.router.tasks.values():
        taskrouter.offer(account, task)
    return web.json_response({"sid": worker.sid}, status=201)


async def _tasks(request: web.Request) -> web.Response:
    rows = [
        {
            "sid": task.sid,
            "call_sid": task.waiting.leg.sid,
            "status": task.status,
            "attributes": task.attributes,
            "reservations": [
                {"sid": r.sid, "worker": r.worker.name, "status": r.status, "leg": r.leg.sid if r.leg else None}
                for r in task.reservations
            ],
        }
        for task in request.app[ACCOUNT].router.tasks.values()
    ]
    return web.json_response(rows)


async def _task(account: "Account", leg: Leg) -> Task:
    """Return the task of a call, waiting a little for a call that is on its way into the queue."""
    deadline = asyncio.get_running_loop().time() + _TASK_WITHIN_S
    while (task := account.router.task_of(leg)) is None:
        if leg.is_over or asyncio.get_running_loop().time() > deadline:
            raise conflict("the call has no task")
        await asyncio.sleep(0.01)
    return task


def _named(account: "Account", given: Json) -> Worker:
    worker = account.router.workers.get(str(given.get("worker", "")))
    if worker is None:
        raise conflict(f"no such worker; there are: {', '.join(account.router.workers)}")
    return worker


def _offered(task: Task, worker: Worker, *statuses: str) -> Reservation | None:
    return next((r for r in reversed(task.of(*statuses)) if r.worker is worker), None)


def _held(account: "Account", task: Task, given: Json) -> Reservation:
    """Return the reservation of the worker named, else the newest accepted one."""
    if given.get("worker"):
        found = _offered(task, _named(account, given), "accepted", "wrapping")
    else:
        found = next(reversed(task.of("accepted", "wrapping")), None)
    if found is None:
        raise conflict("nobody has accepted the task")
    return found


async def _worker_accepts(account: "Account", leg: Leg, given: Json) -> Json:
    """Let ``worker`` accept; ``instruction`` conference, dequeue or call (`bridging`).

    More: ``rings``, ``from``; conference: ``conference_status_callback`` (and ``..._events``),
    ``end_conference_on_exit``, ``end_conference_on_customer_exit``; dequeue: ``status_callback_url``,
    ``status_callback_events``; call: ``url``.
    """
    task, worker = await _task(account, leg), _named(account, given)
    if given.get("instruction", "conference") not in bridging.INSTRUCTIONS:
        raise web.HTTPBadRequest(text=f"instruction is one of {', '.join(bridging.INSTRUCTIONS)}")
    if task.is_over:
        raise conflict(f"the task is {task.status}")
    reservation = _offered(task, worker, "pending") or taskrouter.reserve(account, task, worker)
    called = bridging.place(account, reservation, given)
    work = account.router.watch(_connect(account, reservation, called, given))
    if not given.get("rings"):
        await work
        if called.is_over:
            raise conflict("the caller is gone")
    return {"sid": called.sid, "task": task.sid, "reservation": reservation.sid}


async def _connect(account: "Account", reservation: Reservation, called: Leg, given: Json) -> None:
    try:
        await bridging.connect(account, reservation, called, given)
    except bridging.CallerGoneError:
        account.alert(0, called.sid, "the caller was gone before the worker was connected")


async def _worker_declines(account: "Account", leg: Leg, given: Json) -> Json:
    """Let ``worker`` reject the task, or (``status`` timeout) not react."""
    task, worker = await _task(account, leg), _named(account, given)
    reservation = _offered(task, worker, "pending")
    if reservation is None:
        raise conflict("the worker was not offered the task")
    taskrouter.declined(account, reservation, str(given.get("status", "rejected")))
    return {"reservation": reservation.sid}


async def _worker_wraps_up(account: "Account", leg: Leg, given: Json) -> Json:
    """Let a worker's part be over: its leg ends, if it is still there, and the reservation is wrapping."""
    reservation = _held(account, await _task(account, leg), given)
    if reservation.leg is not None:
        calls.finish(account, reservation.leg, "completed", "hung-up")
    taskrouter.wrap_up(account, reservation)
    return {"reservation": reservation.sid}


async def _task_completes(account: "Account", leg: Leg, given: Json) -> Json:
    """Close the task; ``reason`` is shown."""
    task = await _task(account, leg)
    taskrouter.complete(account, task, str(given.get("reason", "completed")))
    return {"task": task.sid}


async def _transfer(account: "Account", leg: Leg, given: Json) -> Json:
    """Offer the task to ``worker`` too; ``mode`` cold: the one who has it goes at once, warm: stays."""
    task, worker = await _task(account, leg), _named(account, given)
    current = next(reversed(task.of("accepted")), None)
    if current is None or current.leg is None or task.room is None:
        raise conflict("only a call in a conference that TaskRouter made is transferred")
    member = current.leg.member
    if member is not None and member.end_on_exit:
        member.end_on_exit = False
        rooms.modified(account, member)
    reservation = taskrouter.transfer(account, task, worker)
    if given.get("mode", "warm") == "cold":
        calls.finish(account, current.leg, "completed", "hung-up")
    return {"reservation": reservation.sid}


ACTIONS: dict[str, Callable[["Account", Leg, Json], Awaitable[Json]]] = {
    "worker-accepts": _worker_accepts,
    "worker-declines": _worker_declines,
    "worker-wraps-up": _worker_wraps_up,
    "task-completes": _task_completes,
    "transfer": _transfer,
}
