"""Logs: a constant message with key/value pairs, one JSON line (or one coloured line) per event, on standard error.

No phone number beyond its last four digits, no secret, no stream URL, no query string leaves here, whatever is passed
in: a processor cleans every value, those of libraries' own log lines and tracebacks included. Transcript text has no
place in a log at all; callers do not pass it.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

_SECRET_NAME = re.compile(
    r"secret|token|passw|authori[sz]ation|api[-_]?key|signature|cookie|credential|stream_?url|utterance|transcript_text",
    re.IGNORECASE,
)
_NUMBER_NAME = re.compile(r"(^|_)(from|to|caller|called|phone|number)($|_)", re.IGNORECASE)
_URL = re.compile(r"\b(https?|wss?|rediss?(?:\+\w+)?)://([^\s\"'<>]+)", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*")
_PHONE = re.compile(r"\+\d[\d .()-]{4,18}\d|(?<![\w.:+-])(?:1?[2-9]\d{9})(?![\w.:-])")
_DIGITS = re.compile(r"\d{5,}")
_MAX_DEPTH = 6
_MAX_TEXT = 8000
_SHOWN_DIGITS = 4


def _last_four(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return f"...{digits[-_SHOWN_DIGITS:]}"


def _bare_url(match: re.Match[str]) -> str:
    """Scheme, host and path; of a WebSocket's or Redis's URL the host alone, since the rest may be the secret."""
    scheme = match[1].lower()
    host, slash, path = match[2].partition("/")
    host = host.rpartition("@")[2].partition("?")[0].partition("#")[0]
    if scheme not in {"http", "https"}:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}{slash}{re.split('[?#]', path)[0]}"


def clean_text(text: str) -> str:
    """The text without phone numbers, URLs' secrets and query strings."""
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "..."
    return _PHONE.sub(_last_four, _QUERY.sub("", _URL.sub(_bare_url, text)))


def clean(name: str, value: object, depth: int = 0) -> object:
    """A value that may be logged under this name. What cannot be looked into becomes cleaned text."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return _DIGITS.sub(_last_four, str(value)) if _NUMBER_NAME.search(name) else value
    if isinstance(value, str):
        text = clean_text(value)
        return _DIGITS.sub(_last_four, text) if _NUMBER_NAME.search(name) else text
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return {str(key): clean(str(key), each, depth + 1) for key, each in value.items() if not is_secret(str(key))}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [clean(name, each, depth + 1) for each in value]
    return clean_text(str(value))


def is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor: drops what is named like a secret and cleans the rest."""
    for name in [name for name in event if is_secret(name)]:
        del event[name]
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = clean(name, value)
    return event


def configure(log_format: str = "json", level: str = "info", stream: TextIO | None = None) -> None:
    """Send our logs and every library's through the same cleaning, once per process; calling it again replaces it."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=False)
        if log_format == "console"
        else structlog.processors.JSONRenderer(default=str)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("urllib3", "werkzeug", "twilio", "redis", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; bind `call_sid` to it or to the context (`structlog.contextvars`) where one is known."""
    return structlog.stdlib.get_logger(name)
