"""Server-sent events from a real server: the present, what changes, and what was missed, each once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestrator.core import events as e
from orchestrator.store.feed import CAP
from orchestrator.store.forgetting import forget
from tests.integration.conftest import RedisServer
from tests.integration.web.processes import GUNICORN, base, is_up, running
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site
from tests.integration.web.sse import Client, Event

Eventually = Callable[[Callable[[], object]], None]
AGENT = "CA" + "b" * 32
OTHER = "CA" + "c" * 32


@dataclass
class Served:
    """The service as a process, and `site`: the same service in this process, on the same Redis, to act by."""

    url: str
    process: subprocess.Popen[bytes]
    site: Site
    clients: list[Client] = field(default_factory=list)

    def follow(self, path: str, **options: Any) -> Client:
        client = Client(f"{self.url}/api/v1{path}", **options)
        self.clients.append(client)
        return client

    def say(self, text: str, sid: str = CALL, start_ms: int = 0, length_ms: int = 400) -> None:
        answer = self.site.client.post(
            "/asapp/transcripts",
            json={
                "type": "transcript",
                "externalConversationId": sid,
                "streamId": "fake-stream",
                "sender": {"role": "customer", "externalId": "fake-customer"},
                "autotranscribeResponse": {
                    "message": "transcript",
                    "start": start_ms,
                    "end": start_ms + length_ms,
                    "utterance": [{"text": text}],
                },
            },
            headers={"asapp-webhook-secret": "fake-new"},
        )
        assert answer.status_code == 200


@pytest.fixture
def served(
    site: Site, environ: dict[str, str], redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> Iterator[Served]:
    environ |= {
        "REDIS_URL": redis_server.url,
        "AGENT_API_KEYS": "desk:fake-key,board:fake-reader:read",
        "TRANSCRIPT_WEBHOOK_SECRET": "fake-new",
    }
    with running(GUNICORN, environ, tmp_path / "log") as process:
        eventually(lambda: is_up(environ))
        served = Served(base(environ), process, site)
        yield served
        for client in served.clients:
            client.close()


def versions(events: list[Event]) -> list[int]:
    return [event.data["version"] for event in events if event.name == "call"]


def test_a_new_follower_sees_the_present_and_then_every_change(served: Served) -> None:
    """The calls as they are, `ready`, then the whole call again whenever something in it is seen to change."""
    served.site.arrive()
    desk = served.follow("/stream")
    assert desk.response.headers["Content-Type"] == "text/event-stream"
    (present,) = desk.until("ready")
    shown = served.site.api("GET", f"/calls/{CALL}").get_json()
    assert present == Event("call", shown)

    served.site.report(CALL, type="pause", reason="payment")
    changed = desk.next()
    assert changed.name == "call"
    assert [pause["reason"] for pause in changed.data["pauses"]] == ["payment"]
    served.site.report(CALL, type="resume", reason="payment")
    assert desk.next().data["pauses"] == []


def test_an_utterance_is_told_as_in_the_transcript(served: Served) -> None:
    """With its call's SID; one spoken in a pause is never told."""
    served.site.arrive()
    served.site.report(CALL, type="agent-connected", agent_id="amy")
    desk = served.follow(f"/calls/{CALL}/stream")
    desk.until("ready")
    served.say("in the open")
    told = desk.next()
    (kept,) = served.site.api("GET", f"/calls/{CALL}/transcript").get_json()["utterances"]
    assert told == Event("utterance", {"call_sid": CALL, **kept})

    served.site.report(CALL, type="pause", reason="payment")
    desk.next()
    time.sleep(1.5)  # so long that an utterance of now lies in the pause, by its length and the vendor's delay
    served.say("4111 fake card", start_ms=5000, length_ms=800)
    served.site.report(CALL, type="resume", reason="payment")
    assert desk.next().name == "call"


def test_a_call_is_followed_by_any_leg_with_its_transcript_so_far(served: Served) -> None:
    """The present of one call includes what was said; other calls are not told."""
    served.site.arrive()
    served.site.report(CALL, type="agent-connected", agent_id="amy", agent_leg=AGENT)
    served.say("so far")
    desk = served.follow(f"/calls/{AGENT}/stream")
    told = desk.until("ready")
    assert [event.name for event in told] == ["call", "utterance"]
    served.site.arrive(OTHER)
    served.say("of another call", OTHER)
    served.say("and on", start_ms=1000)
    assert desk.next().data["text"] == "and on"


def test_who_comes_back_is_told_what_was_missed_once(served: Served) -> None:
    """In order, nothing twice, whatever happened meanwhile, and then the news."""
    served.site.arrive()
    desk = served.follow("/stream")
    desk.until("ready")
    served.say("heard")
    assert desk.next().data["text"] == "heard"
    desk.close()

    served.say("missed", start_ms=1000)
    served.site.report(CALL, type="pause", reason="payment")
    served.site.report(CALL, type="resume", reason="payment")
    served.site.arrive(OTHER)
    back = served.follow("/stream", last_id=desk.last_id)
    missed = back.until("ready")
    assert [(each.name, each.data["call_sid"]) for each in missed] == [
        ("utterance", CALL),
        ("call", CALL),
        ("call", OTHER),
    ]
    assert missed[1].data == served.site.api("GET", f"/calls/{CALL}").get_json()
    back.close()
    again = served.follow("/stream", last_id=back.last_id)
    assert again.until("ready") == []
    served.say("news", start_ms=2000)
    assert again.next().data["text"] == "news"


def test_no_loss_and_no_repetition_under_broken_connections(served: Served) -> None:
    """A follower whose connection breaks again and again during a storm ends with every utterance once, in order."""
    served.site.arrive()
    client = served.follow("/stream")
    client.until("ready")
    count = 150

    def storm() -> None:
        for number in range(count):
            served.say(str(number), start_ms=number)
            if number % 3 == 0:
                kind = "pause" if number % 2 else "resume"
                served.site.report(CALL, type=kind, reason="x-ray")

    site_report = threading.Thread(target=storm)
    site_report.start()
    heard: list[str] = []
    seen: list[int] = []
    deadline = time.monotonic() + 60
    while len(heard) < count and time.monotonic() < deadline:
        for _ in range(7):
            event = client.next()
            if event.name == "utterance":
                heard.append(event.data["text"])
            elif event.name == "call":
                seen.append(event.data["version"])
            if len(heard) == count:
                break
        client.close()
        client = served.follow("/stream", last_id=client.last_id)
    site_report.join()
    assert heard == [str(number) for number in range(count)]
    assert seen == sorted(set(seen))


def test_who_was_away_too_long_is_shown_the_present_anew(served: Served) -> None:
    """`reset` comes first: what the client has may be wrong."""
    served.site.arrive()
    desk = served.follow("/stream", last_id="1700000000000-0")
    assert desk.next().name == "reset"
    assert [event.name for event in desk.until("ready")] == ["call"]
    for odd in ("nonsense", "1-1,2-2", "99999999999999-0"):
        assert served.follow("/stream", last_id=odd).next().name == "reset"


def test_a_view_by_agent_tells_of_calls_that_come_and_go(served: Served) -> None:
    """Another agent's call is never told; one that went to another agent is `gone`, told live or late."""
    served.site.arrive()
    served.site.arrive(OTHER)
    amy = served.follow("/stream?agent_id=amy")
    assert amy.until("ready") == []
    served.site.report(OTHER, type="agent-connected", agent_id="bob")
    served.site.report(CALL, type="agent-connected", agent_id="amy")
    assert amy.next().data["agent"]["id"] == "amy"
    last_id = amy.last_id
    served.site.report(CALL, type="agent-connected", agent_id="bob")
    amy.next()
    served.site.report(CALL, type="agent-disconnected", agent_id="amy")
    assert amy.next() == Event("gone", {"call_sid": CALL})
    late = served.follow("/stream?agent_id=amy", last_id=last_id)
    assert late.until("ready") == [Event("gone", {"call_sid": CALL})]


def test_a_view_by_state_tells_of_calls_that_come_and_go(served: Served) -> None:
    """A call that is paused appears among the paused ones and leaves them again; utterances can be left out."""
    served.site.arrive()
    board = served.follow("/stream?state=paused&events=call", key="fake-reader")
    assert board.until("ready") == []
    served.site.report(CALL, type="pause", reason="payment")
    assert board.next().data["state"] == "paused"
    served.say("unwanted")
    served.site.report(CALL, type="resume", reason="payment")
    assert board.next() == Event("gone", {"call_sid": CALL})


def test_a_forgotten_call_is_gone(served: Served) -> None:
    """For who follows all calls, and for who follows it alone; its SID stays in no key of Redis."""
    served.site.arrive()
    floor, desk = served.follow("/stream"), served.follow(f"/calls/{CALL}/stream")
    for client in (floor, desk):
        client.until("ready")
    services = served.site.services
    forget(services.redis, services.store.keys, CALL)
    assert floor.next() == Event("gone", {"call_sid": CALL})
    assert desk.next() == Event("gone", {"call_sid": CALL})


def test_what_nobody_sees_is_not_told(served: Served) -> None:
    """A commit that changes only inner things of the call adds nothing to the feed."""
    served.site.arrive()
    services = served.site.services
    feed = services.feed.end(0)
    services.store.apply(CALL, e.AuditRequested(at=services.clock.now_ms(), why="test"))
    assert services.feed.end(0) == feed


def test_the_feed_is_capped(served: Served) -> None:
    """It never grows much beyond its cap, however long it is written."""
    served.site.arrive()
    keys = served.site.services.store.keys
    redis = served.site.services.redis
    source = "for i = 1, 30000 do redis.call('XADD', KEYS[1], '*', 'call', ARGV[1], 'version', 0) end"
    redis.execute_command("EVAL", source, 1, keys.feed(0), CALL)
    served.say("one more")
    assert int(redis.execute_command("XLEN", keys.feed(0))) < CAP * 1.1


def test_sigterm_ends_streams_cleanly_and_soon(served: Served) -> None:
    """Each is told when to come back; the process ends although they were open."""
    clients = [served.follow("/stream") for _ in range(20)]
    for client in clients:
        client.until("ready")
    started = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    for client in clients:
        client.rest()
    assert len({client.retry_ms for client in clients}) > 5
    assert time.monotonic() - started < 5
    assert served.process.wait(20) == 0


def test_more_streams_than_threads_leave_the_web_server_free(served: Served) -> None:
    """100 open streams on 64 threads: other requests are answered as ever, and everybody is told."""
    served.site.arrive()
    clients = [served.follow("/stream") for _ in range(100)]
    assert requests.get(f"{served.url}/healthz", timeout=2).ok
    for client in clients:
        client.until("ready")
    served.site.report(CALL, type="pause", reason="payment")
    assert {client.next().data["state"] for client in clients} == {"paused"}


def test_only_who_has_a_key_may_follow(served: Served) -> None:
    """As problem details, before anything is streamed; no key is taken from the URL."""
    for path, key, status in [
        ("/stream", "wrong", 401),
        ("/stream?access_token=fake-key", "wrong", 401),
        (f"/calls/{OTHER}/stream", "fake-key", 404),
        ("/stream?state=happy", "fake-key", 400),
        ("/stream?events=call,all", "fake-key", 400),
    ]:
        answer = served.follow(path, key=key).response
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
    head = requests.head(f"{served.url}/api/v1/stream", headers={"Authorization": "Bearer fake-key"}, timeout=5)
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


def test_a_client_of_http_1_0_is_streamed_to_unframed(served: Served) -> None:
    """Without chunks, to the end of the connection."""
    port = int(served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"GET /api/v1/stream HTTP/1.0\r\nAuthorization: Bearer fake-key\r\n\r\n")
        told = b""
        while b"event: ready" not in told:
            told += line.recv(4096)
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"retry: ")
    assert json.loads(body.rpartition(b"data: ")[2]) == {}


def test_a_stream_ends_with_its_token(served: Served) -> None:
    """Cleanly, within a heartbeat of its end; coming back with it is refused, with a new one nothing was missed."""
    served.site.arrive()

    def token(ttl_s: int) -> str:
        return str(served.site.api("POST", "/tokens", json={"ttl_s": ttl_s}).get_json()["token"])

    short = token(10)
    desk = served.follow("/stream", key=short, timeout=40)
    desk.until("ready")
    desk.rest()
    assert desk.retry_ms == 0
    assert served.follow("/stream", key=short).response.status_code == 401
    served.say("missed")
    back = served.follow("/stream", key=token(60), last_id=desk.last_id)
    assert [event.data["text"] for event in back.until("ready")] == ["missed"]


def test_one_browser_cannot_take_all_streams(served: Served) -> None:
    """A token's are limited, with 503 and when to come again; a key's are not, and another's come through."""
    site = served.site
    tokens = [site.api("POST", "/tokens", json={"agent_id": each}).get_json()["token"] for each in ("amy", "bob")]
    opened = [served.follow("/stream", key=tokens[0]) for _ in range(21)]
    assert [each.response.status_code for each in opened] == [200] * 20 + [503]
    assert opened[-1].response.json()["type"] == "too-many-streams"
    assert int(opened[-1].response.headers["Retry-After"]) > 0
    assert served.follow("/stream", key=tokens[1]).response.status_code == 200
    assert served.follow("/stream").response.status_code == 200
    opened[0].close()
    deadline = time.monotonic() + 10
    while served.follow("/stream", key=tokens[0]).response.status_code != 200:
        assert time.monotonic() < deadline


@dataclass
class Watched:
    """A served site on a Redis of its own that was just away for longer than any operation on it may take."""

    site: Site
    desk: Client
    """Had the present shown before."""


@pytest.fixture
def after_redis_hung(
    own_redis: RedisServer, environ: dict[str, str], make_settings: MakeSettings, vendor: Vendor, tmp_path: Path,
    eventually: Eventually,
) -> Iterator[Watched]:  # fmt: skip
    site = open_site(make_settings(own_redis.url), vendor)
    site.arrive()
    environ |= {"REDIS_URL": own_redis.url, "AGENT_API_KEYS": "desk:fake-key"}
    with running(GUNICORN, environ, tmp_path / "log"):
        eventually(lambda: is_up(environ))
        desk = Client(f"{base(environ)}/api/v1/stream")
        desk.until("ready")
        own_redis.freeze()
        time.sleep(2.5)
        own_redis.thaw()
        yield Watched(site, desk)
        desk.close()
    site.services.close()


def test_streams_outlive_a_redis_that_was_away(after_redis_hung: Watched, eventually: Eventually) -> None:
    """They stay open while it hangs, and everything that comes after it is told."""
    site, desk = after_redis_hung.site, after_redis_hung.desk
    eventually(lambda: site.report(CALL, type="pause", reason="payment").status_code == 202)
    assert desk.next().data["state"] in {"paused", "pausing", "waiting"}


def test_an_emptied_redis_ends_the_streams_and_the_present_is_shown_anew(
    after_redis_hung: Watched, environ: dict[str, str], eventually: Eventually
) -> None:
    """The place in the feed is gone: nobody goes on as if nothing had been missed."""
    site, desk = after_redis_hung.site, after_redis_hung.desk
    eventually(lambda: site.services.redis.execute_command("FLUSHALL"))
    site.arrive(OTHER)
    desk.rest()
    back = Client(f"{base(environ)}/api/v1/stream", last_id=desk.last_id)
    assert back.next().name == "reset"
    assert [event.data["call_sid"] for event in back.until("ready")] == [OTHER]
    back.close()


def test_streams_leave_room_for_webhooks(
    environ: dict[str, str], redis: object, redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """Where a process may open few files, further streams are refused and everything else is answered."""
    del redis  # empties the server
    environ |= {"REDIS_URL": redis_server.url, "AGENT_API_KEYS": "desk:fake-key"}
    with running(
        ["sh", "-c", f"ulimit -n 300; exec {' '.join(GUNICORN[:-1])} '{GUNICORN[-1]}'"], environ, tmp_path / "log"
    ):
        eventually(lambda: is_up(environ))
        clients = [Client(f"{base(environ)}/api/v1/stream") for _ in range(60)]
        statuses = [client.response.status_code for client in clients]
        assert statuses == [200] * 44 + [503] * 16
        assert is_up(environ)
        for client in clients:
            client.close()
