"""How legs come about: somebody calls a number, the account calls somebody, a leg is put into a conference."""

import asyncio
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from orchestrator.emulators.twilio import calls, interpreter, legs
from orchestrator.emulators.twilio.documents import Step
from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.model import Callback, Conference, Leg, Role

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account


def sip_params(sender: str, to: str, headers: dict[str, str]) -> dict[str, str]:
    """Return what the webhooks of a call to a SIP domain carry besides (Twilio: SIP Domain calls)."""
    if not to.startswith(("sip:", "sips:")):
        return {f"SipHeader_{name}": value for name, value in headers.items()}
    host = to.rpartition("@")[2].partition(";")[0].partition(":")[0]
    named = {f"SipHeader_{name}": value for name, value in headers.items()}
    return {"SipDomain": host, "SipCallId": f"{sid('')}@{sender.rpartition('@')[2] or host}", **named}


def incoming(
    account: "Account",
    sender: str,
    to: str,
    asides: dict[str, str],
    settings: dict[str, str],
    role: Role | None = None,
) -> Leg:
    """Let somebody call; ``settings`` are those of the number or application that takes the call."""
    leg = Leg(sender, to, "inbound", role or legs.role_of(sender), status="ringing", asides=asides)
    account.add(leg)
    if settings.get("status_callback"):
        method = settings.get("status_callback_method") or "POST"
        leg.callbacks.append(Callback(settings["status_callback"], method))
    if settings.get("voice_fallback_url"):
        leg.fallback = (settings["voice_fallback_url"], settings.get("voice_fallback_method") or "POST")
    if not settings.get("voice_url"):
        # Calls to a number without a voice URL fail at once and leave no trace (field report).
        calls.finish(account, leg, "failed", "no-voice-url")
        return leg
    step = Step("voice", settings["voice_url"], settings.get("voice_method") or "POST")
    interpreter.launch(account, leg, step)
    return leg


def settings_for(account: "Account", to: str) -> dict[str, str]:
    """Return the voice settings that a call to ``to`` meets: its number's, else the first application's."""
    number = account.numbers.get(to)
    if number is None:
        return next(iter(account.applications.values()), {})
    application = account.applications.get(number.settings.get("voice_application_sid", ""))
    return number.settings if application is None else number.settings | application


def outgoing(account: "Account", leg: Leg, step: Step, timeout_s: float) -> Leg:
    """Call somebody; whoever answers meets the document of ``step``."""
    account.add(leg)
    leg.task = asyncio.create_task(_dial_out(account, leg, step, timeout_s))
    return leg


def into_conference(account: "Account", leg: Leg, conference: Conference, attributes: dict[str, str]) -> Leg:
    """Let a device call in and be put into a conference by its own TwiML, as an agent's device is."""
    leg.status = "ringing"
    account.add(leg)
    interpreter.launch(account, leg, conference_step(conference.name, attributes))
    return leg


def conference_step(name: str, attributes: dict[str, str]) -> Step:
    """Return the step into a conference, with the attributes of the noun."""
    given = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items() if value)
    dial = f"<Response><Dial><Conference{given}>{escape(name)}</Conference></Dial></Response>"
    return Step("device", text=dial)


def device(identity: str, role: Role = Role.AGENT) -> Leg:
    """Return the leg of an account's device that calls in."""
    return Leg(f"client:{identity}", "", "inbound", role)


async def _dial_out(account: "Account", leg: Leg, step: Step, timeout_s: float) -> None:
    answered = await legs.first_answer(account, [leg], timeout_s)
    if answered is not None:
        interpreter.launch(account, leg, step)
