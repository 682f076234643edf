"""What of an event leaves the service."""

from __future__ import annotations

from orchestrator.core.events import CallArrived, LegAnswered
from orchestrator.core.profile import Profile
from orchestrator.shown import event_json, moment

NUMBER = "+15555550101"
CALL = "CA" + "a" * 32


def test_no_whole_phone_number_is_shown() -> None:
    """Whichever field it stands in, in the archive as in the API; other names stay readable."""
    arrived = CallArrived(
        at=1,
        call_sid=CALL,
        profile=Profile(route="conference"),
        customer_id=NUMBER,
        customer_number=NUMBER,
        called_number="+15555550100",
        device_identity=f"sip:{NUMBER}@desk.example",
    )
    told = event_json(arrived)
    assert "555555" not in str(told)
    assert told["customer_number"] == "...0101"
    assert told["call_sid"] == CALL
    assert "profile" not in told
    assert event_json(LegAnswered(at=1, leg=CALL, identity="client:amy"))["identity"] == "client:amy"
    assert event_json(None) == {}


def test_moments_are_utc_in_milliseconds() -> None:
    """RFC 3339."""
    assert (moment(1_767_323_045_678), moment(None)) == ("2026-01-02T03:04:05.678Z", None)
