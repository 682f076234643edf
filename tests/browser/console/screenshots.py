"""Pictures of the console for `docs/images`: `make screenshots`. Each is looked at by whoever makes them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from orchestrator.counting import hand_over
from orchestrator.services import build
from orchestrator.settings import Settings
from tests.browser.console import scene
from tests.browser.console.site import ASAPP_ID, ASAPP_SECRET, environment
from tests.browser.console.watched import Watched
from tests.e2e.processes import start
from tests.faketime import Faketime
from tests.integration.conftest import start_redis
from tests.integration.web.processes import GUNICORN, base, is_up, running
from tests.ports import free_port

OUT = Path(__file__).parents[3] / "docs" / "images"
LARGEST = 150_000
DESK, PHONE = (1280, 860), (390, 844)
_ENDED, _HOUR = 420, 16


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="screenshots-")))
        clock = Faketime(folder, _off_by_s(datetime.now(UTC))).environment()
        redis = start_redis(folder, "--appendonly", "yes", environment=clock)
        stack.callback(redis.end)
        keys = ["--api-id", ASAPP_ID, "--api-secret", ASAPP_SECRET, "--ca-file", str(folder / "ca.pem")]
        asapp = start("asapp", ["orchestrator", "emulate", "asapp", *keys], folder)
        stack.callback(asapp.terminate)
        environ = environment(folder, redis.url, free_port()) | {"ASAPP_API_BASE_URL": asapp.ready_line()["url"]}
        watched = Watched(base(environ), build(Settings.from_environment(environ)))
        stack.callback(watched.services.close)
        stack.enter_context(running(GUNICORN, environ, folder / "log"))
        watched.wait_until(lambda: is_up(environ))
        sid = _fill(watched)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--no-first-run"]
        )
        stack.callback(browser.close)
        OUT.mkdir(exist_ok=True)
        for name, path, size, colours in (
            ("console-floor", "", DESK, "light"),
            ("console-floor-dark", "", DESK, "dark"),
            ("console-calls", "/calls", DESK, "light"),
            ("console-call", f"/calls/{sid}?transcript=open", DESK, "light"),
            ("console-call-dark", f"/calls/{sid}?transcript=open", DESK, "dark"),
            ("console-problems", "/problems", DESK, "light"),
            ("console-floor-phone", "", PHONE, "light"),
            ("console-call-phone", f"/calls/{sid}", PHONE, "dark"),
        ):
            _picture(browser, watched, name, path, size, colours)


def _off_by_s(now: datetime) -> float:
    """From now to today's `_HOUR`: Redis's clock is the site's, and a day that has just begun shows little."""
    return (now.replace(hour=_HOUR, minute=40) - now).total_seconds()


def _fill(watched: Watched) -> str:
    """The scene; the SID of the call to look at."""
    services, now = watched.services, watched.now()
    for sid, told in (*scene.ended(_ENDED, now), *(up := list(scene.live(now)))):
        watched.happens(sid, told)
    shown = up[2][0]
    for role, text in scene.TALK:
        watched.hears(shown, text, role)
    for name in ("worker-1", "worker-2"):
        services.heartbeat.beat(name, 600)
    services.stream_urls.refresh()
    for _ in range(1_684):
        services.tally.provider_request("asapp", "start", "done", 0.08)
    for _ in range(9):
        services.tally.provider_request("asapp", "start", "failed", 0.4)
    for _ in range(71):
        services.tally.provider_request("twilio", "create-stream", "done", 0.2)
    hand_over(services)
    return shown


def _picture(browser: Browser, watched: Watched, name: str, path: str, size: tuple[int, int], colours: str) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=colours)  # type: ignore[arg-type]  # one of its words
    page: Page = context.new_page()
    page.goto(f"{watched.url}/console/sign-in?next=/console{path}")
    page.get_by_label("Name").fill("amy")
    page.get_by_label("Password").fill("fake-password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Live", exact=True).wait_for()
    page.goto(f"{watched.url}/console{path}")
    page.get_by_text("Live", exact=True).wait_for()
    target = OUT / f"{name}.png"
    page.screenshot(path=target)
    assert target.stat().st_size < LARGEST, f"{target} is larger than {LARGEST} bytes"
    context.close()


if __name__ == "__main__":
    main()
