"""`python -m orchestrator.demo.service`: `orchestrator serve` with the demo's agent desktop, on this machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.serve import run
from orchestrator.demo import desk
from orchestrator.web.server import Server

if TYPE_CHECKING:
    from flask import Flask

    from orchestrator.settings import Settings


class DemoServer(Server):
    """The service's own server. Whoever reaches the desktop's page may steer calls: it listens on loopback only."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.cfg.set("bind", f"127.0.0.1:{settings.port}")

    def load(self) -> Flask:
        """Called in the worker process, after the fork."""
        app = super().load()
        app.register_blueprint(desk.bp)
        return app


if __name__ == "__main__":
    run(lambda settings: DemoServer(settings).run())
