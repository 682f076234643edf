"""The console of a real web process on a real Redis, calls that the test makes happen, and a browser in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from orchestrator.services import build
from orchestrator.settings import Settings
from tests.browser.console.site import environment
from tests.browser.console.watched import Watched
from tests.integration.conftest import RedisServer, start_redis
from tests.integration.web.processes import GUNICORN, base, is_up, running
from tests.ports import free_port

Eventually = Callable[[Callable[[], object]], None]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def console_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = start_redis(tmp_path_factory.mktemp("redis"), "--appendonly", "yes")
    yield server
    server.end()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory, console_redis: RedisServer) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("console")
    environ = environment(folder, console_redis.url, free_port())
    services = build(Settings.from_environment(environ))
    with running(GUNICORN, environ, folder / "log"):
        watched = Watched(base(environ), services)
        watched.wait_until(lambda: is_up(environ))
        yield watched
    services.close()


@pytest.fixture
def floor(console: Watched) -> Watched:
    """Without calls, tries and sessions of other tests."""
    console.services.redis.execute_command("FLUSHALL")
    return console


@pytest.fixture
def signed_in(floor: Watched, open_page: OpenPage) -> Callable[..., Page]:
    """Opens a page of the console, signed in as amy."""

    def open_signed_in(path: str = "", **options: object) -> Page:
        page = open_page(f"{floor.url}/console/sign-in?next=/console{path}", **options)
        page.get_by_label("Name").fill("amy")
        page.get_by_label("Password").fill("fake-password")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("Live", exact=True).wait_for()
        return page

    return open_signed_in
