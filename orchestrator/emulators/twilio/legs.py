"""Placing legs: who is called, how long it rings, who answers first, what it is told before the bridge."""

import asyncio
from typing import TYPE_CHECKING

from orchestrator.emulators.twilio import calls, documents
from orchestrator.emulators.twilio.documents import Step
from orchestrator.emulators.twilio.model import Leg, Role
from orchestrator.emulators.twilio.prompts import PROMPTS
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

_AUTO_ANSWER_S = 2.0


def address(noun: Element) -> str:
    """Return the `To` of a noun of `<Dial>`."""
    if noun.tag != "Client":
        return noun.text
    identity = next((child.text for child in noun.children if child.tag == "Identity"), noun.text)
    return identity if identity.startswith("client:") else f"client:{identity}"


def role_of(sender: str) -> Role:
    """Return who calls: a phone is a customer, also through a SIP trunk; a named device is an agent's."""
    kind, _, name = sender.partition(":")
    is_device = kind == "client" or (kind in {"sip", "sips"} and not name.removeprefix("+")[:1].isdigit())
    return Role.AGENT if is_device else Role.CUSTOMER


def role_of_child(parent: Leg, noun: str) -> Role:
    """Return who is called: an agent's device calls customers by number; all else called is agents."""
    is_customer = parent.role is Role.AGENT and noun == "Number"
    return Role.CUSTOMER if is_customer else Role.AGENT


async def first_answer(account: "Account", called: list[Leg], timeout_s: float) -> Leg | None:
    """Ring legs until one answers, and end the others. None when nobody did within the time limit."""
    for leg in called:
        calls.ring(account, leg)
    ringing = {asyncio.create_task(_answer_of(account, leg)): leg for leg in called}
    winner: Leg | None = None
    try:
        async with asyncio.timeout(timeout_s / account.clock.speed):
            winner = await _first(ringing)
    except TimeoutError:
        pass
    finally:
        for task in ringing:
            task.cancel()
    for leg in called:
        if leg is not winner:
            calls.finish(account, leg, "no-answer" if winner is None else "canceled", "not-answered")
    return winner


async def _first(ringing: "dict[asyncio.Task[str], Leg]") -> Leg | None:
    pending = set(ringing)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.result() == "answered":
                return ringing[task]
    return None


async def _answer_of(account: "Account", leg: Leg) -> str:
    outcome = account.switches["dial-answer"]
    if outcome == "manual" and leg.picked_up is not None:
        outcome = await leg.picked_up
    else:
        await account.clock.sleep(_AUTO_ANSWER_S)
    if outcome in {"auto", "answered"}:
        calls.answer(account, leg)
        return "answered"
    calls.finish(account, leg, outcome, "declined")
    return outcome


async def whisper(account: "Account", leg: Leg, url: str, method: str) -> None:
    """Play a document to a called party before it is connected; `<Hangup>` ends its leg."""
    document = await documents.load(account, leg, Step("whisper", url, method), frozenset(PROMPTS))
    if document is None:
        calls.finish(account, leg, "failed", "application-error")
        return
    for verb in document.verbs:
        if not leg.is_over and verb.tag in PROMPTS:
            await PROMPTS[verb.tag](account, leg, document, verb)
