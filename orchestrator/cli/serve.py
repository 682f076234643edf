"""`orchestrator serve`: everything in one process tree, with a Redis of its own where none is given."""

from __future__ import annotations

import dataclasses

import click

from orchestrator import log
from orchestrator.settings import Settings

_WORKER_THREADS = 4


@click.command()
def command() -> None:
    """Run web server and worker threads in one process; without REDIS_URL, with an embedded store."""
    settings = Settings.from_environment(needs_redis=False, inline_worker_threads=_WORKER_THREADS)
    log.configure(settings.log_format, settings.log_level)
    if settings.redis_url is not None:
        _serve(settings)
        return
    from orchestrator.store.embedded import EmbeddedServer  # noqa: PLC0415  needed only without REDIS_URL

    with EmbeddedServer(settings.embedded_data_dir) as server:
        log.get_logger("orchestrator.serve").info("embedded store in use", folder=str(server.folder))
        _serve(dataclasses.replace(settings, redis_url=server.url))


def _serve(settings: Settings) -> None:
    from orchestrator.web.server import Server  # noqa: PLC0415  imports the whole application

    log.get_logger("orchestrator.serve").info(
        "serving", port=settings.port, worker_threads=settings.inline_worker_threads
    )
    Server(settings, workers=1).run()
