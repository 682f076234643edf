"""TwiML: from text to verbs, refusing what is not in the vendor's grammar (12100).

Only the grammar lives here (Twilio: TwiML for Programmable Voice, one page for each verb); what a verb
does is in `interpreter`. Verbs that are the vendor's but that the emulator does not play are read and
marked, so that a document with one of them is not refused.
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

DOCUMENT_FAILURE: Final = 12100

_SPEECH = {"voice", "language", "loop"}
_CALLBACK = {"statusCallback", "statusCallbackMethod"}
_NOUN = {"url", "method", "statusCallback", "statusCallbackMethod", "statusCallbackEvent"}
_AMD = {"machineDetection", "amdStatusCallback", "amdStatusCallbackMethod", "machineDetectionTimeout"}

ATTRIBUTES: Final[dict[str, frozenset[str]]] = {
    tag: frozenset(names)
    for tag, names in {
        "Response": set[str](),
        "Say": _SPEECH,
        "Play": {"loop", "digits"},
        "Pause": {"length"},
        "Redirect": {"method"},
        "Reject": {"reason"},
        "Hangup": set[str](),
        "Leave": set[str](),
        "Gather": {
            *{"input", "action", "method", "timeout", "speechTimeout", "maxSpeechTime", "numDigits", "hints"},
            *{"finishOnKey", "language", "profanityFilter", "actionOnEmptyResult", "barge", "bargeIn"},
            *{"partialResultCallback", "partialResultCallbackMethod", "speechModel", "enhanced", "debug"},
        },
        "Start": {"action", "method"},
        "Stop": set[str](),
        "Stream": {"url", "name", "track", "connectorName", *_CALLBACK},
        "Parameter": {"name", "value"},
        "Dial": {
            *{"action", "method", "timeout", "timeLimit", "hangupOnStar", "callerId", "record", "trim"},
            *{"recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent"},
            *{"answerOnBridge", "ringTone", "recordingTrack", "sequential", "referUrl", "referMethod"},
        },
        "Number": {"sendDigits", "byoc", "callerIdSource", *_NOUN, *_AMD},
        "Client": _NOUN,
        "Identity": set[str](),
        "Sip": {"username", "password", *_NOUN, *_AMD},
        "Queue": {"url", "method", "reservationSid", "postWorkActivitySid"},
        "Conference": {
            *{"muted", "beep", "startConferenceOnEnter", "endConferenceOnExit", "waitUrl", "waitMethod"},
            *{"maxParticipants", "record", "region", "coach", "trim", "statusCallbackEvent", "eventCallbackUrl"},
            *{"recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent"},
            *{"jitterBufferSize", "participantLabel", *_CALLBACK},
        },
        "Enqueue": {"action", "method", "waitUrl", "waitUrlMethod", "workflowSid", "maxQueueSize"},
        "Task": {"priority", "timeout"},
    }.items()
}
CHILDREN: Final[dict[str, frozenset[str]]] = {
    "Gather": frozenset({"Say", "Play", "Pause"}),
    "Start": frozenset({"Stream"}),
    "Stop": frozenset({"Stream"}),
    "Stream": frozenset({"Parameter"}),
    "Dial": frozenset({"Number", "Client", "Sip", "Conference", "Queue"}),
    "Client": frozenset({"Identity", "Parameter"}),
    "Enqueue": frozenset({"Task"}),
}
VERBS: Final = frozenset(
    ["Say", "Play", "Pause", "Redirect", "Reject", "Hangup", "Leave", "Gather", "Start", "Stop", "Dial", "Enqueue"],
)
NOT_PLAYED: Final = frozenset(["Connect", "Record", "Sms", "Message", "Prompt", "Pay", "Refer", "Echo"])
_WHOLE_NUMBERS: Final = frozenset({"timeout", "timeLimit", "length", "loop", "maxParticipants", "priority"})
_PARAMETER_LIMIT: Final = 500


class DocumentError(Exception):
    """The document is not TwiML; ``code`` is the vendor's."""

    def __init__(self, detail: str, code: int = DOCUMENT_FAILURE) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Element:
    """One verb or noun: its tag, attributes, text without surrounding blanks, and children."""

    tag: str
    attributes: dict[str, str]
    text: str
    children: tuple["Element", ...]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        return int(self.attributes.get(name, default))

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.attributes.get(name, str(default)).strip().lower() == "true"


def parse(text: str, verbs: frozenset[str] = VERBS) -> tuple[Element, ...]:
    """Return the verbs of a document, or raise `DocumentError`. ``verbs``: those allowed at its top."""
    try:
        root = ET.fromstring(text.strip())  # noqa: S314 - the documents come from the service under test
    except ET.ParseError as failure:
        raise DocumentError(f"not well-formed XML: {failure}") from failure
    if root.tag != "Response":
        raise DocumentError(f"the root is <{root.tag}>, not <Response>")
    response = _element(root, verbs | NOT_PLAYED)
    if response.text:
        raise DocumentError("text outside of any verb")
    return response.children


def _element(node: ET.Element, allowed: frozenset[str]) -> Element:
    _check_attributes(node)
    children = []
    for child in node:
        if child.tag not in allowed:
            raise DocumentError(f"<{child.tag}> is not allowed within <{node.tag}>")
        if child.tag in NOT_PLAYED:
            children.append(Element(child.tag, dict(child.attrib), "", ()))
        else:
            children.append(_element(child, CHILDREN.get(child.tag, frozenset())))
    element = Element(node.tag, dict(node.attrib), _text(node), tuple(children))
    _check_noun(element)
    return element


def _text(node: ET.Element) -> str:
    return "".join([node.text or "", *(child.tail or "" for child in node)]).strip()


def _check_attributes(node: ET.Element) -> None:
    for name, value in node.attrib.items():
        if name not in ATTRIBUTES[node.tag]:
            raise DocumentError(f"<{node.tag}> has no attribute {name}")
        if name in _WHOLE_NUMBERS and not value.strip().isdecimal():
            raise DocumentError(f"<{node.tag} {name}> is a whole number, not {value!r}")


def _check_noun(element: Element) -> None:
    match element.tag:
        case "Redirect" if not element.text:
            raise DocumentError("<Redirect> has no URL")
        case "Dial" if not element.text and not element.children:
            raise DocumentError("<Dial> names nobody")
        case "Dial" if any(c.tag == "Conference" for c in element.children) and len(element.children) > 1:
            raise DocumentError("<Conference> stands alone in a <Dial>")
        case "Conference" if not element.text:
            raise DocumentError("<Conference> has no name")
        case "Start" | "Stop" if not element.children:
            raise DocumentError(f"<{element.tag}> names no stream")
        case "Parameter" if len(element.get("name") + element.get("value")) >= _PARAMETER_LIMIT:
            raise DocumentError("<Parameter> is too long")
        case "Start":
            _check_streams(element, "url")
        case "Stop":
            _check_streams(element, "name")
        case _:
            pass


def _check_streams(element: Element, required: str) -> None:
    for stream in element.children:
        if not stream.get(required):
            raise DocumentError(f"<Stream> within <{element.tag}> has no {required}")
