"""The console in front of a real call: both emulators, web and worker processes, nothing written by the test itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.e2e.harness import CUSTOMER, NUMBER, Site
from tests.e2e.world import START

REFUSED = '{"error": {"code": "400-99", "message": "language is not allowed"}}'


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(speed=2.0, environment={"CONSOLE_USERS": "amy:fake-password"}) as running:
        yield running


@pytest.fixture
def call_sid(site: Site) -> Iterator[str]:
    """A customer who waits; ASAPP will refuse this call's first start."""
    sid = str(site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
    site.asapp("faults", [{"operation": START, "match": {"guid": sid}, "times": 1, "status": 400, "body": REFUSED}])
    yield sid
    if site.api(f"/calls/{sid}")["state"] != "ended":
        site.twilio(f"calls/{sid}/hangup", {})


def watched(page: Page, site: Site, call_sid: str) -> Page:
    """The call's page, signed in; it is not loaded again but by buttons."""
    page.goto(f"{site.web_url}/console/sign-in?next=/console/calls/{call_sid}?transcript=open")
    page.get_by_label("Name").fill("amy")
    page.get_by_label("Password").fill("fake-password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Live", exact=True).wait_for()
    return page


def test_an_operator_watches_a_call_and_helps_it(site: Site, call_sid: str, open_page: OpenPage) -> None:
    """Refused, tried again by a button, transcribed, held, unheld, over: all on the open page, as ASAPP has it."""
    page = watched(open_page("about:blank"), site, call_sid)
    badge = page.locator("#state .badge")
    timeline = page.locator("#timeline [role=img]")
    expect(badge).to_have_text("Waiting")

    # 1. The agent comes; ASAPP refuses, and the page says so and what to do.
    site.twilio(f"calls/{call_sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    expect(page.get_by_role("heading", name="ASAPP refuses this call's settings")).to_be_visible()
    expect(badge).to_have_text("Interrupted")
    expect(timeline.locator("g.failed")).to_have_count(1)
    assert not site.asapp(f"calls/{call_sid}")["transcribing"]

    # 2. The operator has it tried again; the words come by themselves.
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("dialog", name="Try again?").get_by_role("button", name="Try again").click()
    expect(badge).to_have_text("Transcribing")
    expect(timeline.locator("g.talk")).to_have_count(1)
    expect(page.get_by_role("log").locator(".customer").first).to_be_visible()
    assert site.asapp(f"calls/{call_sid}")["transcribing"]

    # 3. A hold at Twilio is a stretch of the timeline that grows; then it has an end, and a second stretch of talk.
    site.twilio(f"calls/{call_sid}/hold", {})
    expect(badge).to_have_text("Paused")
    held = timeline.locator("g.pause rect.open")
    expect(held).to_have_count(1)
    assert not site.asapp(f"calls/{call_sid}")["transcribing"]
    site.twilio(f"calls/{call_sid}/unhold", {})
    expect(badge).to_have_text("Transcribing")
    expect(held).to_have_count(0)
    expect(timeline.locator("g.pause")).to_have_count(1)
    expect(timeline.locator("g.talk")).to_have_count(2)
    assert site.asapp(f"calls/{call_sid}")["transcribing"]

    # 4. The customer hangs up; nothing may be pressed any more.
    site.twilio(f"calls/{call_sid}/hangup", {})
    expect(badge).to_have_text("Ended")
    expect(page.locator("#actions button")).to_have_count(0)
    expect(timeline.locator("rect.open")).to_have_count(0)
    expect(page.get_by_role("table", name="Who did what")).to_contain_text("asked to try again")
