"""The console's words: labels, and how times, shares and numbers are written. All times are UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.call import Call
from orchestrator.core.desired import state_of
from orchestrator.core.people import current_agent, is_customer_connected, is_stopped

STATES = {
    "transcribing": "Transcribing",
    "starting": "Starting",
    "pausing": "Pausing",
    "paused": "Paused",
    "interrupted": "Interrupted",
    "waiting": "Waiting",
    "survey": "Survey",
    "not-transcribed": "Not transcribed",
    "ended": "Ended",
}
LIVE_STATES = tuple(name for name in STATES if name != "ended")

NEEDS = {
    "heard": "May still be heard",
    "gave-up": "Gave up",
    "interrupted": "Not being transcribed",
    "problem": "Problem",
    "slow-start": "Slow to start",
    "problem-before": "Had a problem",
}

PAUSES = {
    "hold": "Customer on hold",
    "agent-hold": "Agent on hold",
    "hold:desktop": "Hold (desktop)",
    "payment": "Payment",
    "manual": "Paused by hand",
    "consent": "No consent",
    "stopped": "Stopped for good",
}

DONE = {
    "signed-in": "signed in",
    "signed-out": "signed out",
    "failed-to-sign-in": "failed to sign in",
    "opened-transcript": "opened the transcript",
    "asked-pause": "paused transcription",
    "asked-resume": "resumed transcription",
    "asked-retry": "asked to try again",
    "asked-stop": "stopped transcription for good",
}

FAILURES = {
    "not-found": "There is no such page.",
    "no-such-call": "No call is known by this SID. It may have been forgotten, or it ended too long ago.",
    "forbidden": "This form is not of your session. Go back, load the page again, and repeat it.",
    "store-unavailable": "Redis cannot be reached just now. Calls go on; this page will be back with Redis.",
    "invalid-parameter": "Something in the address of this page cannot be understood.",
    "error": "Something went wrong. The log of the service says more.",
}
NOTHING = "\N{EN DASH}"
_MS = 1_000
_MINUTE = 60
_HOUR = 3_600
_FEW_MS = 10_000
_FINE_MS = 100


def length(ms: float | None) -> str:
    """What was measured: `12 ms`, `0.25 s`, `8 s`, `2 min 13 s`, `1 h 04 min`."""
    if ms is None:
        return NOTHING
    if 0 < ms < _FINE_MS:
        return f"{ms:.1f} ms" if ms < 1 else f"{round(ms)} ms"
    if 0 < ms < _FEW_MS:
        return f"{ms / _MS:.2f}".rstrip("0").rstrip(".") + " s"
    return lasting(ms)


def lasting(ms: float) -> str:
    """What goes on, or took its time: whole seconds. The script beside the pages writes it the same way."""
    seconds = max(0, round(ms / _MS))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE:02d} s"
    return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02d} min"


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / _MS, UTC)


def clock(ms: int | None) -> str:
    return NOTHING if ms is None else f"{_time(ms):%H:%M:%S}"


def fine_clock(ms: int) -> str:
    return f"{_time(ms):%H:%M:%S}.{ms % _MS:03d}"


def day(ms: int) -> str:
    return f"{_time(ms):%d %b %Y}"


def iso(ms: int) -> str:
    return _time(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def percent(share: float | None) -> str:
    """Never 100 % while something is missing."""
    if share is None:
        return NOTHING
    tenths = int(share * 1000) / 10
    return f"{tenths:g} %"


def last_four(number: str) -> str:
    """A phone number as in logs; a client or SIP address without its scheme."""
    digits = "".join(each for each in number if each.isdigit())
    if number.startswith(("client:", "sip:", "sips:")):
        return number.partition(":")[2].partition("@")[0][:24]
    return f"…{digits[-4:]}" if digits else "unknown"


def state(name: str) -> str:
    return STATES.get(name, name)


def need(name: str) -> str:
    return NEEDS.get(name, name)


def pause(name: str) -> str:
    return PAUSES.get(name, name.replace("-", " ").capitalize())


def done(did: str) -> str:
    return DONE.get(did, did.replace("-", " "))


def sentence(call: Call, now: int) -> str:
    """Why the call is in its state."""
    agent = current_agent(call)
    match state_of(call):
        case "pausing":
            since = call.off_wanted_at or call.updated_at
            return f"Off has been wanted for {length(now - since)}; ASAPP has not confirmed it yet."
        case "paused" if is_stopped(call):
            return "Somebody stopped transcription for good; the media stream is down, too."
        case "waiting" if not is_customer_connected(call):
            return "The customer is not connected."
        case "interrupted":
            return f"Transcription is wanted and not on: {call.trouble}. It is tried again by itself."
        case "starting":
            return f"ASAPP is being asked to transcribe for {agent.id if agent else 'the agent'}."
        case "transcribing":
            return f"ASAPP hears customer and {call.transcription.agent_id} over {call.transcription.stream}."
        case other:
            return _SENTENCES[other]


_SENTENCES = {
    "ended": "The call has ended.",
    "survey": "The customer is in the survey, or on the way to it; nothing is transcribed.",
    "not-transcribed": "The profile of this number does not transcribe.",
    "paused": "Transcription is off, confirmed by ASAPP, until every reason for the pause has ended.",
    "waiting": "No agent is connected.",
}


_FILTERS = (length, lasting, clock, fine_clock, day, iso, percent, last_four, state, need, pause, done)
FILTERS: dict[str, Callable[..., Any]] = {each.__name__: each for each in _FILTERS}
