"""What a call does with its documents: one task for each leg, one small function for each verb.

A verb returns the `Step` to another document, or None to go on with the next verb. A document that ends
ends the call. A redirect or a hang-up cancels the task; ``leg.interruption`` says which it was.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from orchestrator.emulators.twilio import calls, dialing, documents, enqueueing, media, rooms
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.prompts import PROMPTS, Verb
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

# Verbs that leave the phone ringing (Twilio: Reject; Dial, answerOnBridge).
_UNANSWERED: Final = frozenset({"Reject", "Redirect", "Hangup"})


def launch(account: "Account", leg: "Leg", step: Step) -> None:
    """Begin a leg's first document."""
    leg.task = asyncio.create_task(_run(account, leg, step))


def redirect(account: "Account", leg: "Leg", step: Step) -> None:
    """Leave whatever the leg does and go on with another document (Twilio: Call resource, update)."""
    before = leg.task
    leg.interruption = "redirect"
    if leg.parent is not None and leg in leg.parent.children:
        leg.parent.children.remove(leg)  # it lives on its own from here
    rooms.leave(account, leg, "participant_updated_via_api")
    if account.switches["streams-on-redirect"] == "end":
        for stream in leg.streams:
            stream.stop()
    if before is not None:
        before.cancel()
    leg.task = asyncio.create_task(_run_after(account, leg, before, step))


async def _run_after(account: "Account", leg: "Leg", before: "asyncio.Task[None] | None", step: Step) -> None:
    if before is not None:
        await asyncio.gather(before, return_exceptions=True)
    await _run(account, leg, step)


async def _run(account: "Account", leg: "Leg", step: Step) -> None:
    leg.interruption = ""
    following: Step | None = step
    while following is not None:
        document = await documents.load(account, leg, following)
        if document is None:
            calls.finish(account, leg, "completed" if leg.is_in_progress else "failed", "application-error")
            return
        following = await _play(account, leg, document)
    calls.finish(account, leg, "completed", "document-end")


async def _play(account: "Account", leg: "Leg", document: Document) -> Step | None:
    for place, verb in enumerate(document.verbs, 1):
        leg.position = f"{verb.tag} ({place} of {len(document.verbs)})"
        if verb.tag not in _UNANSWERED and not verb.flag("answerOnBridge"):
            calls.answer(account, leg)
        try:
            following = await _perform(account, leg, document, verb)
        except asyncio.CancelledError:
            _fetch_tail(account, leg, document, place)
            raise
        if following is not None or leg.is_over:
            return following
    return None


async def _perform(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    if verb.tag not in _VERBS:
        account.alert(0, leg.sid, f"<{verb.tag}> is the vendor's, but this emulator does not play it")
        return None
    return await _VERBS[verb.tag](account, leg, document, verb)


def _fetch_tail(account: "Account", leg: "Leg", document: Document, place: int) -> None:
    """Request the `<Redirect>` behind a `<Dial>` without action that a redirect cancels; ignore the answer."""
    verb, rest = document.verbs[place - 1], document.verbs[place:]
    if leg.interruption == "redirect" and verb.tag == "Dial" and not verb.get("action") and rest:
        tail = rest[0]
        if tail.tag == "Redirect":
            step = Step("redirect", document.resolve(tail.text), tail.get("method", "POST"))
            account.hooks.send(documents.request(account, leg, step))


async def _redirect(_account: "Account", _leg: "Leg", document: Document, verb: Element) -> Step | None:
    return Step("redirect", document.resolve(verb.text), verb.get("method", "POST"))


async def _reject(account: "Account", leg: "Leg", _document: Document, verb: Element) -> Step | None:
    calls.finish(account, leg, "busy" if verb.get("reason") == "busy" else "no-answer", "reject-verb")
    return None


async def _start(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    for noun in verb.children:
        order = media.Order(
            url=document.resolve(noun.get("url")),
            name=noun.get("name"),
            track=noun.get("track", "inbound_track"),
            callback_url=document.resolve(noun.get("statusCallback")),
            callback_method=noun.get("statusCallbackMethod", "POST"),
            parameters={item.get("name"): item.get("value") for item in noun.children},
        )
        try:
            media.open_stream(account, leg, order)
        except media.StreamRefusedError as refusal:
            account.alert(0, leg.sid, str(refusal))
    return None


async def _stop(account: "Account", leg: "Leg", _document: Document, verb: Element) -> Step | None:
    for noun in verb.children:
        stream = media.find_stream(leg, noun.get("name"))
        if stream is not None and stream.is_running:
            stream.stop()
            continue
        account.alert(0, leg.sid, f"<Stop>: no stream named {noun.get('name')} runs")
        if account.switches["stop-unknown-stream"] == "fail":
            calls.finish(account, leg, "completed", "application-error")
    return None


_VERBS: Final[dict[str, Verb]] = {
    **PROMPTS,
    "Redirect": _redirect,
    "Reject": _reject,
    "Start": _start,
    "Stop": _stop,
    "Dial": dialing.dial,
    "Enqueue": enqueueing.enqueue,
    "Leave": enqueueing.leave,
}
