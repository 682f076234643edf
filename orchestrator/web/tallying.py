"""Times every answer, and hands this process's tally to Redis every few seconds and at its end.

The thread starts with the first request, in the process that answers it (an application may be built before a fork).
Counts that cannot be handed over are kept for the next time.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import suppress

from flask import Flask, Response, g, request

from orchestrator.counting import HAND_OVER_S, hand_over
from orchestrator.errors import OrchestratorError
from orchestrator.log import get_logger
from orchestrator.services import Services
from orchestrator.threads import has_begun

_log = get_logger("orchestrator.web.tallying")


class Keeper:
    """Hands over again and again, one thread per process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._pid = 0

    def ensure_running(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                if not has_begun(threading.Thread(target=self._run, name="tally", daemon=True)):
                    return  # the next request tries again
                self._pid = os.getpid()
                atexit.register(self._last_time)

    def _run(self) -> None:
        while True:
            time.sleep(HAND_OVER_S)
            try:
                hand_over(self._services)
            except OrchestratorError as error:
                _log.debug("counts kept for later", error_id=error.error_id)
            except Exception:  # noqa: BLE001  counting must go on whatever is wrong with one round of it
                _log.exception("counts could not be handed over")

    def _last_time(self) -> None:
        with suppress(OrchestratorError):
            hand_over(self._services)


def register(app: Flask, services: Services, *, is_keeping: bool) -> None:
    """`is_keeping`: this application hands its process's counts over by itself; else whoever made `services` does."""
    keeper = Keeper(services)

    def begin() -> None:
        g.began = time.monotonic()

    def end(answer: Response) -> Response:
        began = g.get("began")
        if began is not None and request.endpoint is not None:
            services.tally.webhook(request.endpoint, answer.status_code, time.monotonic() - began)
        if is_keeping:
            keeper.ensure_running()
        return answer

    app.before_request(begin)
    app.after_request(end)
