"""The console with 10,000 calls: what a page costs at the first look and at every other one.

redis-server must be on PATH. Prints milliseconds; nothing leaves this machine.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator import log
from orchestrator.core import events as e
from orchestrator.services import build
from orchestrator.settings import Settings
from orchestrator.web import create_app
from orchestrator.web.console.pages import floor
from tests.browser.console import scene
from tests.browser.console.site import environment
from tests.browser.console.watched import Watched
from tests.integration.conftest import start_redis
from tests.integration.console.visitor import Visitor
from tests.integration.web.site import Site, Vendor

ENDED, LIVE = 9_000, 1_000
CHANGED = 100
ROUNDS = 20
QUERIES = ("", "?state=live", "?agent=amy&sort=longest", "?number=0142", "?problem=any&state=ended", "?page=200")


def main() -> None:
    log.configure("json", "warning")
    with tempfile.TemporaryDirectory() as name:
        redis = start_redis(Path(name))
        try:
            _measure(Path(name), redis.url)
        finally:
            redis.end()


def _measure(folder: Path, redis_url: str) -> None:
    settings = Settings.from_environment(
        environment(folder, redis_url, 8000) | {"PUBLIC_BASE_URL": "https://calls.example.com"}
    )
    services = build(settings)
    watched, now = Watched("", services), services.clock.now_ms()
    for sid, told in scene.ended(ENDED, now):
        watched.happens(sid, told)
    up = [scene.Writer(20_000 + n, now - n * 500, scene.AGENTS[n % 6]).comes(900).story() for n in range(LIVE)]
    for sid, told in up:
        watched.happens(sid, told)
    app = create_app(services=services)
    amy = Visitor(Site(app, services, app.test_client(), Vendor(None)))  # type: ignore[arg-type]  # no vendor is asked
    with app.app_context():
        rows = floor()
        print(f"{ENDED + LIVE} calls, {LIVE} of them up")
        print(f"first look: all calls read       {_ms(rows.rows):7.1f} ms")
    amy.signs_in("amy", "fake-password")
    _show("floor", lambda: amy.opens(""))
    for query in (
        "",
        "?state=live",
        "?agent=amy&sort=longest",
        "?number=0142",
        "?problem=any&state=ended",
        "?page=200",
    ):
        _show(f"calls {query or '(all, by need)'}", lambda query=query: amy.opens(f"/calls{query}"))  # type: ignore[misc]
    _show("one call", lambda: amy.opens(f"/calls/{up[0][0]}"))

    def after_changes() -> None:
        for sid, _ in up[:CHANGED]:
            services.store.apply(sid, e.PauseRequested(at=services.clock.now_ms(), reason="payment"))
            services.store.apply(sid, e.PauseLifted(at=services.clock.now_ms(), reason="payment"))

    after_changes()
    print(f"calls, after {2 * CHANGED} changes elsewhere   {_ms(lambda: amy.opens('/calls')):7.1f} ms")
    services.close()


def _show(what: str, do: Callable[[], object]) -> None:
    taken = sorted(_ms(do) for _ in range(ROUNDS))
    print(f"{what:32} median {statistics.median(taken):7.1f} ms, slowest of {ROUNDS} {taken[-1]:7.1f} ms")


def _ms(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
