"""A real Chromium for the browser tests, driven by Playwright.

`open_page(url)` gives a fresh profile each time. A test fails if a page of it wrote an error to the console, threw, or
broke its own content policy, unless the test has taken that out of `page_errors`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PHONE = (390, 844)
DESK = (1280, 900)
PATIENCE_MS = 15_000
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # Chromium has none for root, which containers run as; the pages are our own
)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next(filter(None, map(shutil.which, names)), None)
    assert binary, "Chromium is missing; scripts/require-chromium.sh says how to get it"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=list(_QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """What went wrong on the test's pages. Empty at the end, or the test fails."""
    errors: list[str] = []
    yield errors
    assert not errors, errors


@pytest.fixture
def open_page(browser: Browser, page_errors: list[str]) -> Iterator[OpenPage]:
    """`open_page(url, size=PHONE, colours="dark")`."""
    contexts = []

    def open_page(
        url: str, *, size: tuple[int, int] = DESK, colours: Literal["light", "dark"] = "light", has_touch: bool = False
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=colours, has_touch=has_touch
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda said: page_errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page_errors.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()


def width_beyond(page: Page) -> int:
    """Pixels by which the page is wider than its window; a page that fits has none."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
