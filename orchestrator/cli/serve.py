"""`orchestrator serve`: everything in one process tree, with a Redis of its own where none is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import click

from orchestrator import log
from orchestrator.settings import Settings

_WORKER_THREADS = 4


@click.command()
def command() -> None:
    """Run web server and worker threads in one process; without REDIS_URL, with an embedded store."""
    run(_serve)


def run(serve: Callable[[Settings], None]) -> None:
    """Serve with settings from the environment, and with a store for as long as that takes."""
    settings = Settings.from_environment(needs_redis=False, inline_worker_threads=_WORKER_THREADS)
    log.configure(settings.log_format, settings.log_level)
    log.get_logger("orchestrator.serve").info(
        "serving", port=settings.port, worker_threads=settings.inline_worker_threads
    )
    if settings.redis_url is not None:
        serve(settings)
        return
    from orchestrator.store.embedded import EmbeddedServer  # noqa: PLC0415  needed only without REDIS_URL

    with EmbeddedServer(settings.embedded_data_dir) as server:
        log.get_logger("orchestrator.serve").info("embedded store in use", folder=str(server.folder))
        serve(dataclasses.replace(settings, redis_url=server.url))


def _serve(settings: Settings) -> None:
    from orchestrator.web.server import Server  # noqa: PLC0415  imports the whole application

    Server(settings, workers=1).run()
