"""Ended calls in a real Redis, an archive in a folder, and ASAPP's finished-call list as a test writes it down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from orchestrator.asapp.wire import StoredMessage, transcript_message
from orchestrator.core.call import Call
from orchestrator.services import AFTER_CALL_LEAVES, Services, build
from orchestrator.settings import Settings
from orchestrator.store.budgets import TokenBucket
from orchestrator.store.codec import encode
from orchestrator.store.utterances import Added
from orchestrator.transcripts import after_call
from orchestrator.transcripts.utterance import Received, record_of
from orchestrator.web import create_app
from tests.contract.vendors import _emulator
from tests.integration.conftest import RedisServer
from tests.integration.transcripts.feeds import SIDS, Site
from tests.scripted_http import ScriptedServer, answer
from tests.stored import unpacked_entry

SECRET = "fake-webhook"


@dataclass
class Office:
    """Where transcripts are put together."""

    services: Services
    asapp: ScriptedServer
    folder: Path
    client: FlaskClient
    environment: dict[str, str]

    def slow_down_asapp(self, per_s: float, burst: int) -> TokenBucket:
        """Another budget of ASAPP's requests, as sites share it; returns what starts take from."""
        redis, budgets = self.services.redis, self.services.budgets
        starts = TokenBucket(redis, "slow", per_s, burst)
        after_call_work = TokenBucket(redis, "slow", per_s, burst, AFTER_CALL_LEAVES)
        self.services = replace(self.services, budgets=replace(budgets, asapp=starts, after_call=after_call_work))
        return starts

    def put(self, call: Call) -> None:
        keys = self.services.store.keys.of(call.call_sid)
        redis = self.services.redis
        redis.execute_command(
            "HSET", keys.document, "version", 1, "document", encode(msgspec.structs.replace(call, version=1))
        )
        recent = self.services.store.keys.recent(keys.shard)
        redis.execute_command("ZADD", recent, call.created_at, call.call_sid)

    def hear(self, call: Call, *said: Received) -> list[Added]:
        return [
            self.services.utterances.add(call.call_sid, each.key, msgspec.to_builtins(each), each.at) for each in said
        ]

    def post(self, call: Call, said: Received) -> int:
        """The same over the webhook."""
        body = {
            "type": "transcript",
            "externalConversationId": call.call_sid,
            "streamId": said.stream_id,
            "sender": {"role": said.role, "externalId": "x"},
            "autotranscribeResponse": {
                "message": "transcript",
                "start": said.start_ms,
                "end": said.end_ms,
                "utterance": [{"text": said.text}],
            },
        }
        assert record_of(transcript_message(json.dumps(body).encode()), 1)
        headers = {"asapp-webhook-secret": SECRET}
        return self.client.post("/asapp/transcripts", json=body, headers=headers).status_code

    def lists(self, messages: Sequence[StoredMessage]) -> None:
        """What ASAPP answers from now on."""
        self.asapp.otherwise = answer(200, {"items": [_item(each) for each in messages]})

    def has_nothing(self) -> None:
        self.asapp.otherwise = answer(404, {"error": {"code": "404-01", "message": "not found"}})

    def look(self, call: Call) -> int | None:
        """One look that asks ASAPP; the first one of a call, which does not, goes before it."""
        if self.services.redis.execute_command("HEXISTS", self.services.store.keys.messages(call.call_sid), "looks"):
            return after_call.work(self.services, call.call_sid)
        after_call.work(self.services, call.call_sid)
        return after_call.work(self.services, call.call_sid)

    def archived(self) -> dict[str, Any] | None:
        found = [path for path in (self.folder / "archive").rglob("*") if path.is_file()]
        assert len(found) <= 1
        return dict(json.loads(found[0].read_text())) if found else None

    def everything_kept(self) -> str:
        """All of Redis and of the archive as one text: whoever steals them reads this."""
        redis = self.services.redis
        told: list[str] = []
        for name in redis.execute_command("KEYS", "*"):
            kind = redis.execute_command("TYPE", name)
            kind = kind.decode() if isinstance(kind, bytes) else kind
            read = {
                "hash": ["HGETALL", name],
                "string": ["GET", name],
                "stream": ["XRANGE", name, "-", "+"],
                "zset": ["ZRANGE", name, 0, -1],
                "set": ["SMEMBERS", name],
                "list": ["LRANGE", name, 0, -1],
            }[kind]
            found = redis.execute_command(*read)
            told.append(f"{name!r} {[unpacked_entry(each) for each in found] if kind == 'stream' else found!r}")
        told += [path.read_text() for path in (self.folder / "archive").rglob("*") if path.is_file()]
        return "\n".join(told)


def _item(message: StoredMessage) -> dict[str, Any]:
    at = datetime.fromtimestamp(message.sent_at / 1000, UTC).isoformat()
    return {
        "messageId": message.message_id,
        "text": message.text,
        "sender": {"role": message.role},
        "createdTimestamp": at,
        "clientTimestamp": at,
    }


@contextmanager
def open_office(redis_server: RedisServer, tmp_path: Path, **more: str) -> Iterator[Office]:
    """With `more` in its environment."""
    (tmp_path / "profiles.toml").write_text('[default]\nroute = "conference"\n')
    with ScriptedServer() as asapp:
        environment = {
            "REDIS_URL": redis_server.url,
            "PUBLIC_BASE_URL": "https://calls.example.com",
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "fake-token",
            "ASAPP_API_BASE_URL": asapp.url,
            "ASAPP_API_ID": "fake-id",
            "ASAPP_API_SECRET": "fake-secret",
            "TRANSCRIPT_WEBHOOK_SECRET": SECRET,
            "ORCHESTRATOR_CONFIG": str(tmp_path / "profiles.toml"),
            "ARCHIVE_URL": (tmp_path / "archive").as_uri(),
            **more,
        }
        services = build(Settings.from_environment(environment))
        yield Office(services, asapp, tmp_path, create_app(services=services).test_client(), environment)
        services.close()


@pytest.fixture
def office(redis: object, redis_server: RedisServer, tmp_path: Path) -> Iterator[Office]:
    del redis  # empties the server
    with open_office(redis_server, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def asapp() -> Iterator[str]:
    with _emulator("asapp", "--api-id", "fake-id", "--api-secret", "fake-secret") as url:
        yield url


@pytest.fixture
def site(office: Office, asapp: str, tmp_path: Path) -> Iterator[Site]:
    """Redis knows the calls of `SIDS`; of none of them anything was heard live."""
    services = build(Settings.from_environment({**office.environment, "ASAPP_API_BASE_URL": asapp}))
    made = Site(services, office, asapp, tmp_path)
    made.control("reset", {})
    for sid in SIDS:
        made.call(sid, promised=0)
    yield made
    services.close()
