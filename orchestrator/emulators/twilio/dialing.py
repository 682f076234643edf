"""`<Dial>`: into a conference, to other parties, to a waiting caller (Twilio: Dial, Conference, Number).

The action URL is requested on every way out. After a redirect or a hang-up its answer is ignored.
The outcome is filled in while it comes about, so that a dial that is cut short says how far it came:
``canceled`` while it rang, ``answered`` in a conference, ``completed`` once an agent had answered.
"""

import asyncio
from typing import TYPE_CHECKING

from orchestrator.emulators.twilio import calls, documents, legs, rooms
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.model import Callback, Leg, Member
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Outcome = dict[str, str]
INVALID_CALLER_ID = 13214
_TIMEOUT_S, _LONGEST_S = 30, 14_400
_DEFAULT_EVENTS = {"start-end": frozenset({"start", "end"}), "none": frozenset[str](), "all": rooms.EVENTS}


async def dial(account: "Account", leg: Leg, document: Document, verb: Element) -> Step | None:
    """Connect the leg with whom the verb names; return the step to the action URL, if there is one."""
    outcome: Outcome = {"DialCallStatus": "canceled"}
    try:
        await _connect(account, leg, document, verb, outcome)
    except asyncio.CancelledError:
        step = _action(document, verb, outcome)
        is_wanted = leg.interruption == "redirect" or account.switches["action-after-hangup"] == "send"
        if step is not None and is_wanted:
            account.hooks.send(documents.request(account, leg, step))
        raise
    return _action(document, verb, outcome)


def _action(document: Document, verb: Element, outcome: Outcome) -> Step | None:
    if not verb.get("action"):
        return None
    return Step("dial-action", document.resolve(verb.get("action")), verb.get("method", "POST"), outcome)


async def _connect(account: "Account", leg: Leg, document: Document, verb: Element, outcome: Outcome) -> None:
    nouns = verb.children or (Element("Number", {}, verb.text, ()),)
    if nouns[0].tag == "Conference":
        await _conference(account, leg, document, nouns[0], outcome)
    elif nouns[0].tag == "Queue":
        await _queue(account, leg, verb, nouns[0], outcome)
    else:
        await _parties(account, leg, document, verb, nouns, outcome)


async def _conference(account: "Account", leg: Leg, document: Document, noun: Element, outcome: Outcome) -> None:
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
    calls.answer(account, leg)
    if not rooms.join(account, leg, noun.text, member, callback):
        outcome["DialCallStatus"] = "failed"
        return
    outcome["DialCallStatus"] = "answered"
    await member.gone.wait()


async def _queue(account: "Account", leg: Leg, verb: Element, noun: Element, outcome: Outcome) -> None:
    """Take who has waited longest, or the caller whom a reservation of TaskRouter holds."""
    limit_s = verb.number("timeout", _TIMEOUT_S) / account.clock.speed
    try:
        async with asyncio.timeout(limit_s):
            waiting = await account.queues.take(noun.text, noun.get("reservationSid"))
    except TimeoutError:
        outcome["DialCallStatus"] = "no-answer"
        return
    calls.answer(account, leg)
    mine, theirs = rooms.bridge(account, leg, waiting.leg)
    waiting.taken.set_result(theirs)
    outcome |= {"DialCallStatus": "completed", "DialCallSid": waiting.leg.sid, "DialBridged": "true"}
    await mine.gone.wait()


async def _parties(
    account: "Account", leg: Leg, document: Document, verb: Element, nouns: tuple[Element, ...], outcome: Outcome
) -> None:
    """Ring everybody named; the first to answer is connected, the others are given up."""
    if not _may_show(account, leg, verb, nouns):
        account.alert(INVALID_CALLER_ID, leg.sid, f"callerId {verb.get('callerId') or 'is missing'}")
        outcome["DialCallStatus"] = "failed"
        return
    children = {_child(account, leg, document, verb, noun): noun for noun in nouns}
    outcome["DialCallSid"] = next(iter(children)).sid
    try:
        answered = await legs.first_answer(account, list(children), verb.number("timeout", _TIMEOUT_S))
        if answered is None:
            outcome["DialCallStatus"] = _unanswered(list(children))
            return
        noun, limit_s = children[answered], verb.number("timeLimit", _LONGEST_S)
        await _bridge(account, leg, answered, document, noun, limit_s, outcome)
    except asyncio.CancelledError:
        calls.part(account, leg)
        raise


def _may_show(account: "Account", leg: Leg, verb: Element, nouns: tuple[Element, ...]) -> bool:
    """A number is shown the calling number, the called one or one of the account (Twilio: error 13214).

    A `client:` or `sip:` caller has no number of its own. What a carrier sent, words for withheld ones too, is passed
    on where no callerId is given.
    """
    if all(noun.tag != "Number" for noun in nouns):
        return True
    is_device = leg.sender.startswith(("client:", "sip:", "sips:"))
    shown = verb.get("callerId") or ("" if is_device else leg.sender)
    return shown in account.numbers or (not is_device and shown in {leg.sender, leg.to})


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
    ranked = ("busy", "failed", "canceled", "no-answer")
    return next((status for status in ranked if status in statuses), "no-answer")


async def _bridge(
    account: "Account", leg: Leg, child: Leg, document: Document, noun: Element, limit_s: float, outcome: Outcome
) -> None:
    """Whisper to who answered, then connect the two. Answered is not bridged: a whisper may hang up."""
    began = account.clock.now()
    outcome |= {"DialCallStatus": "completed", "DialCallSid": child.sid, "DialBridged": "false"}
    if noun.get("url"):
        await legs.whisper(account, child, document.resolve(noun.get("url")), noun.get("method", "POST"))
    if not child.is_over:
        calls.answer(account, leg)
        _, far_end = rooms.bridge(account, leg, child)
        outcome["DialBridged"] = "true"
        await _until_apart(account, child, far_end, limit_s)
    if child.is_over:
        outcome["DialCallDuration"] = str(round(account.clock.now() - began))


async def _until_apart(account: "Account", child: Leg, far_end: Member, limit_s: float) -> None:
    try:
        # Not `wait_for`: that forgets a redirect's cancellation when the far end went at the same moment.
        async with asyncio.timeout(limit_s / account.clock.speed):
            await far_end.gone.wait()
    except TimeoutError:
        calls.finish(account, child, "completed", "time-limit")
