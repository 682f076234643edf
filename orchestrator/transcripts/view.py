"""A call's transcript for people and programs: as JSON (the contract's shape), as text, as WebVTT."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from orchestrator.core.call import Call
from orchestrator.errors import OrchestratorError
from orchestrator.shown import moment
from orchestrator.transcripts.completeness import account, is_complete
from orchestrator.transcripts.coverage import told_gaps
from orchestrator.transcripts.merge import Merged, merged
from orchestrator.transcripts.utterance import Quarantined, Received, Utterance

if TYPE_CHECKING:
    from orchestrator.asapp.wire import StoredMessage
    from orchestrator.services import Services


def received_of(services: Services, call_sid: str) -> list[Received]:
    """The real-time messages of a call, in the order of their receipt."""
    records = msgspec.convert(services.utterances.all(call_sid), list[Received])
    return sorted(records, key=lambda each: each.at)


def transcript_of(services: Services, call_sid: str) -> dict[str, Any]:
    """The transcript as the contract has it. Raises `no-such-call`."""
    call = services.store.load(call_sid)
    if call is None:
        raise OrchestratorError("no-such-call", "No call of this SID is known.", call_sid=call_sid)
    return told_of(services, call)


def told_of(services: Services, call: Call) -> dict[str, Any]:
    """The same of a call that is at hand."""
    stored = services.after_call_messages.of(call.call_sid)
    return document(call, merged_of(services, call, stored), None if stored is None else len(stored))


def merged_of(services: Services, call: Call, stored: Iterable[StoredMessage] | None) -> Merged:
    """All sources of a call put together; `stored`: the messages of the finished call."""
    batch = services.after_call_messages.of(call.call_sid, "batch")
    received = received_of(services, call.call_sid)
    return merged(call, received, stored or (), batch or (), secrets=secrets_of(services))


def secrets_of(services: Services) -> tuple[bytes, ...]:
    """Of the fingerprints by which quarantined words are known again; none is in Redis.

    Two vendors' secrets, with those that are valid during a rotation: they are not all changed at a time.
    """
    settings = services.settings
    return tuple(each.encode() for each in (*settings.asapp_api_secret.values(), *settings.twilio_auth_token.values()))


def document(call: Call, found: Merged, listed: int | None) -> dict[str, Any]:
    """`listed`: how many messages the finished call's list had; None while it has not been fetched."""
    told = account(call, found, listed)
    return {
        "call_sid": call.call_sid,
        "complete": is_complete(call, told),
        "utterances": [shown(each) for each in found.utterances],
        "gaps": [{"start": moment(gap.start), "end": moment(gap.end), "reason": gap.reason} for gap in told_gaps(call)],
        "pauses": [
            {"start": moment(pause.start), "end": moment(pause.end), "reason": pause.reason} for pause in call.paused
        ],
        "quarantined": [shown(each) for each in found.quarantined],
        "completeness": told,
    }


def shown(each: Utterance | Quarantined) -> dict[str, Any]:
    """As JSON."""
    fields: dict[str, Any] = msgspec.to_builtins(each)
    return {**fields, "start": moment(each.start), "end": moment(each.end)}


def as_text(transcript: dict[str, Any]) -> str:
    """One line an utterance, pauses and gaps in brackets, in order of time."""
    lines: list[tuple[str, str]] = []
    for each in transcript["utterances"]:
        who = each["role"] if each["agent_id"] is None or each["role"] == "customer" else f"agent {each['agent_id']}"
        lines.append((each["start"], f"{_clock(each['start'])}  {who}: {each['text']}"))
    for kind, label in (("pauses", "paused"), ("gaps", "not transcribed")):
        for each in transcript[kind]:
            until = _clock(each["end"]) if each["end"] else "now"
            lines.append((each["start"], f"{_clock(each['start'])}  [{label} until {until}: {each['reason']}]"))
    return "".join(f"{line}\n" for _, line in sorted(lines))


def _clock(moment: str) -> str:
    return moment[11:19]


def as_vtt(transcript: dict[str, Any]) -> str:
    """WebVTT; the first utterance begins at zero."""
    utterances = transcript["utterances"]
    cues = ["WEBVTT\n"]
    base = _instant(utterances[0]["start"]) if utterances else 0.0
    for each in utterances:
        span = f"{_cue_time(_instant(each['start']) - base)} --> {_cue_time(_instant(each['end']) - base)}"
        text = each["text"].replace("&", "&amp;").replace("<", "&lt;").replace("-->", "--&gt;")
        cues.append(f"{span}\n<v {each['role'].capitalize()}>{' '.join(text.split())}\n")
    return "\n".join(cues)


def _instant(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _cue_time(seconds: float) -> str:
    whole, milliseconds = divmod(max(0, round(seconds * 1000)), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"
