"""Consent, pauses by name and forgotten pauses, from the desktop's event to what the vendors are asked."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.desired import state_of
from orchestrator.core.profile import Profile
from orchestrator.web.render import call_json
from tests.integration.worker.conftest import Desk
from tests.integration.worker.vendors import STREAM

CUSTOMER = "CA" + "a" * 32
AGENT = "CA" + "b" * 32
TALKING_MS = 60_000


def begin(desk: Desk, **keys: object) -> int:
    """A dialled agent is on the line for a minute; returns that time."""
    at = desk.services.clock.now_ms() - TALKING_MS
    profile = Profile(route="dial:client:amy", **keys)  # type: ignore[arg-type]  # any key of a profile
    desk.services.store.begin(e.CallArrived(at=at, call_sid=CUSTOMER, profile=profile))
    desk.vendors.leg(CUSTOMER)
    desk.services.stream_urls.refresh()
    desk.tell(CUSTOMER, e.LegAnswered(at=at, leg=AGENT, is_dialled=True))
    return at


def works(desk: Desk) -> None:
    """As the worker does, with Twilio reporting the streams that it made."""
    desk.turns()
    stream = desk.call(CUSTOMER).current_stream
    if stream is not None and stream.live_at is None:
        now = desk.services.clock.now_ms()
        desk.tell(CUSTOMER, e.StreamStarted(at=now - 5_000, name=stream.name, sid=STREAM))
        desk.turns()


def asked(desk: Desk) -> list[str]:
    """The requests that changed something, in their order."""
    kinds = {"start-streaming": "start", "stop-streaming": "stop", "Streams.json": "fork", STREAM: "unfork"}
    paths = [path for method, path, _ in desk.vendors.asked if method == "POST"]
    return [kind for path in paths for part, kind in kinds.items() if part in path]


def test_nothing_before_consent_and_nothing_after_it(desk: Desk) -> None:
    """No media stream before; start after; stop, and the stream taken down, when it is withdrawn."""
    begin(desk, consent="required")
    works(desk)
    assert asked(desk) == []
    assert call_json(desk.call(CUSTOMER))["pauses"][0]["reason"] == "consent"
    desk.tell(CUSTOMER, e.ConsentGiven(at=desk.services.clock.now_ms() - 6_000))
    works(desk)
    assert asked(desk) == ["fork", "start"]
    assert state_of(desk.call(CUSTOMER)) == "transcribing"
    desk.tell(CUSTOMER, e.ConsentWithdrawn(at=desk.services.clock.now_ms()))
    works(desk)
    assert asked(desk) == ["fork", "start", "stop", "unfork"]
    assert state_of(desk.call(CUSTOMER)) == "paused"


def test_pauses_stand_until_taken_away_by_name(desk: Desk) -> None:
    """Two reasons, one taken away: still off; a reason of `cut_stream_on` takes the stream down, another does not."""
    begin(desk, cut_stream_on=("payment",))
    works(desk)
    now = desk.services.clock.now_ms()
    desk.tell(CUSTOMER, e.PauseRequested(at=now, reason="manual"))
    works(desk)
    assert asked(desk) == ["fork", "start", "stop"]
    desk.tell(CUSTOMER, e.PauseRequested(at=now, reason="payment"), e.PauseLifted(at=now, reason="manual"))
    works(desk)
    assert asked(desk) == ["fork", "start", "stop", "unfork"]
    assert [pause["reason"] for pause in call_json(desk.call(CUSTOMER))["pauses"]] == ["payment"]


def test_a_forgotten_pause_is_told(desk: Desk) -> None:
    """After `max_pause_s` the API shows a problem; transcription stays off; resuming takes the problem away."""
    at = begin(desk, max_pause_s=30)
    desk.tell(CUSTOMER, e.PauseRequested(at=at, reason="payment"))
    works(desk)
    shown = call_json(desk.call(CUSTOMER))
    assert (shown["state"], shown["problem"]["id"], shown["problem"]["detail"]) == (
        "paused",
        "pause-overdue",
        "payment",
    )
    assert "start" not in asked(desk)
    desk.tell(CUSTOMER, e.PauseLifted(at=desk.services.clock.now_ms(), reason="payment"))
    assert call_json(desk.call(CUSTOMER))["problem"] is None
