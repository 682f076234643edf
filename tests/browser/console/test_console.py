"""The console in a real browser: an operator's way through it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from orchestrator.core import events as e
from tests.browser.conftest import PHONE, width_beyond
from tests.browser.console.watched import Watched
from tests.unit.web.console.floors import held

OpenPage = Callable[..., Page]
SignedIn = Callable[..., Page]


def test_sign_in_and_out(floor: Watched, open_page: OpenPage, page_errors: list[str]) -> None:
    """A wrong password is told; the right one leads to the floor; after signing out the way back is closed."""
    page = open_page(f"{floor.url}/console")
    page.get_by_label("Name").fill("amy")
    page.get_by_label("Password").fill("fake")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page_errors.clear()  # the browser logs every 401
    page.get_by_label("Password").fill("fake-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Floor", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to the console")).to_be_visible()
    page.goto(f"{floor.url}/console/calls")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_floor_is_live(floor: Watched, signed_in: SignedIn) -> None:
    """Calls come, change and go on an open page, without anybody's doing."""
    page = signed_in()
    expect(page.get_by_text("No call is up.").first).to_be_visible()
    sid = floor.talks(1)
    row = page.get_by_role("row", name=re.compile("0001"))
    expect(row).to_contain_text("Transcribing")
    floor.happens(sid, held(floor.now(), 120))
    expect(row).to_contain_text("Paused")
    floor.happens(sid, [e.UnholdReported(at=floor.now()), e.TimePassed(at=floor.now(), what="restarts-exhausted")])
    expect(row).to_contain_text("Gave up")
    floor.happens(sid, [e.LegEnded(at=floor.now(), leg=sid)])
    expect(row).to_have_count(0)


def test_a_call_is_live(floor: Watched, signed_in: SignedIn) -> None:
    """State, transcript and timeline of an open page follow the call; opening the words was written down once."""
    sid = floor.talks(1)
    page = signed_in(f"/calls/{sid}")
    expect(page.locator("#state .badge")).to_have_text("Transcribing")
    floor.hears(sid, "nobody has opened this yet")
    expect(page.get_by_text("nobody has opened this yet")).to_have_count(0)
    page.get_by_role("link", name="Open the transcript").click()
    expect(page.get_by_role("log")).to_contain_text("nobody has opened this yet")
    page.get_by_text("Live", exact=True).wait_for()
    floor.hears(sid, "and now somebody has", role="agent")
    expect(page.get_by_role("log").get_by_text("and now somebody has")).to_be_visible()
    floor.happens(sid, held(floor.now(), 120))
    expect(page.locator("#state .badge")).to_have_text("Paused")
    expect(page.locator("svg.timeline g.pause")).to_have_count(1)
    assert [each.did for each in floor.services.audit.of_call(sid)] == ["opened-transcript"]


def test_filters(floor: Watched, signed_in: SignedIn) -> None:
    """A choice filters at once, typed words with Enter; the address can be kept, and cleared."""
    floor.talks(1)
    other = floor.talks(2, agent="ben")
    floor.happens(other, held(floor.now(), 120))
    page = signed_in("/calls")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("State").select_option("Paused")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/console/calls\?state=paused$"))
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Agent").fill("am")
    page.get_by_label("Agent").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("0001")
    page.get_by_label("Number or Call SID").fill(other)
    page.get_by_label("Number or Call SID").press("Enter")
    expect(page.get_by_role("heading", name="Call of …0002")).to_be_visible()


def test_the_timeline_is_to_scale(floor: Watched, signed_in: SignedIn) -> None:
    """A pause of half as long as the talk is drawn half as wide, and each stretch says what it is."""
    sid = floor.talks(1, ago_ms=65_500)
    off = floor.now() - 20_000
    floor.happens(sid, [*held(off, 100), e.LegEnded(at=off + 20_000, leg=sid)])
    page = signed_in(f"/calls/{sid}")
    talk = page.locator("svg.timeline g.talk rect").bounding_box()
    pause = page.locator("svg.timeline g.pause rect").bounding_box()
    assert talk is not None
    assert pause is not None
    assert pause["width"] / talk["width"] == pytest.approx(0.5, abs=0.02)
    assert pause["x"] == pytest.approx(talk["x"] + talk["width"], abs=3)
    told = page.locator("svg.timeline g.pause title").text_content()
    assert told is not None
    assert told.startswith("Hold (desktop), ")
    assert told.endswith("(20 s)")


def test_try_again(floor: Watched, signed_in: SignedIn) -> None:
    """What gave up is told with what to do; the button asks first, then all is tried anew, under amy's name."""
    sid = floor.talks(1)
    floor.happens(sid, [e.TimePassed(at=floor.now(), what="restarts-exhausted", subject="31920")])
    page = signed_in(f"/calls/{sid}")
    expect(page.get_by_role("heading", name="The media stream broke too often")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    asked = page.get_by_role("dialog", name="Try again?")
    asked.get_by_role("button", name="Cancel").click()
    assert floor.call(sid).problem is not None
    page.get_by_role("button", name="Try again").click()
    asked.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Done: asked to try again.")).to_be_visible()
    expect(page.get_by_role("heading", name="The media stream broke too often")).to_have_count(0)
    assert floor.call(sid).problem is None
    expect(page.get_by_role("table", name="Who did what")).to_contain_text("amy")


def test_keyboard_alone(floor: Watched, signed_in: SignedIn) -> None:
    """Skip link, navigation, a call, its pause with a dialog that holds the focus and gives it back."""
    sid = floor.talks(1)
    page = signed_in()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Transcribing, call of …0001")
    for _ in range(12):
        page.keyboard.press("Tab")
        if link.evaluate("each => each === document.activeElement"):
            break
    expect(link).to_be_focused()
    outline = link.evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline != "none", "the focus is seen"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Call of …0001")).to_be_visible()
    pause = page.get_by_role("button", name="Pause")
    pause.focus()
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name="Pause transcription?")
    expect(asked).to_be_visible()
    page.keyboard.press("Escape")
    expect(asked).to_be_hidden()
    expect(pause).to_be_focused()
    page.keyboard.press("Enter")
    expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert [pause.reason for pause in floor.call(sid).pauses] == ["manual"]


def test_the_focus_survives_an_update(floor: Watched, signed_in: SignedIn) -> None:
    """Who is on a call in the list stays there while the list changes under them."""
    floor.talks(1)
    page = signed_in("/calls")
    link = page.get_by_role("link", name="Transcribing, call of …0001")
    link.focus()
    floor.talks(2, ago_ms=10_000)
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(link).to_be_focused()


def test_phone(floor: Watched, signed_in: SignedIn) -> None:
    """Every page fits a phone's width; what is wider scrolls in itself."""
    sid = floor.talks(1)
    floor.happens(sid, [e.TimePassed(at=floor.now(), what="restarts-exhausted", subject="31920")])
    floor.hears(sid, "a word that is " + "very" * 40 + " long")
    page = signed_in(size=PHONE, has_touch=True)
    for path in ("", "/calls", f"/calls/{sid}?transcript=open", "/problems", "/audit"):
        page.goto(f"{floor.url}/console{path}")
        assert width_beyond(page) == 0, path
    page.goto(f"{floor.url}/console")
    page.locator("a.row-link").tap()
    expect(page.get_by_role("heading", name="Call of …0001")).to_be_visible()


def test_a_long_transcript_is_opened_at_its_end(floor: Watched, signed_in: SignedIn) -> None:
    """The newest words are in view, and stay there while others come; who scrolls up is left where they are."""
    sid = floor.talks(1)
    for number in range(30):
        floor.hears(sid, f"utterance {number}")
    page = signed_in(f"/calls/{sid}?transcript=open")
    words = page.get_by_role("log")
    words.scroll_into_view_if_needed()
    expect(words.get_by_text("utterance 29")).to_be_in_viewport()
    floor.hears(sid, "one more")
    expect(words.get_by_text("one more")).to_be_in_viewport()
    words.focus()
    page.keyboard.press("Home")
    expect(words.get_by_text("utterance 0")).to_be_in_viewport()
    floor.hears(sid, "and another")
    expect(words.get_by_text("and another")).to_have_count(1)
    expect(words.get_by_text("utterance 0")).to_be_in_viewport()
    expect(words).to_be_focused()


def test_a_page_that_is_not_live_says_so(floor: Watched, open_page: OpenPage, page_errors: list[str]) -> None:
    """Where events cannot come through; once they can, the page shows what it missed."""
    page = open_page(f"{floor.url}/console/sign-in")
    page.route("**/console/live?*", lambda route: route.abort())
    page.get_by_label("Name").fill("amy")
    page.get_by_label("Password").fill("fake-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Not live", exact=True)).to_be_visible()
    floor.talks(1)
    page.unroute("**/console/live?*")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("0001"))).to_be_visible()
    page_errors.clear()  # the browser logs each request that was refused
