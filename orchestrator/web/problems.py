"""Errors as answers: RFC 9457 problem details under `/api`, one plain word elsewhere. `type` is a stable slug."""

from __future__ import annotations

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger

STATUS = {
    "invalid-event": 400,
    "invalid-body": 400,
    "invalid-parameter": 400,
    "malformed-request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "no-such-call": 404,
    "store-unavailable": 503,
    "too-many-requests": 429,
    "too-many-streams": 503,
}
SLUGS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}
_TITLES = {
    "store-unavailable": "The store cannot be reached",
    "too-many-streams": "This process serves as many streams as it can",
}
"""Of our own failures; their messages may name hosts and are for the log."""
_INTERNAL = 500
_UNAVAILABLE = 503
_TOO_MANY = 429
_log = get_logger("orchestrator.web")


def problem(status: int, slug: str, title: str) -> Response:
    document = {"type": slug, "title": title, "status": status}
    return Response(msgspec.json.encode(document), status=status, content_type="application/problem+json")


def _answer(status: int, slug: str, title: str) -> Response:
    if request.path.startswith("/api"):
        answer = problem(status, slug, title)
    else:
        answer = Response(slug, status=status, content_type="text/plain; charset=utf-8")
    if slug == "unauthorized":
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == _UNAVAILABLE:
        answer.headers["Retry-After"] = "5" if slug == "too-many-streams" else "1"
    return answer


def of_ours(error: OrchestratorError) -> Response:
    status = STATUS.get(error.error_id, _INTERNAL)
    if status >= _INTERNAL:
        _log.warning("request failed", error_id=error.error_id, endpoint=request.endpoint)
        return _answer(status, error.error_id, _TITLES.get(error.error_id, "Internal error"))
    if status == _TOO_MANY:
        answer = _answer(status, error.error_id, error.message)
        answer.headers["Retry-After"] = str(error.context["retry_after_s"])
        return answer
    if error.error_id == "malformed-request":
        field = error.context.get("field")
        _log.warning("request refused", error_id=error.error_id, endpoint=request.endpoint, field=field)
    return _answer(status, error.error_id, error.message)


def of_http(error: HTTPException) -> Response:
    status = error.code or _INTERNAL
    answer = _answer(status, SLUGS.get(status, "error"), error.name)
    if allowed := getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(allowed)
    return answer


def of_bug(error: Exception) -> Response:
    """Whatever nobody foresaw: the answer says nothing about our inside, the log does."""
    _log.error("request failed", error_id="internal", endpoint=request.endpoint, exc_info=error)
    return _answer(_INTERNAL, "internal", "Internal error")


def register(app: Flask) -> None:
    app.register_error_handler(OrchestratorError, of_ours)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, of_bug)
