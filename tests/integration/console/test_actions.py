"""The buttons of a call's page: events of the call, written down under a name."""

from __future__ import annotations

import pytest

from tests.integration.console.visitor import Visitor
from tests.integration.web.site import CALL, Site


def reasons(site: Site) -> list[tuple[str, str]]:
    found = site.services.store.load(CALL)
    assert found is not None
    return [(pause.reason, pause.source) for pause in found.pauses]


@pytest.fixture
def up(site: Site) -> Site:
    """With a call that is up."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy")
    return site


def test_pause_and_resume(amy: Visitor, up: Site) -> None:
    """The API's `manual`, with the console's user as its source; no vendor is called."""
    assert amy.presses(CALL, "pause").status_code == 303
    assert reasons(up) == [("manual", "console:amy")]
    amy.presses(CALL, "resume")
    assert reasons(up) == []
    assert up.vendor.requests == []


def test_another_pause_is_lifted_by_its_name(amy: Visitor, up: Site) -> None:
    """A payment that was forgotten."""
    up.report(CALL, type="pause", reason="payment")
    amy.presses(CALL, "resume", reason="payment")
    assert reasons(up) == []


@pytest.mark.parametrize("reason", ["hold:desktop", "consent", "stopped", "payment"])
def test_what_does_not_end_by_hand_is_refused(amy: Visitor, up: Site, reason: str) -> None:
    """Holds, consents, a stop for good, and pauses that do not stand."""
    up.report(CALL, type="hold")
    up.report(CALL, type="consent-withdrawn")
    before = reasons(up)
    assert amy.presses(CALL, "resume", reason=reason).status_code == 400
    assert reasons(up) == before


def test_stop_for_good(amy: Visitor, up: Site) -> None:
    """The pause `stopped`, which nothing lifts; the page offers no way back."""
    amy.presses(CALL, "stop")
    assert reasons(up) == [("stopped", "console:amy")]
    up.report(CALL, type="resume", reason="stopped")
    assert reasons(up) == [("stopped", "console:amy")]
    page = amy.opens(f"/calls/{CALL}").text
    assert 'data-opens="ask-resume"' not in page
    assert 'data-opens="ask-stop"' not in page


def test_everything_is_written_down(amy: Visitor, up: Site) -> None:
    """Each button under the name of who pressed it, on the call's page and in the trail of all calls."""
    for slug in ("pause", "resume", "retry", "stop"):
        amy.presses(CALL, slug)
    told = [(each.name, each.did) for each in up.services.audit.of_call(CALL)]
    assert told == [("amy", f"asked-{slug}") for slug in ("stop", "retry", "resume", "pause")]
    assert "stopped transcription for good" in amy.reads("/audit")
    assert "stopped transcription for good" in amy.reads(f"/calls/{CALL}")


def test_an_unknown_button_is_refused(amy: Visitor, up: Site) -> None:
    """And leaves no trace."""
    assert amy.presses(CALL, "explode").status_code == 400
    assert up.services.audit.of_call(CALL) == []


def test_ended_calls_have_no_buttons(amy: Visitor, up: Site) -> None:
    """There is nothing left to pause."""
    up.twilio("call-status", {"CallSid": CALL, "AccountSid": "AC" + "0" * 32, "CallStatus": "completed"})
    assert "data-opens" not in amy.opens(f"/calls/{CALL}").text
