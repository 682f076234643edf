"""`/api/v1/stream` and `/api/v1/calls/{call_sid}/stream`: server-sent events; `docs/api.md` describes them.

A view checks who asks for what; the answer hands the client's socket to the hub, so an open stream holds no thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request
from werkzeug.http import http_date

from orchestrator.errors import OrchestratorError
from orchestrator.feeds.connection import RETRY_MS
from orchestrator.feeds.followers import First, Joined
from orchestrator.feeds.hub import Hub
from orchestrator.feeds.opening import first_of
from orchestrator.feeds.takeover import take_over
from orchestrator.feeds.telling import Teller
from orchestrator.feeds.view import View
from orchestrator.services import Services
from orchestrator.transcripts.live import LiveUtterances
from orchestrator.web import access
from orchestrator.web.operations import operation
from orchestrator.web.parameters import AGENT_ID, EVENTS, LAST_EVENT_ID, SID, STATE, kinds, visible_call
from orchestrator.web.render import call_json
from orchestrator.web.tokens import Caller

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KEY = "orchestrator.hub"
EVENT_STREAM = "text/event-stream"
bp = Blueprint("streams", __name__, url_prefix="/api/v1")
access.protect(bp)


def make_hub(services: Services) -> Hub:
    return Hub(services.feed, Teller(services.feed, LiveUtterances(services.utterances), call_json))


def hub() -> Hub:
    found: Hub = current_app.extensions[KEY]
    return found


@bp.get("/stream")
@operation(
    "Follows calls: server-sent events, as `docs/api.md` describes them.",
    answers={200: None},
    parameters=(AGENT_ID, STATE, EVENTS, LAST_EVENT_ID),
    media={EVENT_STREAM: {"type": "string"}},
    problems=("invalid-parameter", "too-many-streams"),
)
def stream() -> Response:
    """All calls, or those of `?agent_id=` or in `?state=`; `?events=call` leaves the utterances out."""
    who, agent_id = access.caller(), AGENT_ID.read()
    if who.agent_id is not None and agent_id not in {None, who.agent_id}:
        raise OrchestratorError("forbidden", "This token is for its own agent only")
    view = View(call_sid=who.call_sid, agent_id=who.agent_id or agent_id, state=STATE.read(), kinds=kinds())
    return follow(view, access.recheck(), owner=_owner(who))


@bp.get("/calls/<sid>/stream")
@operation(
    "Follows one call: its state and what is said in it, from the beginning.",
    answers={200: None},
    parameters=(SID, EVENTS, LAST_EVENT_ID),
    media={EVENT_STREAM: {"type": "string"}},
    problems=("no-such-call", "invalid-parameter", "too-many-streams"),
)
def call_stream(sid: str) -> Response:
    who = access.caller()
    agent_id = who.agent_id if who.call_sid is None else None
    view = View(call_sid=visible_call(sid).call_sid, agent_id=agent_id, kinds=kinds())
    return follow(view, access.recheck(), owner=_owner(who))


def _owner(who: Caller) -> str | None:
    """A browser may not take all streams there are; a key may."""
    return who.source if who.is_token else None


def follow(view: View, is_allowed: Callable[[], bool], *, owner: str | None) -> Response:
    """The stream of this view, from the request's `Last-Event-ID` on. `is_allowed` is asked again every 15 seconds.

    It is called from the hub's thread, outside of any request, and must not block. `owner`: of whom there may be 20
    streams at a time in each process; None: any number. Needs gunicorn.
    """
    if request.method == "HEAD":
        return Response(content_type=EVENT_STREAM)
    the_hub = hub()
    joined = the_hub.join(view, owner, is_allowed)
    try:
        first = first_of(the_hub, joined, request.headers.get("Last-Event-ID") or None)
    except BaseException:
        the_hub.leave(joined.connection)
        raise
    return EventStream(the_hub, joined, first)


class EventStream(Response):
    """Hands the socket over instead of answering: the head is sent by the hub, too."""

    def __init__(self, the_hub: Hub, joined: Joined, first: First) -> None:
        super().__init__(content_type=EVENT_STREAM)
        self._hub = the_hub
        self._joined = joined
        self._first = first
        self.headers["X-Accel-Buffering"] = "no"  # nginx would collect events for a while

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        client, placeholder = take_over(environ["gunicorn.socket"])
        self.headers.pop("Content-Length", None)
        is_chunked = environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        first = self._first._replace(messages=[f"retry: {RETRY_MS}\n\n".encode(), *self._first.messages])
        connection = self._joined.connection
        connection.prepare(is_chunked=is_chunked, head=self._head(is_chunked), room=sum(map(len, first.messages)))
        self._hub.begin(connection, client, first)
        start_response(self.status, list(self.headers))
        return _Nothing(placeholder.close)

    def _head(self, is_chunked: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", f"Date: {http_date()}", "Connection: close"]
        lines += ["Transfer-Encoding: chunked"] if is_chunked else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Nothing:
    """The body that gunicorn gets, for its placeholder; `close` is called when it has done with it."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close

    def __iter__(self) -> _Nothing:
        return self

    def __next__(self) -> bytes:
        raise StopIteration
