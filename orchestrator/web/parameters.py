"""What the desktop API's paths, queries and headers name."""

from __future__ import annotations

from typing import get_args

from orchestrator.core.call import Call
from orchestrator.errors import OrchestratorError
from orchestrator.feeds.view import KINDS
from orchestrator.web import access
from orchestrator.web.context import call_of
from orchestrator.web.operations import Parameter, Text, choice, invalid, number
from orchestrator.web.shapes import State

STATES = frozenset(get_args(State))

SID = Parameter(
    name="call_sid",
    means="The call, named by the SID of any of its legs.",
    schema={"type": "string", "pattern": "^CA[0-9a-f]{32}$"},
    place="path",
)
STATE = choice("state", "Calls in this state.", get_args(State))
AGENT_ID = Text(
    name="agent_id",
    means="Calls with this agent: connected now, or, of a call without any, transcribed once.",
    schema={"type": "string"},
)
CURSOR = Text(
    name="cursor",
    means="Where the page starts: `cursor` of the page before.",
    schema={
        "type": "string",
        "pattern": "^([0-9]{1,15}:CA[0-9a-f]{32})?$",
    },
)
LIMIT = number("limit", "Calls per page.", default=50, low=1, high=200)
WAIT = number("wait", "Milliseconds to wait until what is true equals what is wanted.", default=0, low=0, high=5000)
FORMAT = choice("format", "JSON, plain text or WebVTT.", ("json", "text", "vtt"), default="json")
EVENTS = Text(
    name="events",
    means="What is told: `call`, `utterance` or both, comma-separated.",
    schema={"type": "string", "default": ",".join(sorted(KINDS))},
)
LAST_EVENT_ID = Parameter(
    name="Last-Event-ID",
    means="The last `id` that was received; what was missed since is told first.",
    schema={"type": "string"},
    place="header",
)


def kinds() -> frozenset[str]:
    """What `?events=` asks for."""
    given = EVENTS.read()
    found = KINDS if given is None else frozenset(given.split(","))
    if not found <= KINDS:
        raise invalid("events", f"must be of: {', '.join(sorted(KINDS))}, comma-separated")
    return found


def visible_call(sid: str) -> Call:
    """The call of any of its legs. Raises 404, also for one that the caller may not see."""
    found = call_of(sid)
    if found is None:
        raise OrchestratorError("no-such-call", access.NO_SUCH_CALL)
    return access.check_call(found, sid)
