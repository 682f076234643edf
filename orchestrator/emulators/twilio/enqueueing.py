"""`<Enqueue>` and `<Leave>`: a caller parked in a queue (Twilio: Enqueue).

A queue of a workflow goes by the workflow's SID and keeps the task's attributes beside the caller, for
whoever plays TaskRouter.
"""

import asyncio
from typing import TYPE_CHECKING

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.twilio import documents
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.queues import Waiting
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg


async def enqueue(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    """Wait, be bridged, come back; the action URL is requested on every way out."""
    name = verb.get("workflowSid") or verb.text or "default"
    task = next((child.text for child in verb.children if child.tag == "Task"), "")
    waiting = Waiting(leg, account.clock.now(), task)
    try:
        await account.queues.enter(name, waiting)
        leg.playing = Kind.QUEUE_MUSIC
        member = await waiting.taken
        await member.gone.wait()
    except asyncio.CancelledError:
        step = _action(account, document, verb, _cut_result(leg, waiting), name, waiting)
        if step is not None:
            account.hooks.send(documents.request(account, leg, step))
        raise
    finally:
        account.queues.leave(name, waiting)
        leg.playing = None
    return _action(account, document, verb, "bridged", name, waiting)


async def leave(_account: "Account", _leg: "Leg", _document: Document, _verb: Element) -> Step | None:
    """Do nothing: `<Leave>` belongs into the document of a queue's waitUrl, which is not played."""
    return None


def _cut_result(leg: "Leg", waiting: Waiting) -> str:
    is_bridged = waiting.taken.done() and not waiting.taken.cancelled()
    if leg.interruption == "redirect":
        return "redirected-from-bridged" if is_bridged else "redirected"
    return "bridged" if is_bridged else "hangup"


def _action(
    account: "Account", document: Document, verb: Element, result: str, name: str, waiting: Waiting
) -> Step | None:
    if not verb.get("action"):
        return None
    extra = {
        "QueueResult": result,
        "QueueSid": account.queues.sid_of(name),
        "QueueTime": str(round(account.clock.now() - waiting.since)),
    }
    return Step("enqueue-action", document.resolve(verb.get("action")), verb.get("method", "POST"), extra)
