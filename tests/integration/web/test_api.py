"""The desktop API: the call as the contract shows it, reports and commands, waiting, errors with stable names."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.desired import desired
from orchestrator.web.desktop_events import Reported
from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site

AGENT = "CA" + "b" * 32
OTHER = "CA" + "c" * 32


def shown(site: Site, sid: str = CALL) -> dict[str, Any]:
    answer = site.api("GET", f"/calls/{sid}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_call_reads_as_the_contract_says(site: Site) -> None:
    """Every promised name, with RFC 3339 times."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy", agent_leg=AGENT)
    site.report(CALL, type="pause", reason="payment")
    call = shown(site)
    assert (call["call_sid"], call["state"], call["problem"]) == (CALL, "paused", None)
    assert call["transcription"].keys() == {"state", "agent_id", "since"}
    assert call["media_stream"] == {"name": None, "state": "none"}
    (pause,) = call["pauses"]
    assert (pause["reason"], pause["source"]) == ("payment", "desk")
    assert pause["since"].endswith("Z")
    assert len(pause["since"]) == len("2026-01-01T00:00:00.000Z")
    assert call["agent"]["id"] == "amy"
    assert call["customer"]["id"] == CALL
    assert call["segments"] == []
    assert isinstance(call["version"], int)
    assert shown(site, AGENT) == call


def test_a_report_is_202_and_makes_an_unknown_call_known(site: Site) -> None:
    """The desktop is trusted with a call that Redis has lost."""
    answer = site.report(OTHER, type="hold")
    assert answer.status_code == 202
    assert answer.get_json()["call_sid"] == OTHER
    assert [pause["reason"] for pause in shown(site, OTHER)["pauses"]] == ["hold:desktop"]


def test_the_same_event_id_again_has_one_effect(site: Site) -> None:
    """The second answer shows the call as it is now."""
    site.arrive()
    site.report(CALL, type="pause", reason="payment", event_id="e1")
    site.report(CALL, type="resume", reason="payment")
    answer = site.report(CALL, type="pause", reason="payment", event_id="e1")
    assert answer.status_code == 202
    assert answer.get_json()["pauses"] == []


def test_an_older_sequence_changes_nothing(site: Site) -> None:
    """An unhold that overtook its hold stays."""
    site.arrive()
    site.report(CALL, type="unhold", sequence=2)
    assert site.report(CALL, type="hold", sequence=1).get_json()["pauses"] == []


def test_waiting_ends_with_200_once_all_is_as_wanted(site: Site) -> None:
    """The answer comes when a worker has confirmed it, not before, and not much later."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy")
    store = site.services.store
    action = a.StopTranscription()
    now = site.services.clock.now_ms
    call = store.load(CALL)
    assert call is not None
    store.apply(CALL, e.ActionIntended(at=now(), action=action, attempt=call.attempts + 1))

    def confirm() -> None:
        outcome = a.Outcome(verdict=a.Verdict.DONE)
        store.apply(CALL, e.ActionEnded(at=now(), action=action, attempt=call.attempts + 1, outcome=outcome))

    later = threading.Timer(0.4, confirm)
    later.start()
    started = time.monotonic()
    answer = site.report(CALL, "?wait=5000", type="pause", reason="payment")
    later.join()
    assert answer.status_code == 200
    assert 0.3 < time.monotonic() - started < 1.5
    assert answer.get_json()["state"] == "paused"


def test_waiting_shows_the_newest_call_at_its_limit(site: Site) -> None:
    """Not the one of the report: what happened meanwhile is in it."""
    site.arrive()
    bob = Reported(type="agent-connected", agent_id="bob")
    later = threading.Timer(0.2, lambda: site.services.store.apply(CALL, bob.event(site.services.clock.now_ms())))
    later.start()
    answer = site.report(CALL, "?wait=800", type="agent-connected", agent_id="amy")
    later.join()
    assert answer.status_code == 202
    assert answer.get_json() == shown(site)


def test_a_store_that_fails_while_waiting_only_ends_the_wait(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """202 with the call of the report: the event is stored, so nobody needs to send it again."""
    site = open_site(make_settings(own_redis.url), vendor)
    site.arrive()
    end = threading.Timer(0.5, own_redis.end)
    end.start()
    answer = site.report(CALL, "?wait=5000", type="agent-connected", agent_id="amy")
    end.join()
    assert answer.status_code == 202
    assert answer.get_json()["agent"]["id"] == "amy"


def test_waiting_ends_with_202_at_its_limit(site: Site) -> None:
    """No worker runs here, so what is wanted does not come true."""
    site.arrive()
    started = time.monotonic()
    answer = site.report(CALL, "?wait=300", type="agent-connected", agent_id="amy")
    assert answer.status_code == 202
    assert time.monotonic() - started < 1.0


def test_lists_are_newest_first_filtered_and_paged(site: Site) -> None:
    """By state, by agent, a page at a time."""
    sids = [f"CA{number:032x}" for number in range(3)]
    for sid in sids:
        site.arrive(sid)
    site.report(sids[0], type="agent-connected", agent_id="amy")
    everything = site.api("GET", "/calls").get_json()
    assert {call["call_sid"] for call in everything["calls"]} == set(sids)
    assert (
        everything["cursor"] is None or not site.api("GET", f"/calls?cursor={everything['cursor']}").get_json()["calls"]
    )
    found = site.api("GET", "/calls?agent_id=amy").get_json()["calls"]
    assert [call["call_sid"] for call in found] == [sids[0]]
    waiting = site.api("GET", "/calls?state=waiting").get_json()["calls"]
    assert {call["call_sid"] for call in waiting} == set(sids[1:])
    seen: list[str] = []
    cursor = ""
    for _ in sids:
        page = site.api("GET", f"/calls?limit=1&cursor={cursor}").get_json()
        seen += [call["call_sid"] for call in page["calls"]]
        cursor = page["cursor"]
    assert sorted(seen) == sorted(sids)


def test_the_timeline_tells_every_event(site: Site) -> None:
    """In order, with times and the state after each."""
    site.arrive()
    site.report(CALL, type="pause", reason="payment")
    entries = site.api("GET", f"/calls/{CALL}/timeline").get_json()["entries"]
    assert [entry["name"] for entry in entries] == ["call-arrived", "pause-requested"]
    assert entries[0]["event"]["customer_number"] == "...0101"
    assert entries[1]["event"]["reason"] == "payment"
    assert entries[1]["state"]["pauses"] == ["payment"]


@pytest.mark.parametrize(("form", "kind"), [("json", "application/json"), ("text", "text/plain"), ("vtt", "text/vtt")])
def test_a_transcript_comes_in_three_formats(site: Site, form: str, kind: str) -> None:
    """Empty here, but well-formed."""
    site.arrive()
    answer = site.api("GET", f"/calls/{CALL}/transcript?format={form}")
    assert answer.status_code == 200
    assert answer.content_type.startswith(kind)


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", f"/calls/{OTHER}", 404, "no-such-call"),
        ("GET", "/calls/CA1", 404, "no-such-call"),
        ("GET", "/calls/%7D:x%0a", 404, "no-such-call"),
        ("GET", f"/calls/{OTHER}/timeline", 404, "no-such-call"),
        ("GET", f"/calls/{OTHER}/transcript", 404, "no-such-call"),
        ("GET", "/calls?state=happy", 400, "invalid-parameter"),
        ("GET", "/calls?limit=-1", 400, "invalid-parameter"),
        ("GET", "/calls?limit=0", 400, "invalid-parameter"),
        ("GET", "/calls?limit=201", 400, "invalid-parameter"),
        ("GET", "/calls?cursor=abc", 400, "invalid-parameter"),
        ("POST", f"/calls/{OTHER}/events?wait=5001", 400, "invalid-parameter"),
        ("GET", "/calls?limit=" + "9" * 5000, 400, "invalid-parameter"),
        ("POST", f"/calls/{OTHER}/events", 400, "invalid-event"),
        ("POST", f"/calls/{OTHER}/events?wait=soon", 400, "invalid-parameter"),
        ("POST", "/calls/CA1/events", 404, "no-such-call"),
        ("DELETE", f"/calls/{OTHER}", 405, "method-not-allowed"),
        ("GET", "/nothing", 404, "not-found"),
    ],
)
def test_errors_are_problem_details_with_a_stable_type(
    site: Site, method: str, path: str, status: int, slug: str
) -> None:
    """RFC 9457, and nothing is stored."""
    answer = site.api(method, path)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["type"] == slug
    assert site.services.store.list().calls == []


def test_a_body_above_the_limit_is_refused(site: Site) -> None:
    """413 above 64 KiB."""
    answer = site.api("POST", f"/calls/{CALL}/events", data=b" " * 70_000)
    assert (answer.status_code, answer.get_json(force=True)["type"]) == (413, "too-large")


@pytest.mark.parametrize("key", [None, "", "wrong", "fake-ke", "desk:fake-key", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_without_a_valid_key_nothing_is_told(site: Site, key: str | None) -> None:
    """401, for reading and for writing."""
    for method, path in (("GET", "/calls"), ("POST", f"/calls/{CALL}/events")):
        answer = site.api(method, path, key=key)
        assert (answer.status_code, answer.get_json(force=True)["type"]) == (401, "unauthorized")


def test_a_reading_key_may_only_read(site: Site) -> None:
    """403 for a report."""
    assert site.api("GET", "/calls", key="fake-reader").status_code == 200
    answer = site.api("POST", f"/calls/{CALL}/events", key="fake-reader", json={"type": "hold"})
    assert (answer.status_code, answer.get_json(force=True)["type"]) == (403, "forbidden")
    assert site.services.store.load(CALL) is None


def test_browsers_of_known_origins_may_ask(site: Site) -> None:
    """A preflight needs no key; another origin gets no leave."""
    for origin, allowed in (("https://desk.example", "https://desk.example"), ("https://evil.example", None)):
        answer = site.client.options(f"/api/v1/calls/{CALL}/events", headers={"Origin": origin})
        assert answer.status_code == 204
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        denied = site.client.get("/api/v1/calls", headers={"Origin": origin})
        assert denied.status_code == 401
        assert denied.headers.get("Access-Control-Allow-Origin") == allowed


def test_consent_is_honoured(site: Site) -> None:
    """Withdrawn: off, and resumed by name only."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id="amy")
    site.report(CALL, type="consent-withdrawn")
    site.report(CALL, type="resume")
    call = site.services.store.load(CALL)
    assert call is not None
    assert not desired(call).transcription
    site.report(CALL, type="consent-given")
    call = site.services.store.load(CALL)
    assert call is not None
    assert desired(call).transcription


def test_with_redis_away_the_api_says_so(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> None:
    """503 with its own type and a hint when to come back."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    answer = site.api("GET", "/calls")
    assert (answer.status_code, answer.get_json(force=True)["type"]) == (503, "store-unavailable")
    assert answer.headers["Retry-After"] == "1"
