"""Fetching TwiML: the request, the rules for its answer, the fallback URL (Twilio: TwiML for Voice, MIME types)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from orchestrator.emulators.twilio import twiml
from orchestrator.emulators.twilio.calls import voice_params
from orchestrator.emulators.twilio.webhooks import Reply, Webhook

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account
    from orchestrator.emulators.twilio.model import Leg

RETRIEVAL_FAILURE, CONNECTION_FAILURE, CONTENT_TYPE_FAILURE = 11200, 11205, 12300
_XML = frozenset({"text/xml", "application/xml", "text/html"})


@dataclass(frozen=True)
class Step:
    """What a call does next: the document at ``url``, or ``text`` itself.

    ``kind`` is the operation's name for fault rules and the log; ``extra`` goes with the parameters.
    """

    kind: str
    url: str = ""
    method: str = "POST"
    extra: dict[str, str] = field(default_factory=dict)
    text: str | None = None


@dataclass(frozen=True)
class Document:
    """The verbs of a call's TwiML and the URL that relative ones are resolved against."""

    verbs: tuple[twiml.Element, ...]
    url: str

    def resolve(self, url: str) -> str:
        return urljoin(self.url, url) if url else ""


async def load(account: "Account", leg: "Leg", step: Step, verbs: frozenset[str] = twiml.VERBS) -> Document | None:
    """Return the document of a step, else that of the call's fallback URL, else None (all noted)."""
    problem = 0
    try:
        return await _fetch(account, leg, step, verbs)
    except twiml.DocumentError as failure:
        problem = failure.code
        account.alert(problem, leg.sid, f"{step.kind}: {failure}")
    if leg.fallback is None:
        return None
    (url, method), leg.fallback = leg.fallback, None
    extra = step.extra | {"ErrorCode": str(problem), "ErrorUrl": urldefrag(step.url).url}
    return await load(account, leg, Step("voice-fallback", url, method, extra), verbs)


def request(account: "Account", leg: "Leg", step: Step) -> Webhook:
    """Return the webhook that fetches a step's document."""
    return Webhook(step.kind, step.url, voice_params(account, leg) | step.extra, step.method)


async def _fetch(account: "Account", leg: "Leg", step: Step, verbs: frozenset[str]) -> Document:
    if step.text is not None:
        return Document(twiml.parse(step.text, verbs), step.url)
    reply = await account.hooks.request(request(account, leg, step))
    return Document(_read(account, leg, reply, verbs), urldefrag(step.url).url)


def _read(account: "Account", leg: "Leg", reply: Reply, verbs: frozenset[str]) -> tuple[twiml.Element, ...]:
    if reply.failure == "ct":
        raise twiml.DocumentError("no connection", CONNECTION_FAILURE)
    if reply.failure or not reply.is_ok:
        raise twiml.DocumentError(f"answered {reply.status or 'nothing in time'}", RETRIEVAL_FAILURE)
    if not reply.body.strip():
        if account.switches["empty-document"] == "hang-up":
            return ()
        raise twiml.DocumentError("an empty answer", twiml.DOCUMENT_FAILURE)
    kind = reply.content_type.partition(";")[0].strip().lower()
    if kind in _XML:
        return twiml.parse(reply.body, verbs)
    if kind == "text/plain":
        return _plain(account, leg, reply.body, verbs)
    if kind.startswith("audio/"):
        return (twiml.Element("Play", {}, "the answer itself", ()),)
    raise twiml.DocumentError(f"content type {kind or 'missing'}", CONTENT_TYPE_FAILURE)


def _plain(account: "Account", leg: "Leg", body: str, verbs: frozenset[str]) -> tuple[twiml.Element, ...]:
    """Read plain text: TwiML if it parses, else it is spoken aloud."""
    try:
        return twiml.parse(body, verbs)
    except twiml.DocumentError:
        account.alert(CONTENT_TYPE_FAILURE, leg.sid, "plain text is spoken aloud")
        return (twiml.Element("Say", {}, body, ()),)
