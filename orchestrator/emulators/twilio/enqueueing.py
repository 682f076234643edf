"""`<Enqueue>` and `<Leave>`: a caller parked in a queue (Twilio: Enqueue).

A queue of a workflow goes by the workflow's SID, and `taskrouter` makes a task of the caller. The action URL
is requested on every way out, with QueueResult; QueueSid and QueueTime only for who really waited.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.twilio import documents, taskrouter
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.queues import Waiting
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

_LONGEST_QUEUE = 1000
Result = dict[str, str]


async def enqueue(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    """Wait, be bridged, come back; the action URL is requested on every way out."""
    name = verb.get("workflowSid") or verb.text or "default"
    attributes = _attributes(account, leg, verb)
    refusal = "error" if attributes is None else _refusal(account, leg, name, verb)
    if refusal:
        return _action(document, verb, {"QueueResult": refusal})
    waiting = Waiting(leg, account.clock.now())
    try:
        result = await _wait(account, name, waiting, verb, attributes or {})
    except asyncio.CancelledError:
        result = _cut_result(account, leg, waiting)
        step = _action(document, verb, _queued(account, name, waiting, result))
        if step is not None:
            account.hooks.send(documents.request(account, leg, step))
        raise
    return _action(document, verb, _queued(account, name, waiting, result))


async def leave(_account: "Account", _leg: "Leg", _document: Document, _verb: Element) -> Step | None:
    """Do nothing: `<Leave>` belongs into the document of a queue's waitUrl, which is not played."""
    return None


async def _wait(account: "Account", name: str, waiting: Waiting, verb: Element, attributes: dict[str, Any]) -> str:
    leg = waiting.leg
    task = taskrouter.enter(account, name, waiting, attributes) if verb.get("workflowSid") else None
    try:
        await account.queues.enter(name, waiting)
        leg.playing = Kind.QUEUE_MUSIC
        member = await waiting.taken
        if member is None:
            return "leave"
        await member.gone.wait()
        return "bridged"
    finally:
        account.queues.remove(waiting)
        leg.playing = None
        if task is not None:
            taskrouter.caller_left(account, task)


def _attributes(account: "Account", leg: "Leg", verb: Element) -> dict[str, Any] | None:
    """Return what `<Task>` says; None when that is not a JSON object, as it must be."""
    text = next((child.text for child in verb.children if child.tag == "Task"), "") or "{}"
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        account.alert(0, leg.sid, "<Task> is not a JSON object")
        return None
    return given


def _refusal(account: "Account", leg: "Leg", name: str, verb: Element) -> str:
    """Return why the caller is not queued; empty when it is."""
    wanted = leg.enqueue_outcome or account.switches["enqueue-outcome"]
    if wanted != "queued":
        return wanted
    longest = verb.number("maxQueueSize", _LONGEST_QUEUE)
    return "queue-full" if len(account.queues.waiting.get(name, [])) >= longest else ""


def _cut_result(account: "Account", leg: "Leg", waiting: Waiting) -> str:
    is_bridged = waiting.taken.done() and not waiting.taken.cancelled()
    if leg.interruption == "redirect":
        return "redirected-from-bridged" if is_bridged else "redirected"
    if is_bridged:
        return "bridged"
    return account.switches["queue-result-while-bridging"] if waiting.is_ordered else "hangup"


def _queued(account: "Account", name: str, waiting: Waiting, result: str) -> Result:
    return {
        "QueueResult": result,
        "QueueSid": account.queues.sid_of(name),
        "QueueTime": str(round(account.clock.now() - waiting.since)),
    }


def _action(document: Document, verb: Element, result: Result) -> Step | None:
    if not verb.get("action"):
        return None
    return Step("enqueue-action", document.resolve(verb.get("action")), verb.get("method", "POST"), result)
