"""Words spoken in a pause are planted in every source, on the processes of the Procfile: they come out of none.

The site has a sink, which is told of the call as soon as it has ended, and of nothing that was fenced.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.e2e.harness import CUSTOMER, NUMBER, WEBHOOK_SECRET, Site
from tests.e2e.processes import ROOT, poll
from tests.e2e.world import CallSeen, assert_ended_clean, assert_state
from tests.scripted_http import ScriptedServer, answer
from tests.stored import unpacked_entry

SECRET = "whsec_ZmFrZS1zZWNyZXQtb2YtMjQtYnl0ZXMtISE="
LIVE, LISTED, FED = "first fake card number", "second fake card number", "third fake card number"
GOOD = "this may be heard by everybody"
PAUSED_S = 3.0
ARCHIVED_S = 40.0


@pytest.fixture(scope="module")
def sink() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.script.append(answer(503, {}))  # the first attempt is in vain
        server.otherwise = answer(200, {})
        yield server


@pytest.fixture(scope="module")
def leaky_site(sink: ScriptedServer) -> Iterator[Site]:
    with Site(environment={"SINK_URL": f"{sink.url}/calls", "SINK_SECRET": SECRET}) as running:
        yield running


def test_no_source_brings_out_what_was_said_in_a_pause(leaky_site: Site, sink: ScriptedServer) -> None:
    """Real time, the finished call's list, the batch feed: neither archive, API, sink, export, log nor Redis has it."""
    site = leaky_site
    call = CallSeen(site, site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
    site.twilio(f"calls/{call.sid}/agent-joins", {"label": "agent-amy", "client": "agent-amy"})
    assert_state(call, "transcribing")
    _deliver(site, call.sid, GOOD)

    # 1. In a payment pause something is heard all the same; ASAPP lists it, and has it in its feed, too.
    call.report("pause", reason="payment")
    assert_state(call, "paused")
    paused_at = time.time()
    poll(lambda: time.time() > paused_at + PAUSED_S, 2 * PAUSED_S, "the pause is long enough to speak in")
    _deliver(site, call.sid, LIVE)
    poll(lambda: (call.api()["problem"] or {}).get("id") == "utterances-quarantined", 10, "told while the call lasts")
    assert call.api()["state"] == "paused"
    _list(site, call.sid, {LIVE: paused_at + 2, LISTED: paused_at + 2.5})
    call.report("resume", reason="payment")
    assert_state(call, "transcribing")
    site.twilio(f"calls/{call.sid}/hangup", {})
    poll(lambda: call.api()["state"] == "ended", 10, "ended")

    # 2. After the call: fenced in the archive, and told as a problem of the call.
    document = poll(
        lambda: found if (found := call.archived()) and found["completeness"]["after_call"] == 2 else None,
        ARCHIVED_S,
        "archived with the list",
    )
    assert [each["reason"] for each in document["quarantined"]] == ["payment", "payment"]
    assert GOOD in str(document["utterances"])
    assert call.api()["problem"]["id"] == "utterances-quarantined"

    # 3. The next day: the feed has one more.
    exported = _export(site, call.sid, paused_at + 2)
    assert [(each["is_fenced"], each["text"]) for each in exported] == [(True, None)]

    # 4. The sink was told in spite of its first answer, signed.
    messages = poll(lambda: [each for each in _told(sink) if each["type"] != "sink.test"], ARCHIVED_S, "told")
    assert messages[-1]["data"]["call_sid"] == call.sid
    assert GOOD in str(messages[-1]["data"]["utterances"])
    assert sink.asked[0].headers["webhook-id"] == sink.asked[1].headers["webhook-id"]

    # 5. The words are nowhere.
    everything = {
        "archive": json.dumps(document),
        "API": json.dumps(call.transcript()),
        "timeline": json.dumps(call.timeline()),
        "sink": b"".join(each.body for each in sink.asked).decode(),
        "logs": "".join(each.text() for each in site.processes if each.name in {"web", "worker"}),
        "Redis": _redis(site),
    }
    for words in (LIVE, LISTED, FED):
        assert [place for place, text in everything.items() if words in text] == []


def test_the_fence_leaves_a_call_without_leaks_alone(leaky_site: Site, sink: ScriptedServer) -> None:
    """The next call ends clean, and the sink is told of it, too: all that the archive has."""
    played = leaky_site.play("queue_then_agent")
    call = CallSeen(leaky_site, played.call_sid)
    assert_ended_clean(call)
    document = poll(lambda: found if (found := call.archived()) and found["complete"] else None, ARCHIVED_S, "complete")
    del document["timeline"]
    poll(lambda: any(each["data"] == document for each in _told(sink)), ARCHIVED_S, "the sink has it all")


def _told(sink: ScriptedServer) -> list[dict[str, Any]]:
    return [dict(Webhook(SECRET).verify(each.body, each.headers)) for each in sink.asked]


def _deliver(site: Site, call_sid: str, text: str) -> None:
    body = {
        "type": "transcript",
        "externalConversationId": call_sid,
        "streamId": "fake-stream",
        "sender": {"role": "customer", "externalId": call_sid},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 900_000_000,
            "end": 900_001_500,
            "utterance": [{"text": text}],
        },
    }
    headers = {"asapp-webhook-secret": WEBHOOK_SECRET}
    sent = site.http.post(f"{site.web_url}/asapp/transcripts", json=body, headers=headers, timeout=10)
    assert sent.ok, sent.text


def _list(site: Site, call_sid: str, texts: dict[str, float]) -> None:
    items = [
        {
            "messageId": f"FAKE{number:06d}",
            "text": text,
            "sender": {"role": "customer", "externalId": call_sid},
            "createdTimestamp": datetime.fromtimestamp(at, UTC).isoformat(),
            "clientTimestamp": datetime.fromtimestamp(at, UTC).isoformat(),
        }
        for number, (text, at) in enumerate(texts.items())
    ]
    rule = {"operation": "messages", "match": {"guid": call_sid}, "status": 200, "body": json.dumps({"items": items})}
    site.asapp("faults", [rule])


def _export(site: Site, call_sid: str, at: float) -> list[dict[str, Any]]:
    """By the command, as an operator runs it."""
    day = (datetime.now(UTC) - timedelta(hours=26)).date().isoformat()  # the latest whose feed has come
    row = {"call_sid": call_sid, "message_id": "01MFED", "text": FED, "role": "customer", "at": at}
    site.asapp("feeds", {"date": day, "rows": [row]})
    target = site.folder / "exported"
    command = [sys.executable, "-m", "orchestrator", "export", "utterances", "--date", day, "--to", str(target)]
    done = subprocess.run(  # noqa: S603  our own command
        [*command, "--work-dir", str(site.folder / "work")],
        cwd=ROOT,
        env={"PATH": "", **site.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    text = (target / f"utterances-{day}.jsonl").read_text()
    assert FED not in text
    return [json.loads(line) for line in text.splitlines()]


def _redis(site: Site) -> str:
    """All that it holds, as one text."""
    told: list[str] = []
    with closing(site.redis()) as redis:
        for name in redis.scan_iter():
            match redis.type(name):
                case b"stream":
                    told.append(str([unpacked_entry(each) for each in redis.xrange(name) or ()]))
                case b"zset":
                    told.append(str(redis.zrange(name, 0, -1)))
                case b"list":
                    told.append(str(redis.lrange(name, 0, -1)))
                case b"hash":
                    told.append(str(redis.hgetall(name)))
                case b"set":
                    told.append(str(redis.smembers(name)))
                case _:
                    told.append(str(redis.get(name)))
    return "\n".join(told)
