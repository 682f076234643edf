"""Utterances get the times at which they were spoken, however ASAPP counts offsets and however late it delivers.

Played at the speed of life, for offsets are milliseconds of audio. Transcripts come three to four seconds late, so that
a time taken from the receipt would be seen to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import Json, Site
from tests.e2e.processes import poll
from tests.e2e.world import CallSeen, assert_ended_clean, seconds

PAUSE_S = 0.3
"""ASAPP takes an utterance for ended when so much silence has passed."""
CLOSE_S = 0.9
ARCHIVED_S = 60.0
LATE = {"transcript-latency-min-ms": "3000", "transcript-latency-max-ms": "4000"}


@pytest.fixture(scope="module")
def slow_site() -> Iterator[Site]:
    with Site(speed=1.0) as running:
        running.asapp("switches", LATE)
        yield running


@pytest.mark.parametrize(
    ("ids", "offsets", "end"),
    [
        ("same", "restart", "stream-start"),
        ("new", "continue", "utterance-start"),
        ("same", "continue", "stream-start"),
    ],
)
def test_each_utterance_ends_when_it_was_spoken(slow_site: Site, ids: str, offsets: str, end: str) -> None:
    """Over a hold, in spoken order, each within its segment."""
    slow_site.asapp("switches", {"stream-ids-after-resume": ids, "offsets-after-resume": offsets, "utterance-end": end})
    shorter = {"wait 5": "wait 1", "wait 10": "wait 1"}
    played = slow_site.play("two_holds", changed=shorter)
    call = CallSeen(slow_site, played.call_sid)
    assert_ended_clean(call)
    delivered = poll(lambda: _delivered(call), ARCHIVED_S, "all transcripts were delivered")
    document = poll(
        lambda: found if (found := call.archived()) and len(_live(found)) == len(delivered) else None,
        ARCHIVED_S,
        "archived with every transcript",
    )
    told = _live(document)
    spoken_at = sorted(row["recognised_at"] - PAUSE_S for row in delivered)
    ends = [seconds(each["end"]) for each in told]
    assert [each["start"] for each in told] == sorted(each["start"] for each in told)
    assert [round(abs(ours - theirs), 2) for ours, theirs in zip(sorted(ends), spoken_at, strict=True)] == [
        pytest.approx(0, abs=CLOSE_S) for _ in told
    ]
    assert {each["segment"] for each in told} == {0, 1, 2}


def _delivered(call: CallSeen) -> list[Json]:
    rows = [dict(row) for row in call.site.asapp("webhooks", guid=call.sid)]
    return rows if rows and all(row["status"] == 200 for row in rows) else []


def _live(document: Json) -> list[Json]:
    return [each for each in (*document["utterances"], *document["quarantined"]) if each["source"] in {"live", "both"}]
