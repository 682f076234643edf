"""What every view needs: the services of the application that answers, and bounded reading of what was sent."""

from __future__ import annotations

import re
import time
from typing import cast
from urllib.parse import parse_qsl

from flask import current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from orchestrator.core.call import Call, Progress
from orchestrator.services import Services
from orchestrator.store.errors import StoreUnavailable

KEY = "orchestrator"
CALL_SID = re.compile(r"CA[0-9a-f]{32}\Z")
MAX_BODY = 64 * 1024
MAX_FIELDS = 2000
PATIENCE_S = 0.9
"""One operation on a hung Redis takes two seconds; who has seen one this slow must not begin another."""


def services() -> Services:
    return cast("Services", current_app.extensions[KEY])


def call_of(sid: str) -> Call | None:
    """The call of any of its legs; None where there is none."""
    if not CALL_SID.match(sid):
        return None
    store = services().store
    found = store.load(sid)
    if found is None or found.progress is Progress.DROPPED:
        named = store.resolve("leg", sid)
        found = store.load(named) if named is not None else None
    return found


def received_at() -> int:
    """Now, by Redis's clock (ms). Raises StoreUnavailable when asking for it showed that Redis hangs."""
    started = time.monotonic()
    at = services().clock.now_ms()
    lose_patience(started)
    return at


def lose_patience(started: float, within_s: float = PATIENCE_S) -> None:
    """Raises StoreUnavailable when the store has used up this request's time; `started` by `time.monotonic()`."""
    if is_impatient(started, within_s):
        raise StoreUnavailable("Redis answers too slowly")


def is_impatient(started: float, within_s: float = PATIENCE_S) -> bool:
    return time.monotonic() - started > within_s


def body(limit: int = MAX_BODY) -> bytes:
    """The raw body. Raises 413 above the limit, whatever Content-Length says."""
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge
    return request.get_data(cache=False, parse_form_data=False)


def form_items() -> list[tuple[str, str]]:
    """The form as sent, repeated and empty fields included: these items are signed; `readable` is for reading them.

    Bytes that are not UTF-8 (a carrier's caller name may have some) are kept as surrogates, so that the signature can
    be checked over them. Raises 413 above the limit, and 400 for more fields than any vendor sends. A body that is no
    form has no items.
    """
    raw = body()
    if request.mimetype != "application/x-www-form-urlencoded" or not raw:
        return []
    try:
        return parse_qsl(
            raw.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MAX_FIELDS,
            separator="&",
        )
    except ValueError as error:
        raise BadRequest from error


def readable(text: str) -> str:
    """What can be stored and shown: a replacement character for each byte that was no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def raw_target() -> str:
    """Path and query exactly as requested, still percent-encoded: what Twilio has signed."""
    target = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path)
    if target.startswith(("http://", "https://")):
        _, _, rest = target.partition("://")
        _, slash, path = rest.partition("/")
        return f"{slash}{path}"
    return target
