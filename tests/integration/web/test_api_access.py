"""Who may do what: keys, tokens minted from them, one agent's calls, one call, and how often."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site

AGENT = "CA" + "b" * 32
OTHER = "CA" + "c" * 32


def minted(site: Site, *, key: str = "fake-key", **asked: object) -> str:
    answer = site.api("POST", "/tokens", key=key, json=asked)
    assert answer.status_code == 201, answer.data
    told: dict[str, Any] = answer.get_json()
    assert told.keys() == {"token", "expires_at", "permission", "agent_id", "call_sid"}
    return str(told["token"])


@pytest.fixture
def floor(site: Site) -> Site:
    """Amy is on one call, Bob on another."""
    site.arrive(CALL)
    site.arrive(OTHER)
    site.report(CALL, type="agent-connected", agent_id="amy", agent_leg=AGENT)
    site.report(OTHER, type="agent-connected", agent_id="bob")
    return site


def slug(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json().get("type", "")


def listed(site: Site, key: str) -> list[str]:
    return [call["call_sid"] for call in site.api("GET", "/calls", key=key).get_json()["calls"]]


def test_an_agents_token_sees_that_agents_calls_only(floor: Site) -> None:
    """Another agent's call does not exist for it, under whatever path."""
    token = minted(floor, agent_id="amy")
    assert listed(floor, token) == [CALL]
    assert slug(floor.api("GET", "/calls?agent_id=bob", key=token)) == (403, "forbidden")
    for path in ("", "/timeline", "/transcript", "/stream"):
        assert slug(floor.api("GET", f"/calls/{OTHER}{path}", key=token)) == (404, "no-such-call")
    for path in ("", "/timeline", "/transcript"):
        assert floor.api("GET", f"/calls/{CALL}{path}", key=token).status_code == 200
    assert floor.api("GET", f"/calls/{AGENT}", key=token).status_code == 200
    assert slug(floor.api("GET", "/stream?agent_id=bob", key=token)) == (403, "forbidden")


def test_an_agents_token_acts_on_that_agents_calls_only(floor: Site) -> None:
    """It cannot pause another's call, nor put its agent on it, nor tell of another agent."""
    token = minted(floor, agent_id="amy")

    def report(sid: str, **body: object) -> tuple[int, str]:
        return slug(floor.api("POST", f"/calls/{sid}/events", key=token, json=body))

    assert report(OTHER, type="pause") == (404, "no-such-call")
    assert report(OTHER, type="agent-connected", agent_id="amy") == (404, "no-such-call")
    assert report("CA" + "d" * 32, type="hold") == (404, "no-such-call")
    assert report(CALL, type="agent-connected", agent_id="bob") == (403, "forbidden")
    assert report(CALL, type="agent-disconnected", agent_leg=AGENT) == (403, "forbidden")
    assert floor.api("GET", f"/calls/{OTHER}").get_json()["pauses"] == []
    assert report(CALL, type="hold")[0] == 202
    (pause,) = floor.api("GET", f"/calls/{CALL}").get_json()["pauses"]
    assert pause["source"] == "desk:amy"


def test_a_calls_token_is_for_that_call(floor: Site) -> None:
    """Whoever is on it, so a desktop that places the call itself can report its agent."""
    token = minted(floor, call_sid=OTHER, agent_id="amy")
    assert listed(floor, minted(floor, call_sid=OTHER)) == [OTHER]
    assert listed(floor, minted(floor, call_sid=AGENT)) == [CALL]
    assert slug(floor.api("GET", f"/calls/{CALL}", key=token)) == (404, "no-such-call")
    assert slug(floor.api("POST", f"/calls/{CALL}/events", key=token, json={"type": "pause"})) == (404, "no-such-call")
    body = {"type": "agent-connected", "agent_id": "amy"}
    assert floor.api("POST", f"/calls/{OTHER}/events", key=token, json=body).status_code == 202


def test_a_reading_token_reports_nothing(floor: Site) -> None:
    """Minted as one, or by a key that may only read."""
    token = minted(floor, permission="read")
    assert floor.api("GET", f"/calls/{CALL}", key=token).status_code == 200
    assert slug(floor.api("POST", f"/calls/{CALL}/events", key=token, json={"type": "hold"})) == (403, "forbidden")
    assert slug(floor.api("POST", "/tokens", key="fake-reader", json={"permission": "control"})) == (403, "forbidden")
    assert minted(floor, key="fake-reader")


def test_a_token_mints_no_token(floor: Site) -> None:
    """Else none would ever end."""
    assert slug(floor.api("POST", "/tokens", key=minted(floor), json={})) == (403, "forbidden")


def test_a_token_ends(floor: Site) -> None:
    """401 from the second on that `expires_at` names; a captured one is worth nothing then."""
    answer = floor.api("POST", "/tokens", json={"ttl_s": 10}).get_json()
    assert floor.api("GET", "/calls", key=answer["token"]).status_code == 200
    assert slug(floor.api("POST", "/tokens", json={"ttl_s": 9})) == (400, "invalid-body")
    deadline = time.monotonic() + 15
    while floor.api("GET", "/calls", key=answer["token"]).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert slug(floor.api("GET", "/calls", key=answer["token"])) == (401, "unauthorized")


@pytest.mark.parametrize(
    "body", [b"[]", b"nonsense", b'{"ttl_s": 1e9}', b'{"permission": "all"}', b'{"agent_id": ""}', b'{"call_sid": "x"}']
)
def test_what_is_asked_for_is_checked(site: Site, body: bytes) -> None:
    """400 that says what is wrong."""
    assert slug(site.api("POST", "/tokens", data=body)) == (400, "invalid-body")


def test_a_desktop_that_asks_too_often_is_told_when_to_come_again(
    redis: object, redis_server: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """429 with `Retry-After`; a hold is not refused, and another agent's browser not held up."""
    del redis
    site = open_site(make_settings(redis_server.url, AGENT_API_RPS="2"), vendor)
    site.arrive()
    amy = minted(site, agent_id="amy")
    answers = [site.api("GET", "/calls", key=amy) for _ in range(10)]
    assert [each.status_code for each in answers].count(200) in {4, 5}
    refused = answers[-1]
    assert slug(refused) == (429, "too-many-requests")
    assert int(refused.headers["Retry-After"]) == 1
    for _ in range(10):
        assert site.report(CALL, type="hold").status_code == 202
    unholds = [site.report(CALL, type="unhold").status_code for _ in range(10)]
    assert 429 in unholds
    assert site.api("GET", "/calls", key=minted(site, key="fake-reader", agent_id="bob")).status_code == 200
    site.services.close()


def test_without_redis_nothing_is_refused_for_its_number(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """A hold still gets its emergency stop and 503, at once."""
    site = open_site(make_settings(own_redis.url, AGENT_API_RPS="1"), vendor)
    own_redis.end()
    started = time.monotonic()
    assert site.report(CALL, type="hold").status_code == 503
    assert time.monotonic() - started < 1.5
    assert [path for path, _ in vendor.requests if "stop" in path]
    assert site.api("GET", "/calls").status_code == 503
    site.services.close()


def test_browsers_of_the_configured_origins_may_ask(site: Site) -> None:
    """Also for tokens and streams, and read when to come again; others get no permission."""
    for path in ("/tokens", "/stream"):
        asked = site.client.options(
            f"/api/v1{path}", headers={"Origin": "https://desk.example", "Access-Control-Request-Method": "GET"}
        )
        assert asked.status_code == 204
        assert "Content-Type" not in asked.headers
        assert asked.headers["Access-Control-Allow-Origin"] == "https://desk.example"
        assert "Last-Event-ID" in asked.headers["Access-Control-Allow-Headers"]
        other = site.client.options(f"/api/v1{path}", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers
    told = site.client.get("/api/v1/calls", headers={"Origin": "https://desk.example"})
    assert told.headers["Access-Control-Expose-Headers"] == "Retry-After"
