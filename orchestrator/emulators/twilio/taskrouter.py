"""The life of tasks and reservations (Twilio: TaskRouter; queueing calls with TaskRouter).

`<Enqueue workflowSid>` makes a task; a free worker is offered it at once. Who accepts it, and how caller and
worker are then connected, is `bridging`. A caller who goes before that cancels the task.
"""

from typing import TYPE_CHECKING, Any

from orchestrator.emulators.twilio import calls
from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.task_events import Item, news, publish, publish_in_order
from orchestrator.emulators.twilio.tasks import Reservation, Task, Worker

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg
    from orchestrator.emulators.twilio.queues import Waiting


def enter(account: "Account", workflow_sid: str, waiting: "Waiting", given: dict[str, Any]) -> Task:
    """Make a task of a caller and offer it to a free worker, if there is one."""
    task = Task(workflow_sid, sid("WQ"), waiting, _attributes(account, waiting.leg) | given)
    account.router.tasks[task.sid] = task
    entered: list[Item] = [("workflow.entered", None), ("task-queue.entered", None)]
    publish_in_order(account, task, entered, [("task.created", None)])
    publish(account, news(account, "workflow.target-matched", task))
    offer(account, task)
    return task


def _attributes(account: "Account", leg: "Leg") -> dict[str, Any]:
    return {
        "call_sid": leg.sid,
        "account_sid": account.sid,
        "api_version": "2010-04-01",
        "direction": leg.direction,
        "from": leg.sender,
        "to": leg.to,
        "caller": leg.sender,
        "called": leg.to,
    }


def offer(account: "Account", task: Task) -> None:
    """Reserve a free worker for a task that nobody has yet."""
    worker = account.router.free_worker(task)
    if worker is not None and not task.is_over and not task.of("pending", "accepted"):
        reserve(account, task, worker)


def reserve(account: "Account", task: Task, worker: Worker, *, is_transfer: bool = False) -> Reservation:
    """Offer a task to one worker."""
    reservation = Reservation(task, worker, is_transfer=is_transfer)
    task.reservations.append(reservation)
    if task.status == "pending":
        task.status = "reserved"
    publish(account, news(account, "reservation.created", task, reservation))
    return reservation


def accepted(account: "Account", reservation: Reservation) -> None:
    """Give the task to a worker; whoever else was offered it, is no longer."""
    task = reservation.task
    reservation.status, task.status = "accepted", "assigned"
    publish(account, news(account, "reservation.accepted", task, reservation))
    for other in task.of("pending"):
        _close(account, other, "rescinded")
    if reservation.is_transfer:
        publish(account, news(account, "task.transfer-completed", task))


def declined(account: "Account", reservation: Reservation, how: str) -> None:
    """Let a worker reject the task (``rejected``) or not react (``timeout``); another one is offered it."""
    task = reservation.task
    if reservation.status != "pending" or task.waiting.leg.is_over:
        return
    _close(account, reservation, how)
    if reservation.is_transfer:
        failed = [news(account, f"task.transfer-{word}", task) for word in ("attempt-failed", "failed")]
        publish(account, *failed)
        return
    if not task.of("pending", "accepted"):
        task.status = "pending"
    offer(account, task)


def describe(account: "Account", task: Task, attributes: dict[str, Any]) -> None:
    """Add to the attributes of a task."""
    task.attributes, task.version = task.attributes | attributes, task.version + 1
    publish(account, news(account, "task.updated", task))


def transfer(account: "Account", task: Task, worker: Worker) -> Reservation:
    """Offer an accepted task to another worker."""
    publish(account, news(account, "task.transfer-initiated", task))
    return reserve(account, task, worker, is_transfer=True)


def wrap_up(account: "Account", reservation: Reservation) -> None:
    """Let a worker's part be over; with the last one the task itself is wrapping."""
    task = reservation.task
    if reservation.status != "accepted":
        return
    reservation.status = "wrapping"
    publish(account, news(account, "reservation.wrapup", task, reservation))
    if not task.of("accepted") and not task.is_over:
        task.status = "wrapping"
        publish(account, news(account, "task.wrapup", task))


def complete(account: "Account", task: Task, reason: str = "completed") -> None:
    """Close a task with all that belongs to it."""
    if task.is_over:
        return
    done = task.of("accepted", "wrapping")
    task.status, task.reason = "completed", reason
    for reservation in done:
        reservation.status = "completed"
    parts: list[Item] = [("reservation.completed", reservation) for reservation in done]
    publish_in_order(account, task, [("task.completed", None)], parts)


def caller_left(account: "Account", task: Task) -> None:
    """Act when a caller is out of the queue for good: canceled, or over for the workers who had the call."""
    if task.sid not in account.router.tasks or task.is_over:
        return
    if task.of("accepted", "wrapping"):
        for reservation in task.of("pending"):
            _close(account, reservation, "canceled")
        for reservation in task.of("accepted"):
            worker_left(account, reservation)
        return
    task.status, task.reason = "canceled", task.waiting.leg.interruption or "left the queue"
    parts: list[Item] = []
    for reservation in task.of("pending"):
        reservation.status = "canceled"
        if reservation.leg is not None:
            calls.finish(account, reservation.leg, "canceled", "caller-gone")
        parts.append(("reservation.canceled", reservation))
    publish_in_order(account, task, [("task.canceled", None)], parts)


def worker_left(account: "Account", reservation: Reservation) -> None:
    """Act when a worker's leg is over, as the switch says."""
    task, after = reservation.task, account.switches["taskrouter-after-call"]
    if task.sid not in account.router.tasks or reservation.status != "accepted" or after == "none":
        return
    wrap_up(account, reservation)
    if after == "completed" and not task.of("accepted", "pending"):  # a transfer was begun: another worker is asked
        complete(account, task, "the call is over")


def _close(account: "Account", reservation: Reservation, status: str) -> None:
    reservation.status = status
    publish(account, news(account, f"reservation.{status}", reservation.task, reservation))
