"""ASAPP's transcript webhook: stored in one round trip, or refused with the promised status."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis as redis_py
from werkzeug.test import TestResponse

from orchestrator.store.forgetting import forget
from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site

NAME = "asapp-webhook-secret"


def message(**changes: Any) -> dict[str, Any]:
    return {
        "type": "transcript",
        "externalConversationId": CALL,
        "streamId": "fake-1",
        "sender": {"externalId": "cust-7", "role": "customer"},
        "autotranscribeResponse": {
            "message": "transcript",
            "start": 1200,
            "end": 2480,
            "utterance": [{"text": "My PIN is ####."}],
        },
        **changes,
    }


def post(site: Site, body: object, *, secret: str | None = "fake-new", query: str = "") -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if secret is None else {NAME: secret}
    return site.client.post(f"/asapp/transcripts{query}", data=data, headers=headers, content_type="application/json")


def kept(site: Site) -> list[dict[str, Any]]:
    return site.services.utterances.all(CALL)


def test_a_message_is_stored_once(site: Site) -> None:
    """Text, role and offsets; a repeated delivery adds nothing."""
    for _ in range(3):
        assert post(site, message()).status_code == 200
    (record,) = kept(site)
    assert (record["role"], record["text"]) == ("customer", "My PIN is ####.")
    assert (record["start_ms"], record["end_ms"]) == (1200, 2480)


@pytest.mark.parametrize("kind", ["new", "repeated", "late", "forgotten"])
def test_a_message_costs_one_round_trip(site: Site, redis_server: RedisServer, kind: str) -> None:
    """As Redis itself sees it, and whatever becomes of the message; a late one makes the next look due with it."""
    post(site, message())
    services = site.services
    match kind:
        case "late":
            services.after_call_messages.looked(CALL)
        case "forgotten":
            forget(services.redis, services.store.keys, CALL)
    with redis_py.Redis.from_url(redis_server.url) as watcher, watcher.monitor() as seen:
        post(site, message() if kind == "repeated" else message(streamId="second"))
        services.redis.execute_command("ECHO", "enough")
        rows = []
        for row in seen.listen():
            if row["command"] == "ECHO enough":
                break
            if row["client_type"] != "lua":
                rows.append(row["command"].split()[0])
    assert rows == ["EVALSHA"]
    assert (services.slow_queue.state(0).later == 1) == (kind == "late")


@pytest.mark.parametrize(
    ("secret", "query", "status"),
    [
        ("fake-old", "", 200),
        ("fake-new", "", 200),
        (None, f"?{NAME}=fake-new", 200),
        (None, "", 401),
        ("", "", 401),
        ("fake", "", 401),
        ("fake-old, fake-new", "", 401),
        ("wrong", f"?{NAME}=fake-new", 401),
        (None, f"?{NAME}=", 401),
    ],
)
def test_the_secret_is_taken_from_the_header_then_the_query(
    site: Site, secret: str | None, query: str, status: int
) -> None:
    """Both secrets of a rotation count; a wrong header is not outdone by a right query."""
    assert post(site, message(), secret=secret, query=query).status_code == status
    assert len(kept(site)) == (status == 200)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 50_000,
        message(externalConversationId="CA1"),
        message(externalConversationId="}:" + "x" * 1000),
        message(sender={"role": "ghost"}),
        message(autotranscribeResponse={"start": -1, "end": 0, "utterance": [{"text": "x"}]}),
        message(autotranscribeResponse={}),
        message(sender=None),
    ],
)
def test_what_is_not_the_format_is_refused(site: Site, body: object) -> None:
    """400, and nothing is stored."""
    assert post(site, body).status_code == 400
    assert not site.services.redis.execute_command("KEYS", "*utterances*")


def test_an_unknown_type_is_accepted_and_counted(site: Site) -> None:
    """ASAPP may add kinds of messages; the count shows them."""
    assert post(site, {"type": "summary"}).status_code == 200
    answer = site.client.get("/metrics", headers={"Authorization": "Bearer fake-metrics"})
    assert 'orchestrator_transcript_messages_total{outcome="unknown-type"} 1' in answer.text


def test_above_the_limit_is_413(site: Site) -> None:
    """256 KiB, also when the length is not told beforehand."""
    assert post(site, b" " * (256 * 1024 + 1)).status_code == 413
    assert post(site, b"x" * (256 * 1024)).status_code == 400


def test_with_redis_away_it_is_503(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> None:
    """Nothing is acknowledged that is not stored."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    assert post(site, message()).status_code == 503
