"""JSON bodies of the desktop API, before their fields are checked."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.errors import OrchestratorError


def json_object(text: bytes, error_id: str) -> dict[str, Any]:
    """The object of a body; raises this error for anything else. `3.0` is a whole number to JSON, and to us."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrchestratorError(error_id, "The body must be JSON") from error
    if not isinstance(document, dict):
        raise OrchestratorError(error_id, "The body must be a JSON object")
    return {name: _whole(value) for name, value in document.items()}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
