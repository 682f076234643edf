"""The console's pages for those who cannot see them well, or not at all, or have no mouse: by the rules of axe-core."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from orchestrator.core import events as e
from tests.browser.accessibility import barriers
from tests.browser.conftest import DESK, PHONE, OpenPage
from tests.browser.console.watched import Watched
from tests.unit.web.console.floors import held


@pytest.fixture
def busy(floor: Watched) -> str:
    """A floor with calls of every colour; the SID of one that gave up, has a pause to lift, and words."""
    sid = floor.talks(1)
    floor.happens(sid, [e.TimePassed(at=floor.now(), what="restarts-exhausted", subject="31920")])
    for number in range(20):
        floor.hears(sid, f"hello for the {number}. time", role=("customer", "agent")[number % 2])
    floor.happens(sid, [e.PauseRequested(at=floor.now(), reason="payment", source="desktop")])
    floor.happens(floor.talks(2), held(floor.now(), 120))
    floor.happens(floor.talks(3), [e.HoldReported(at=floor.now() - 30_000)])
    floor.happens(floor.talks(4), [e.StreamFailed(at=floor.now(), name="asapp-1", sid="MZ1", error="31921")])
    over = floor.talks(5)
    floor.happens(over, [e.LegEnded(at=floor.now(), leg=over)])
    return sid


@pytest.mark.parametrize(
    ("colours", "size"), [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)], ids=str
)
def test_no_page_keeps_anybody_out(
    floor: Watched, busy: str, signed_in: Callable[..., Page], colours: str, size: tuple[int, int]
) -> None:
    """Names, roles, contrast, order, keyboard: axe has nothing to object to, on any page, nor in a dialog."""
    page = signed_in(colours=colours, size=size)
    one = f"/calls/{busy}"
    for path in ("", "/calls", one, f"{one}?transcript=open", "/problems", "/audit", "/calls?agent=nobody"):
        page.goto(f"{floor.url}/console{path}")
        assert barriers(page) == [], path
    page.goto(f"{floor.url}/console{one}")
    for button in ("Pause", "Stop for good", "Lift"):
        page.get_by_role("button", name=button, exact=True).click()
        page.get_by_role("dialog").wait_for()
        assert barriers(page) == [], button
        page.keyboard.press("Escape")


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("path", ["/console/sign-in", "/api/docs"])
def test_pages_for_everybody(
    floor: Watched, open_page: OpenPage, path: str, size: tuple[int, int], colours: str
) -> None:
    """The same of the pages that need no sign-in."""
    assert barriers(open_page(f"{floor.url}{path}", size=size, colours=colours)) == []


def test_a_barrier_is_noticed(floor: Watched, open_page: OpenPage) -> None:
    """A field without a name and words that can hardly be seen are found."""
    page = open_page(f"{floor.url}/console/sign-in")
    page.evaluate(
        """() => {
            document.querySelector("label").replaceWith(document.querySelector("input[name=name]"));
            document.querySelector("h1").style.color = "#eee";
        }"""
    )
    found = " ".join(barriers(page))
    assert "critical label:" in found
    assert "serious color-contrast:" in found
