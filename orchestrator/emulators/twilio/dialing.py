"""`<Dial>`: into a conference, to other parties, to a waiting caller (Twilio: Dial, Conference, Number).

The action URL is requested on every way out. After a redirect or a hang-up its answer is ignored.
"""

import asyncio
from typing import TYPE_CHECKING

from orchestrator.emulators.twilio import calls, documents, legs, rooms
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.model import Callback, Leg, Member
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

_TIMEOUT_S = 30
_DEFAULT_EVENTS = {"start-end": frozenset({"start", "end"}), "none": frozenset[str](), "all": rooms.EVENTS}


async def dial(account: "Account", leg: Leg, document: Document, verb: Element) -> Step | None:
    """Connect the leg with whom the verb names; return the step to the action URL, if there is one."""
    outcome: dict[str, str] = {"DialCallStatus": "completed"}
    try:
        outcome = await _connect(account, leg, document, verb)
    except asyncio.CancelledError:
        step = _action(document, verb, outcome)
        is_wanted = leg.interruption == "redirect" or account.switches["action-after-hangup"] == "send"
        if step is not None and is_wanted:
            account.hooks.send(documents.request(account, leg, step))
        raise
    return _action(document, verb, outcome)


def _action(document: Document, verb: Element, outcome: dict[str, str]) -> Step | None:
    if not verb.get("action"):
        return None
    return Step("dial-action", document.resolve(verb.get("action")), verb.get("method", "POST"), outcome)


async def _connect(account: "Account", leg: Leg, document: Document, verb: Element) -> dict[str, str]:
    nouns = verb.children or (Element("Number", {}, verb.text, ()),)
    if nouns[0].tag == "Conference":
        return await _conference(account, leg, document, nouns[0])
    if nouns[0].tag == "Queue":
        return await _queue(account, leg, verb, nouns[0])
    return await _parties(account, leg, document, verb, nouns)


async def _conference(account: "Account", leg: Leg, document: Document, noun: Element) -> dict[str, str]:
    member = Member(
        leg,
        label=noun.get("participantLabel"),
        muted=noun.flag("muted"),
        coaching=bool(noun.get("coach")),
        coached_sid=noun.get("coach"),
        start_on_enter=noun.flag("startConferenceOnEnter", default=True),
        end_on_exit=noun.flag("endConferenceOnExit"),
    )
    callback = rooms.callback_of(
        document.resolve(noun.get("statusCallback")),
        noun.get("statusCallbackMethod"),
        noun.get("statusCallbackEvent"),
        _DEFAULT_EVENTS[account.switches["conference-default-events"]],
    )
    if not rooms.join(account, leg, noun.text, member, callback):
        return {"DialCallStatus": "failed"}
    await member.gone.wait()
    return {"DialCallStatus": "answered"}


async def _queue(account: "Account", leg: Leg, verb: Element, noun: Element) -> dict[str, str]:
    name = noun.get("reservationSid") or noun.text
    try:
        limit_s = verb.number("timeout", _TIMEOUT_S) / account.clock.speed
        waiting = await asyncio.wait_for(account.queues.take(name), limit_s)
    except TimeoutError:
        return {"DialCallStatus": "no-answer"}
    mine, theirs = rooms.bridge(account, leg, waiting.leg)
    waiting.taken.set_result(theirs)
    await mine.gone.wait()
    return {"DialCallStatus": "completed", "DialCallSid": waiting.leg.sid, "DialBridged": "true"}


async def _parties(
    account: "Account", leg: Leg, document: Document, verb: Element, nouns: tuple[Element, ...]
) -> dict[str, str]:
    """Ring everybody named; the first to answer is connected, the others are given up."""
    children = {_child(account, leg, document, verb, noun): noun for noun in nouns}
    try:
        answered = await legs.first_answer(account, list(children), verb.number("timeout", _TIMEOUT_S))
        if answered is None:
            return {"DialCallStatus": _unanswered(list(children)), "DialCallSid": next(iter(children)).sid}
        return await _bridge(account, leg, answered, document, children[answered])
    except asyncio.CancelledError:
        keeps = leg.interruption == "redirect" and account.switches["child-on-parent-redirect"] == "keep"
        for child in children:
            if not keeps:
                calls.finish(account, child, "completed" if child.is_in_progress else "canceled", "parent-ended")
        raise


def _child(account: "Account", leg: Leg, document: Document, verb: Element, noun: Element) -> Leg:
    callback = Callback(
        document.resolve(noun.get("statusCallback")),
        noun.get("statusCallbackMethod", "POST"),
        frozenset((noun.get("statusCallbackEvent") or "completed").split()),
    )
    child = Leg(
        sender=verb.get("callerId") or leg.sender,
        to=legs.address(noun),
        direction="outbound-dial",
        role=legs.role_of_child(leg, noun.tag),
        parent=leg,
        callbacks=[callback],
    )
    return account.add(child)


def _unanswered(children: list[Leg]) -> str:
    statuses = [child.status for child in children]
    return next((status for status in ("busy", "failed", "no-answer") if status in statuses), "no-answer")


async def _bridge(account: "Account", leg: Leg, child: Leg, document: Document, noun: Element) -> dict[str, str]:
    began = account.clock.now()
    outcome = {"DialCallStatus": "completed", "DialCallSid": child.sid, "DialBridged": "false"}
    if noun.get("url"):
        await legs.whisper(account, child, document.resolve(noun.get("url")), noun.get("method", "POST"))
    if not child.is_over:
        calls.answer(account, leg)
        _, far_end = rooms.bridge(account, leg, child)
        await far_end.gone.wait()
        outcome["DialBridged"] = "true"
    if child.is_over:
        outcome["DialCallDuration"] = str(round(account.clock.now() - began))
    return outcome
