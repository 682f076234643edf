"""The verbs that only make sound or end the call; a whisper may use these and no others."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.twilio import calls
from orchestrator.emulators.twilio.documents import Document, Step
from orchestrator.emulators.twilio.twiml import Element

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

Verb = Callable[["Account", "Leg", Document, Element], Awaitable[Step | None]]

_WORDS_PER_S = 3
_PLAY_S = 3.0
_FOREVER = 1000
_GATHER_S = 5


async def say(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    """Speak a text: survey sound when it or its document is about a survey, else IVR sound."""
    seconds = max(1.0, len(verb.text.split()) / _WORDS_PER_S)
    await _sound(account, leg, _kind(document, verb), seconds * (verb.number("loop", 1) or _FOREVER))
    return None


async def play(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    """Play a file, which is not fetched."""
    await _sound(account, leg, _kind(document, verb), _PLAY_S * (verb.number("loop", 1) or _FOREVER))
    return None


async def pause(account: "Account", _leg: "Leg", _document: Document, verb: Element) -> Step | None:
    await account.clock.sleep(verb.number("length", 1))
    return None


async def gather(account: "Account", leg: "Leg", document: Document, verb: Element) -> Step | None:
    """Play what is inside and wait; nobody presses a key here."""
    for child in verb.children:
        await PROMPTS[child.tag](account, leg, document, child)
    await account.clock.sleep(verb.number("timeout", _GATHER_S))
    if not verb.flag("actionOnEmptyResult"):
        return None
    url = document.resolve(verb.get("action")) or document.url
    return Step("gather-action", url, verb.get("method", "POST"))


async def hangup(account: "Account", leg: "Leg", _document: Document, _verb: Element) -> Step | None:
    calls.finish(account, leg, "completed", "hangup-verb")
    return None


def _kind(document: Document, verb: Element) -> Kind:
    is_survey = "survey" in verb.text.lower() or "survey" in document.url.partition("?")[0].lower()
    return Kind.SURVEY if is_survey else Kind.IVR


async def _sound(account: "Account", leg: "Leg", kind: Kind, seconds: float) -> None:
    leg.playing = kind
    try:
        await account.clock.sleep(seconds)
    finally:
        leg.playing = None


PROMPTS: Final[dict[str, Verb]] = {
    "Say": say,
    "Play": play,
    "Pause": pause,
    "Gather": gather,
    "Hangup": hangup,
}
