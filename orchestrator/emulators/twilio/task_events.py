"""TaskRouter's event callbacks (Twilio: TaskRouter Events reference).

Signed form posts to the workspace's EventCallbackUrl: epoch seconds as text, milliseconds beside them, and
`TaskAttributes` as JSON text. They carry no sequence number. Each shows the task as it was at its own moment.
"""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.webhooks import Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.tasks import Reservation, Task, Worker

_LATE_S: Final = 3.0
_SHUFFLED_WITHIN_S: Final = 1.0
_RESOURCES: Final = {"reservation": "ReservationSid", "task": "TaskSid", "workflow": "WorkflowSid"}


Item = tuple[str, "Reservation | None"]


@dataclass(frozen=True)
class News:
    """One event of a burst; what it shows is read when it is made."""

    event: str
    params: dict[str, str]


def news(account: "Account", event: str, task: "Task", reservation: "Reservation | None" = None) -> News:
    """Write an event down as things are now."""
    params = {**_event_params(account, event), **_task_params(account, task)}
    if reservation is not None:
        params["ReservationSid"] = reservation.sid
        params |= _worker_params(reservation.worker)
    kind = event.partition(".")[0]
    params |= {"ResourceType": kind, "ResourceSid": params[_RESOURCES.get(kind, "TaskQueueSid")]}
    return News(event, params)


def publish(account: "Account", *burst: News) -> None:
    """Send events that belong together, in the order and with the delay of the switches."""
    workspace = account.router.workspace
    if workspace is None or not workspace.event_callback_url:
        return
    delay_s = _LATE_S / account.clock.speed if account.switches["taskrouter-delay"] == "late" else 0.0
    for item in burst:
        if workspace.events and item.event not in workspace.events:
            continue
        hook = Webhook("taskrouter-event", workspace.event_callback_url, item.params)
        account.hooks.send(hook, delay_s + _scatter_s(account))


def _scatter_s(account: "Account") -> float:
    if account.switches["taskrouter-order"] != "shuffled":
        return 0.0
    return account.router.random.uniform(0, _SHUFFLED_WITHIN_S) / account.clock.speed


def publish_in_order(account: "Account", task: "Task", first: list[Item], second: list[Item]) -> None:
    """Tell ``first`` and then ``second``; the other way round where the order is to be the documents'."""
    is_documented = account.switches["taskrouter-order"] == "documented"
    items = [*second, *first] if is_documented else [*first, *second]
    publish(account, *(news(account, event, task, reservation) for event, reservation in items))


def _event_params(account: "Account", event: str) -> dict[str, str]:
    moment_ms = account.router.moment_ms()
    workspace = account.router.workspace
    return {
        "EventType": event,
        "Sid": sid("EV"),
        "AccountSid": account.sid,
        "WorkspaceSid": workspace.sid if workspace else "",
        "WorkspaceName": "Emulated",
        "EventDescription": event.replace(".", " "),
        "Timestamp": str(moment_ms // 1000),
        "TimestampMs": str(moment_ms),
    }


def _task_params(account: "Account", task: "Task") -> dict[str, str]:
    age = max(0.0, time.time() - task.created) * account.clock.speed
    params = {
        "TaskSid": task.sid,
        "TaskAttributes": json.dumps(task.attributes),
        "TaskAge": str(round(age)),
        "TaskPriority": "0",
        "TaskAssignmentStatus": task.status,
        "TaskVersion": str(task.version),
        "TaskChannelUniqueName": "voice",
        "TaskQueueSid": task.queue_sid,
        "TaskQueueName": "Everyone",
        "WorkflowSid": task.workflow_sid,
        "WorkflowName": "Assign to anyone",
    }
    reasons = {"canceled": "TaskCanceledReason", "completed": "TaskCompletedReason"}
    return params | ({reasons[task.status]: task.reason} if task.status in reasons else {})


def _worker_params(worker: "Worker") -> dict[str, str]:
    return {
        "WorkerSid": worker.sid,
        "WorkerName": worker.name,
        "WorkerAttributes": json.dumps({"contact_uri": worker.identity}),
        "WorkerActivityName": "Available",
        "WorkerVersion": "0",
    }
