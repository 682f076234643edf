"""How gunicorn serves the application: one set of options for `config/gunicorn.py` and `orchestrator serve`.

Measured reasons are in the comments. `timeout` does not bound a view of gthread: every request to Redis or a vendor
has its own deadline instead.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # gunicorn has no types

from orchestrator.web import streams
from orchestrator.web.application import create_app
from orchestrator.worker.loop import Worker

if TYPE_CHECKING:
    from flask import Flask

    from orchestrator.settings import Settings

_INLINE_DRAIN_S = 10.0
_STREAMS_DRAIN_S = 2.0
_FILES = 4096
_FILES_KEPT = 256
"""For webhooks, Redis and vendors."""
_THREADS = 256
"""So many slow clients may stall before others feel it; a thread is made when it is needed."""
_THREADS_AT_LEAST = 8
_THREADS_KEPT = 64
"""Of each process: for ends of connections, emergency stops, streams, deadlines and the rest."""
_PIDS_MAX = (Path("/sys/fs/cgroup/pids.max"), Path("/sys/fs/cgroup/pids/pids.max"))
_inline: list[Worker] = []


def options(settings: Settings, *, workers: int) -> dict[str, Any]:
    """Gunicorn's settings by name."""
    return {
        "bind": f"0.0.0.0:{settings.port}",
        "worker_class": "orchestrator.web.patient.PatientWorker",  # gthread: no monkey-patching, flat latency, drains
        "workers": workers,
        "threads": request_threads(most_threads(), workers, settings.inline_worker_threads),
        "keepalive": 100,  # longer than the 90 s that Heroku's router keeps its connections
        "graceful_timeout": 25,  # all that is in progress ends within the 30 s that platforms give
        "timeout": 60,  # a worker that gives no sign to its master for so long is replaced
        "backlog": 1024,  # connections that may wait while a worker restarts
        "limit_request_line": 8190,  # bytes, the most that gunicorn takes
        "limit_request_fields": 64,  # headers per request
        "limit_request_field_size": 8190,  # bytes per header
        "forwarder_headers": "",  # no header sets SCRIPT_NAME or PATH_INFO: signatures are for what was asked
        "forwarded_allow_ips": "",  # X-Forwarded-* are read as TRUSTED_PROXIES says, nowhere else
        "control_socket_disable": True,  # a container has no place, and nobody, for a control socket
        "worker_tmp_dir": "/dev/shm" if sys.platform == "linux" else None,  # noqa: S108  signs of life need no disk
        "logger_class": "orchestrator.web.access_log.AccessLog",  # our format; paths without their query
        "accesslog": "-",  # on; AccessLog decides where it goes
        "proc_name": "orchestrator-web",
        "post_worker_init": begin_work,
        "worker_exit": end_work,
    }


def request_threads(most: int | None, workers: int, inline: int) -> int:
    """Of each of so many processes, that have so many `inline` worker threads beside them; `most` for all together."""
    if most is None:
        return _THREADS
    return max(_THREADS_AT_LEAST, min(_THREADS, most // workers - inline - _THREADS_KEPT))


def most_threads() -> int | None:
    """How many threads the system gives this user or this container at most; None where it sets no limit."""
    user, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    told = [path.read_text().strip() for path in _PIDS_MAX if path.is_file()]
    limits = [int(each) for each in told if each.isdecimal()] + ([user] if user != resource.RLIM_INFINITY else [])
    return min(limits, default=None)


def begin_work(worker: Any) -> None:
    """Gunicorn's `post_worker_init`: with INLINE_WORKER_THREADS this web process works on calls, too.

    gunicorn does not wait for open streams when it drains, and tells nobody that it does: the hub looks by itself.
    """
    hub = worker.wsgi.extensions[streams.KEY]
    hub.is_ending = lambda: not worker.alive
    hub.limit(open_files() - _FILES_KEPT)
    services = worker.wsgi.extensions["orchestrator"]
    threads = services.settings.inline_worker_threads
    if threads:
        inline = Worker(services, threads)
        inline.start()
        _inline.append(inline)


def open_files() -> int:
    """How many files and sockets this process may have open, after it asked for all that it may ask for.

    Whoever comes when there is none left waits, so streams must leave some.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _FILES if soft == resource.RLIM_INFINITY else soft


def end_work(_server: Any, worker: Any) -> None:
    """Gunicorn's `worker_exit`: requests have ended by now; actions under way are finished and recorded."""
    hub = worker.wsgi.extensions.get(streams.KEY) if worker.wsgi is not None else None
    if hub is not None:
        hub.stop(_STREAMS_DRAIN_S)
    for inline in _inline:
        inline.stop(_INLINE_DRAIN_S)
    _inline.clear()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn without its command line. `run` returns, by SystemExit, when it was told to end."""

    def __init__(self, settings: Settings, *, workers: int = 1) -> None:
        self._settings = settings
        self._options = options(settings, workers=workers)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker process, after the fork."""
        return create_app(self._settings)
