"""The demo's agent desktop in a real browser: the whole demo runs, and what ASAPP heard is counted from the audio."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from orchestrator.demo.processes import Stage
from tests.browser.accessibility import barriers
from tests.browser.conftest import DESK, PHONE, OpenPage, width_beyond

SPEED = 2.0
SECONDS = re.compile(r"[2-9]\.\d s")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The service and both emulators, as `orchestrator demo` runs them."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with Stage(folder, port=0, speed=SPEED, seed=1) as running:
        yield running


@pytest.fixture
def desk(stage: Stage, open_page: OpenPage) -> Page:
    """The page, with an agent who talks with a customer."""
    return _answered(open_page(stage.desk_url))


def _answered(page: Page) -> Page:
    page.get_by_role("button", name="Let a customer call").click()
    page.get_by_role("button", name="Answer").click()
    expect(_badge(page)).to_have_text("Transcription on")
    return page


def _badge(page: Page) -> Locator:
    return page.locator("#badge-text")


def _words(page: Page) -> Locator:
    return page.locator("#words li:not(.mark)")


def _sound(page: Page, name: str) -> Locator:
    """Two cells: what was transcribed of it, what was kept out."""
    return page.locator("#sounds tr", has_text=name).locator("td")


def _heard(stage: Stage, page: Page) -> dict[str, Any]:
    """Milliseconds by kind of sound that ASAPP transcribed, and that reached it."""
    sid = page.evaluate("JSON.parse(sessionStorage.getItem('demo-desktop'))[0]")
    return dict(requests.get(f"{stage.asapp_url}/_emulator/calls/{sid}", timeout=10).json())


def test_an_agent_answers_and_sees_what_is_said(desk: Page) -> None:
    """After Answer the badge says on, and the words of both appear by themselves."""
    expect(desk.locator("#words .customer").first).to_be_visible()
    expect(desk.locator("#words .agent").first).to_be_visible()
    expect(desk.locator("#badge")).to_have_attribute("data-tone", "on")


def test_hold_is_confirmed_off_and_unhold_on(desk: Page, stage: Stage) -> None:
    """Hold: off is confirmed, no more words, no music heard beyond the moment. Unhold: words again."""
    expect(_words(desk).first).to_be_visible()
    desk.get_by_role("button", name="Hold", exact=True).click()
    expect(_badge(desk)).to_have_text("Transcription off")
    expect(desk.locator("#detail")).to_have_text("Customer on hold. Nothing is transcribed.")
    expect(desk.get_by_role("button", name="Unhold")).to_have_attribute("aria-pressed", "true")
    expect(desk.locator("#sounds tr", has_text="Hold music").locator("td").last).to_have_text(
        re.compile(r"[3-9]\.\d s")
    )
    heard = _heard(stage, desk)
    assert heard["heard_ms"].get("hold-music", 0) < 1000 * SPEED
    spoken = _words(desk).count()

    desk.get_by_role("button", name="Unhold").click()
    expect(_badge(desk)).to_have_text("Transcription on")
    expect(_words(desk).nth(spoken)).to_be_visible()
    expect(desk.locator("#words .mark")).to_have_text(["Transcription off: customer on hold", "Transcription on again"])


def test_a_card_number_is_not_heard_during_a_payment_pause(desk: Page, stage: Stage) -> None:
    """What the customer reads out between pause and resume reaches nobody; resuming goes on with the talk."""
    desk.get_by_role("button", name="Pause for payment").click()
    expect(_badge(desk)).to_have_text("Transcription off")
    desk.get_by_role("button", name="Let the customer read out a card number").click()
    expect(_sound(desk, "Card number").last).to_have_text(re.compile(r"5\.\d s"))  # all of its words were said
    expect(_sound(desk, "Card number").first).to_have_text("\N{EN DASH}")
    desk.get_by_role("button", name="Resume after payment").click()
    expect(_badge(desk)).to_have_text("Transcription on")
    assert "payment" not in _heard(stage, desk)["heard_ms"]


def test_the_survey_is_not_heard(desk: Page, stage: Stage) -> None:
    """The button sends the customer to the survey, which nobody transcribes; then the call is over."""
    desk.get_by_role("button", name="To the survey").click()
    expect(desk.locator("#phone")).to_have_text("In the survey")
    expect(_badge(desk)).to_have_text("Transcription off")
    expect(desk.locator("#phone")).to_have_text("Call ended")
    assert "survey" not in _heard(stage, desk)["heard_ms"]
    expect(desk.get_by_role("button", name="Let another customer call")).to_be_focused()


def test_a_press_while_offline_counts_once_the_network_is_back(desk: Page, page_errors: list[str]) -> None:
    """Offline nothing is claimed; the pause that was pressed then is told, confirmed and shown afterwards."""
    desk.context.set_offline(True)
    desk.get_by_role("button", name="Pause for payment").click()
    expect(desk.locator("#detail")).to_have_text(re.compile("Reported, not confirmed yet"))
    expect(desk.get_by_role("button", name="Pause for payment")).to_have_attribute("aria-pressed", "false")
    desk.context.set_offline(False)
    expect(_badge(desk)).to_have_text("Transcription off")
    expect(desk.get_by_role("button", name="Resume after payment")).to_be_visible()
    _only_network(page_errors)


def test_a_reload_of_the_page_goes_on_with_the_call(desk: Page) -> None:
    """The call and its words are there again, with the state that the service has."""
    desk.get_by_role("button", name="Hold", exact=True).click()
    expect(_badge(desk)).to_have_text("Transcription off")
    spoken = _words(desk).count()
    desk.reload()
    expect(_badge(desk)).to_have_text("Transcription off")
    expect(desk.get_by_role("button", name="Unhold")).to_be_visible()
    assert _words(desk).count() >= spoken


def test_the_keyboard_is_enough(stage: Stage, open_page: OpenPage) -> None:
    """From the first call to hanging up with Tab and Enter alone; the focus is never lost."""
    page = open_page(stage.desk_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Let a customer call")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Answer")).to_be_focused()
    page.keyboard.press("Enter")
    hold = page.locator("#hold")
    expect(hold).to_be_focused()
    expect(_badge(page)).to_have_text("Transcription on")
    page.keyboard.press("Enter")
    expect(hold).to_have_text("Unhold")
    expect(hold).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Hang up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Let another customer call")).to_be_focused()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits_a_phone(stage: Stage, open_page: OpenPage, colours: str) -> None:
    """Nothing sticks out sideways, and every button is big enough for a finger."""
    page = _answered(open_page(stage.desk_url, size=PHONE, colours=colours))
    expect(_words(page).first).to_be_visible()
    assert width_beyond(page) == 0
    for button in page.locator(".buttons button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44


@pytest.mark.parametrize(("colours", "size"), [("light", DESK), ("dark", DESK), ("light", PHONE)], ids=str)
def test_it_keeps_nobody_out(stage: Stage, open_page: OpenPage, colours: str, size: tuple[int, int]) -> None:
    """Names, roles, contrast, order: axe has nothing to object to before a call, in one, on hold and after it."""
    page = open_page(stage.desk_url, size=size, colours=colours)
    assert barriers(page) == []
    expect(_words(_answered(page)).first).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(_badge(page)).to_have_text("Transcription off")
    assert barriers(page) == []
    page.get_by_role("button", name="Hang up").click()
    page.get_by_role("button", name="Let another customer call").wait_for()
    assert barriers(page) == []


def test_words_that_come_late_find_their_place(stage: Stage, open_page: OpenPage) -> None:
    """A word told later than its time stands once, in its stretch of transcription; one that is taken back is gone."""
    page = open_page(stage.desk_url)
    shown = page.evaluate(
        """async () => {
            const { Words } = await import("/desktop/words.js");
            const [log, list, empty] = ["log", "words", "no-words"].map((id) => document.getElementById(id));
            const word = (text, segment) => ({ text, segment, role: "customer", start: text });
            const view = (segments, ...utterances) => ({ call: { segments: Array(segments) }, utterances });
            const words = new Words(log, list, empty);
            const lines = () => [...list.children].map((item) => item.lastChild.textContent);
            const seen = [];
            words.show(view(1, word("a", 0), word("c", 0)));
            words.mark(view(1), "off", "payment");
            words.mark(view(2), "on", "");
            words.show(view(2, word("a", 0), word("b", 0), word("c", 0), word("d", 1)));
            seen.push(lines());
            words.show(view(2, word("a", 0)));
            return [...seen, lines()];
        }"""
    )
    off, on = "Transcription off: payment", "Transcription on again"
    assert shown == [["a", "b", "c", off, on, "d"], ["a", off, on]]


def test_another_site_cannot_place_calls_with_my_browser(stage: Stage) -> None:
    """A request that comes from another site's page is refused, whatever it asks for."""
    foreign = {"Origin": "https://elsewhere.example"}
    assert requests.post(f"{stage.desk_url}/calls", headers=foreign, timeout=10).status_code == 403
    assert requests.post(f"{stage.desk_url}/calls/CA1/token", headers=foreign, timeout=10).status_code == 403


def _only_network(page_errors: list[str]) -> None:
    """A browser writes failed requests to its console; of a test that is offline these are expected."""
    others = [error for error in page_errors if "ERR_" not in error]
    assert not others, others
    page_errors.clear()
