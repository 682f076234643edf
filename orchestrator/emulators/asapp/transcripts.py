"""Bodies of the transcript webhook, and the masked text that all outputs share (ASAPP: Twilio guide, §Transcript).

Digits are what the emulated account redacts; a masked digit is a ``#``.
"""

import re
from typing import Final

from orchestrator.emulators.asapp.calls import Call, Session, Spoken
from orchestrator.emulators.asapp.clock import Clock
from orchestrator.emulators.asapp.hearing import Utterance
from orchestrator.emulators.asapp.switches import Switches

_DIGIT: Final = re.compile(r"\d")


def shown_text(session: Session, text: str) -> str:
    """Return the text as the session's redaction lets it be seen."""
    is_bare = session.request.autotranscribe_params.redaction_output == "unredacted"
    return text if is_bare else _DIGIT.sub("#", text)


def bodies(call: Call, spoken: Spoken, switches: Switches, clock: Clock) -> list[dict[str, object]]:
    """Return the message of one utterance; two where that is how both redactions come."""
    entries = _entries(spoken, switches, clock)
    if len(entries) > 1 and switches.word("both-redactions-form") == "two-messages":
        return [_body(call, spoken, [entry], switches, clock) for entry in entries]
    return [_body(call, spoken, entries, switches, clock)]


def _body(
    call: Call, spoken: Spoken, entries: list[dict[str, object]], switches: Switches, clock: Clock
) -> dict[str, object]:
    start, end = clock.told_ms(spoken.utterance.start_ms), clock.told_ms(spoken.utterance.end_ms)
    counts_from_start = switches.word("utterance-end") == "utterance-start"
    return {
        "type": "transcript",
        "externalConversationId": call.guid,
        "streamId": spoken.session.stream_ids[spoken.role],
        "sender": {"externalId": spoken.session.sender(spoken.role), "role": spoken.role},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": start,
            "end": end - start if counts_from_start else end,
            "utterance": entries,
        },
    }


def _entries(spoken: Spoken, switches: Switches, clock: Clock) -> list[dict[str, object]]:
    params = spoken.session.request.autotranscribe_params
    text = spoken.utterance.text
    masked = _DIGIT.sub("#", text)
    if params.redaction_output == "redacted_and_unredacted":
        if switches.word("both-redactions-form") == "extra-key":
            return [{"text": masked, "unredactedText": text}]
        return [{"text": masked}, {"text": text}]
    entry: dict[str, object] = {"text": shown_text(spoken.session, text)}
    return _detailed(entry, spoken.utterance, switches, clock) if params.detailed_token else [entry]


def _detailed(
    entry: dict[str, object], utterance: Utterance, switches: Switches, clock: Clock
) -> list[dict[str, object]]:
    tokens: list[dict[str, object]] = [
        {"content": word.text, "start": clock.told_ms(word.start_ms), "end": clock.told_ms(word.end_ms)}
        for word in utterance.words
    ]
    match switches.word("detailed-token-form"):
        case "none":
            return [entry]
        case "elements":
            elements: list[dict[str, object]] = [{"token": token} for token in tokens]
            return [entry, *elements]
        case form:
            return [{**entry, form: tokens}]
