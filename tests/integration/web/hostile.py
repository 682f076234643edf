"""What hostile, broken and merely odd senders put into forms, JSON and headers: Hypothesis strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.integration.web.site import CALL

CANARY = "fake-canary-words"
"""Stands in texts that may never be logged."""
NUMBER = "+15555550143"
CORPUS = (
    "",
    " ",
    "\x00",
    "\r\nSet-Cookie: a=b",
    "CA/../../etc/passwd",
    CALL.upper(),
    CALL + "\n",
    f"{CALL}}}:",
    "CA" + "a" * 31,
    "CA" + "a" * 10_000,
    "CA" + "\N{FULLWIDTH DIGIT ONE}" * 32,
    '"><Redirect>https://evil.example/</Redirect>',
    "</Response><Response><Hangup/>",
    "<![CDATA[",
    "&lol;",
    "{{7*7}}",
    "'; DROP TABLE calls; --",
    "%00%0d%0a",
    "\N{RIGHT-TO-LEFT OVERRIDE}txt",
    "\ufffd\ufffe",
    "-1",
    "9" * 400,
    "1e999",
    "NaN",
    "null",
    "[]",
    "{}",
    "Thu, 99 Foo 2099 99:99:99 +9999",
    "9999-99-99T99:99:99Z",
    f"https://evil.example/?x={CANARY}",
    CANARY,
    NUMBER,
)
words = st.one_of(st.sampled_from(CORPUS), st.text(st.characters(codec="utf-8"), max_size=60))
FIELDS: dict[str, tuple[str, ...]] = {
    "CallSid": (CALL, "CA" + "b" * 32),
    "ParentCallSid": ("CA" + "c" * 32,),
    "DialCallSid": ("CA" + "d" * 32,),
    "AccountSid": ("AC" + "0" * 32,),
    "From": (NUMBER, "client:agent-amy", "anonymous"),
    "To": ("+15555550100", "sip:amy@desk.example"),
    "Direction": ("inbound", "outbound-dial"),
    "CallStatus": ("ringing", "in-progress", "completed", "no-answer"),
    "CallerName": ("A Caller",),
    "DialCallStatus": ("completed", "no-answer"),
    "QueueResult": ("bridged", "hangup"),
    "StreamSid": ("MZ" + "1" * 32,),
    "StreamName": ("asapp-1", "asapp-2"),
    "StreamEvent": ("stream-started", "stream-stopped", "stream-error"),
    "StreamError": ("31921",),
    "ConferenceSid": ("CF" + "1" * 32,),
    "FriendlyName": (CALL,),
    "StatusCallbackEvent": ("participant-join", "participant-hold", "participant-leave", "conference-end"),
    "SequenceNumber": ("1", "2"),
    "ParticipantLabel": ("customer", "agent-amy"),
    "Hold": ("true", "false"),
    "Timestamp": ("Thu, 30 Jul 2015 20:00:00 +0000", "2015-07-30T20:00:00Z", "1438286400"),
    "TimestampMs": ("1438286400000",),
    "EventType": ("reservation.accepted", "task.completed", "task.updated"),
    "TaskSid": ("WT" + "1" * 32,),
    "TaskAttributes": (f'{{"call_sid": "{CALL}"}}', '{"conference": {"sid": null}}', "[" * 5_000),
    "TaskAge": ("1",),
    "WorkerSid": ("WK" + "1" * 32,),
    "WorkerName": ("amy",),
    "WorkerAttributes": ('{"contact_uri": "client:agent-amy"}',),
    "SipHeader_X-Customer": ("12345",),
}


@st.composite
def forms(draw: st.DrawFn) -> dict[str, str]:
    """Fields that Twilio sends, some of them as they should be, some not, and some that nobody knows."""
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=14))
    form = {name: draw(st.one_of(st.sampled_from(FIELDS[name]), words)) for name in names}
    form.update(draw(st.dictionaries(st.text("abcXYZ_-[]. ", min_size=1, max_size=8), words, max_size=3)))
    return form


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
anything: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def bent(draw: st.DrawFn, model: dict[str, Any]) -> dict[str, Any]:
    """A good document with some of its fields, at any depth, put out of shape, left out or added."""
    found: dict[str, Any] = {}
    for name, value in model.items():
        how = draw(st.sampled_from(["kept", "kept", "kept", "bent", "left out", "within"]))
        if how == "within" and isinstance(value, dict):
            found[name] = draw(bent(value))
        elif how == "bent":
            found[name] = draw(anything)
        elif how != "left out":
            found[name] = value
    found.update(draw(st.dictionaries(st.text("abc_", min_size=1, max_size=6), anything, max_size=1)))
    return found
