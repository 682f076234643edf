"""A callback that carries our signed `?call=` makes a call known that Redis has lost."""

from __future__ import annotations

from orchestrator.core.call import Progress
from tests.integration.web.site import CALL, Site


def test_a_hold_of_a_call_that_redis_lost_makes_it_known(site: Site) -> None:
    """The call is adopted, to be read from Twilio first, and its customer is held."""
    form = {
        "StatusCallbackEvent": "participant-hold",
        "ConferenceSid": "CF" + "1" * 32,
        "CallSid": CALL,
        "SequenceNumber": "7",
        "FriendlyName": CALL,
        "Hold": "true",
        "Coaching": "false",
        "Timestamp": "Fri, 20 Aug 2010 01:13:42 +0000",
    }
    assert site.twilio(f"conference-status?call={CALL}", form).status_code == 204
    call = site.services.store.load(CALL)
    assert call is not None
    assert call.progress is Progress.UNKNOWN
    assert [row.is_held for room in call.conferences for row in room.participants] == [True]
