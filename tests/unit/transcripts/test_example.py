"""The example in `docs/` is what the service writes for the call that is told here, line by line."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from orchestrator.core.call import Gap, Segment
from orchestrator.transcripts.archive import archive_document
from orchestrator.transcripts.merge import merged
from orchestrator.transcripts.view import document
from tests.unit.transcripts.conversations import IDS, T0, given_call, heard, listed

EXAMPLE = Path("docs/archive-example.json")

# Amy talks from 10 s on; a hold from 40 to 60 s of which two seconds were overheard, for the stop took that long; the
# media stream breaks at 80 s and is back at 83 s; the customer hangs up at 120 s.
# One message was lost on its way to us.
CALL = replace(
    given_call((40, 60, "hold")),
    customer_id="customer-7",
    end_reason="completed",
    unwanted_ms=2_000,
    segments=(
        Segment(
            agent_id="amy", start=T0 + 10_000, end=T0 + 42_000, stream_ids=IDS, promised={"customer": 2, "agent": 1}
        ),
        Segment(
            agent_id="amy",
            start=T0 + 60_400,
            end=T0 + 80_000,
            stream_ids={"customer": "c2", "agent": "a2"},
            promised={"customer": 0, "agent": 1},
        ),
        Segment(
            agent_id="amy",
            start=T0 + 83_000,
            end=T0 + 120_000,
            stream_ids={"customer": "c3", "agent": "a3"},
            promised={"customer": 1, "agent": 0},
        ),
    ),
    gaps=(
        Gap(start=T0 + 60_000, end=T0 + 60_400, reason="starting"),
        Gap(start=T0 + 80_000, end=T0 + 83_000, reason="stream-broken"),
    ),
)
LIVE = [
    heard(11_000, 13_000, "Good morning, how can I help?", "agent"),
    heard(14_000, 17_500, "My order has not come."),
    heard(40_200, 41_800, "She will put me on hold again."),
    replace(heard(62_000, 64_000, "Thanks for waiting.", "agent"), stream_id="a2", start_ms=1_600, end_ms=3_600),
]
AFTER = [
    listed(13_100, "Good morning, how can I help?", "agent"),
    listed(17_600, "my order has not come"),
    listed(41_900, "She will put me on hold again."),
    listed(64_100, "Thanks for waiting.", "agent"),
    listed(90_100, "That is fine, goodbye."),
]
TIMELINE = [
    {
        "at": "2023-11-14T22:13:20.000Z",
        "event": "call-arrived",
        "state": {"state": "waiting", "transcription": "off", "stream": "requested"},
        "detail": {"at": T0, "call_sid": CALL.call_sid},
    }
]


def test_the_example_is_true() -> None:
    """Whoever checks it by hand checks the service."""
    found = merged(CALL, LIVE, AFTER)
    written = archive_document(CALL, document(CALL, found, len(AFTER)), TIMELINE)
    assert json.loads(EXAMPLE.read_text()) == json.loads(json.dumps(written))
