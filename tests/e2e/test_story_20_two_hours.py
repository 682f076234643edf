"""Story 20: a call of 1,200 utterances. The two hours are not played out: their messages come in its course."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

from tests.e2e.harness import WEBHOOK_SECRET, Site
from tests.e2e.processes import poll
from tests.e2e.world import SETTLES_S, CallSeen, assert_ended_clean

COUNT, LISTED = 1200, 1000
WORDS = [f"this is sentence number {number} of a long talk" for number in range(COUNT)]
LIST_S = 60.0


def test_a_list_that_was_cut_is_known_and_filled(site: Site) -> None:
    """The finished call's list ends at 1,000 messages; the real-time copy has the rest; the report says complete."""
    delivered = threading.Event()

    def deliver(call_sid: str, sentence: str) -> None:
        # 1. In the middle of the talk 1,200 utterances come over the webhook; the list will have the first 1,000.
        if sentence == "wait 10" and not delivered.is_set():
            _deliver(site, call_sid)
            _list(site, call_sid)
            delivered.set()

    played = site.play("queue_then_agent", on_step=deliver)
    assert delivered.is_set()
    call = CallSeen(site, played.call_sid)
    assert_ended_clean(call)

    # 2. Archived, known to be cut, complete, with every sentence once and in its order.
    document = poll(
        lambda: found if (found := call.archived()) and found["completeness"]["after_call"] == LISTED else None,
        LIST_S,
        "archived with the list",
    )
    assert document["completeness"]["after_call_truncated"] is True
    assert document["complete"] is True
    assert document["completeness"]["missing"] == {"customer": 0, "agent": 0}
    told = [each["text"] for each in document["utterances"] if each["text"] in set(WORDS)]
    assert sorted(told) == sorted(WORDS)
    assert document["completeness"]["sources"]["both"] == LISTED
    assert poll(lambda: call.transcript()["complete"], SETTLES_S, "the API says so, too") is True


def _deliver(site: Site, call_sid: str) -> None:
    stream_id = call_sid[-8:]
    for number, text in enumerate(WORDS):
        body = {
            "type": "transcript",
            "externalConversationId": call_sid,
            "streamId": stream_id,
            "sender": {"role": "customer", "externalId": call_sid},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": number * 6_000,
                "end": number * 6_000 + 3_000,
                "utterance": [{"text": text}],
            },
        }
        headers = {"asapp-webhook-secret": WEBHOOK_SECRET}
        answer = site.http.post(f"{site.web_url}/asapp/transcripts", json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text


def _list(site: Site, call_sid: str) -> None:
    now = datetime.now(UTC).isoformat()
    items = [
        {
            "messageId": f"FAKE{number:06d}",
            "text": text,
            "sender": {"role": "customer", "externalId": call_sid},
            "createdTimestamp": now,
            "clientTimestamp": now,
        }
        for number, text in enumerate(WORDS[:LISTED])
    ]
    rule = {"operation": "messages", "match": {"guid": call_sid}, "status": 200, "body": json.dumps({"items": items})}
    site.asapp("faults", [rule])
