"""What a request is about, for its log lines and, where tracing is on, its span.

Log lines of a request carry its endpoint and, once the signature was checked, the Call SID (`bind_call`). A thread
serves many requests, so each begins with an empty context.
"""

from __future__ import annotations

from contextlib import ExitStack

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from orchestrator.services import Services


def bind_call(call_sid: str) -> None:
    """The rest of this request's log lines carry it."""
    bind_contextvars(call_sid=call_sid)


def register(app: Flask, services: Services) -> None:
    def bind() -> None:
        clear_contextvars()
        if request.endpoint is not None:
            bind_contextvars(endpoint=request.endpoint)

    app.before_request(bind)
    if services.tracing.is_on:
        _trace(app, services)


def _trace(app: Flask, services: Services) -> None:
    def begin() -> None:
        if request.url_rule is not None:
            g.trace = ExitStack()
            g.work = g.trace.enter_context(services.tracing.webhook(request.url_rule.rule))

    def told(answer: Response) -> Response:
        if "work" in g:
            g.work.values |= {"http.request.method": request.method, "http.response.status_code": answer.status_code}
        return answer

    def end(_error: BaseException | None) -> None:
        if "trace" in g:
            g.trace.close()

    app.before_request(begin)
    app.after_request(told)
    app.teardown_request(end)
