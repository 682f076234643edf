"""gunicorn's logs through ours: one structured line per request, never a query string, a header or an address."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types

from orchestrator.log import get_logger

_QUIET = ("/healthz",)
_COUNTED = ("/asapp/transcripts",)
"""Ten of them a minute and call: those that went well are counted, in `orchestrator_transcript_messages_total`."""
_MS = timedelta(milliseconds=1)


class AccessLog(Logger):  # type: ignore[misc]  # as above
    """Keeps gunicorn from installing handlers of its own; `orchestrator.log.configure` has set up the root logger."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn, once per process that logs."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.handlers.clear()
        self._requests = get_logger("orchestrator.access")

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line for a request that was answered."""
        del req
        path = environ.get("PATH_INFO", "")
        if path in _QUIET or (path in _COUNTED and resp.status_code == HTTPStatus.OK):
            return
        self._requests.info(
            "request",
            method=environ.get("REQUEST_METHOD", ""),
            path=path,
            status=resp.status_code,
            ms=round(request_time / _MS, 1),
        )

    def reopen_files(self) -> None:
        """Nothing of ours is a file."""

    def close_on_exec(self) -> None:
        """Nothing of ours is a file."""
