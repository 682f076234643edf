"""What the console's pages show: the floor, lists, a call, problems."""

from __future__ import annotations

import re

import pytest

from orchestrator.core import events
from orchestrator.counting import hand_over
from tests.integration.conftest import RedisServer
from tests.integration.console.visitor import USERS, Visitor, words_of
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site
from tests.unit.web.console.floors import talking

OTHER = "CA" + "b" * 32
UTTERANCE = {
    "type": "transcript",
    "externalConversationId": CALL,
    "streamId": "fake-stream",
    "sender": {"externalId": "amy", "role": "customer"},
    "autotranscribeResponse": {
        "message": "transcript",
        "start": 0,
        "end": 900,
        "utterance": [{"text": "I was <charged> twice"}],
    },
}


@pytest.fixture
def talk(site: Site) -> Site:
    """A call that is being transcribed, and some words."""
    now = site.services.clock.now_ms()
    for event in talking(CALL, now - 60_000, "+15555550101", "amy"):
        if isinstance(event, events.CallArrived):
            site.services.store.begin(event)
        else:
            site.services.store.apply(CALL, event)
    said = site.client.post("/asapp/transcripts", json=UTTERANCE, headers={"asapp-webhook-secret": "fake-new"})
    assert said.status_code == 200
    return site


def test_the_floor_at_a_glance(amy: Visitor, talk: Site) -> None:
    """Calls by state, coverage, pauses, vendors, the stream URL and workers."""
    talk.services.heartbeat.beat("worker-7", 10)
    talk.services.tally.provider_request("asapp", "start", "done", 0.1)
    talk.services.tally.provider_request("asapp", "stop", "failed", 0.1)
    hand_over(talk.services)
    page = amy.reads("")
    assert "Calls now 1" in page
    assert "Transcribing 1" in page
    assert "Coverage today" in page
    assert "worker-7" in page
    assert "None at hand" in page
    assert "ASAPP starts of transcription Well 2 requests to ASAPP so far, 1 failed Twilio" in page


def test_an_open_breaker_is_told(amy: Visitor, site: Site) -> None:
    """With how many calls wait behind it."""
    for _ in range(5):
        site.services.budgets.starts.failed()
    site.services.budgets.starts.ask("CA1")
    site.services.budgets.starts.ask("CA2")
    assert re.search(r"Breaker open [12] waiting", amy.reads(""))


def test_numbers_are_shown_by_their_last_digits(amy: Visitor, talk: Site) -> None:
    """No page tells more of a customer's number."""
    for path in ("", "/calls", f"/calls/{CALL}?events=all", "/problems"):
        page = amy.opens(path).text
        assert "5555550101" not in page
    assert "…0101" in amy.reads("/calls")
    del talk


def test_events_tell_times_as_times(amy: Visitor, talk: Site) -> None:
    """Not as milliseconds since 1970."""
    at = talk.services.clock.now_ms()
    talk.services.store.apply(CALL, events.UtterancesHeard(at=at, until=at))
    assert re.search(r"utterances heard until \d\d:\d\d:\d\d\.\d{3} ", amy.reads(f"/calls/{CALL}"))


def test_filters(amy: Visitor, talk: Site) -> None:
    """By state, agent, the number's last digits, and problem; what is not understood asks for nothing."""
    talk.arrive(OTHER, From="+15555550199")

    def found(query: str) -> list[str]:
        return re.findall(r'href="/console/calls/(CA\w+)"', amy.opens(f"/calls?{query}").text)

    assert set(found("")) == {CALL, OTHER}
    assert found("state=transcribing") == [CALL]
    assert found("state=waiting&agent=") == [OTHER]
    assert found("agent=AM") == [CALL]
    assert found("number=0199") == [OTHER]
    assert found("problem=any") == []
    assert set(found("state=nonsense&sort=x&page=-3")) == {CALL, OTHER}


def test_a_call_sid_leads_to_its_call(amy: Visitor, talk: Site) -> None:
    """In the field for the number."""
    assert amy.opens(f"/calls?number={CALL}").headers["Location"] == f"/console/calls/{CALL}"
    del talk


def test_a_leg_leads_to_its_call(amy: Visitor, talk: Site) -> None:
    """Any leg's SID, as in the API."""
    talk.services.store.index("leg", OTHER, CALL, 60)
    assert amy.opens(f"/calls/{OTHER}").headers["Location"] == f"/console/calls/{CALL}"


@pytest.mark.parametrize("sid", ["CA" + "0" * 32, "nonsense", "%00", "%3Cscript%3E"])
def test_an_unknown_call_is_a_page(amy: Visitor, sid: str) -> None:
    """That says so, with status 404."""
    answer = amy.opens(f"/calls/{sid}")
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_a_transcript_is_opened_on_request_and_written_down(amy: Visitor, talk: Site) -> None:
    """The words appear only then, escaped, and under whose name is kept with the call."""
    assert "charged" not in amy.opens(f"/calls/{CALL}").text
    assert talk.services.audit.of_call(CALL) == []
    page = amy.opens(f"/calls/{CALL}?transcript=open")
    assert "I was &lt;charged&gt; twice" in page.text
    assert [(each.name, each.did) for each in talk.services.audit.of_call(CALL)] == [("amy", "opened-transcript")]
    assert "amy opened the transcript" in amy.reads(f"/calls/{CALL}")


def test_looking_on_is_one_opening(amy: Visitor, talk: Site) -> None:
    """A page that keeps itself up to date is written down once, somebody else's look once more, whatever is asked."""
    ben = Visitor(talk)
    ben.signs_in("ben", "fake-hashed")
    for visitor in (amy, amy, ben):
        for headers in ({}, {"X-Live": "1"}):
            visitor.opens(f"/calls/{CALL}?transcript=open", headers=headers)
    assert [each.name for each in talk.services.audit.of_call(CALL)] == ["ben", "amy"]


def test_hostile_names_are_words(amy: Visitor, site: Site) -> None:
    """What an agent or a problem is called is shown, never run."""
    site.arrive()
    site.report(CALL, type="agent-connected", agent_id='<img src=x onerror="alert(1)">')
    for path in ("", "/calls", f"/calls/{CALL}"):
        page = amy.opens(path).text
        assert "<img" not in page
        assert "&lt;img" in page


def test_problems_and_what_to_do(amy: Visitor, talk: Site) -> None:
    """A problem is grouped with its calls; its page and the call's say what to do, the vendor's code included."""
    now = talk.services.clock.now_ms()
    talk.services.store.apply(CALL, events.TimePassed(at=now, what="restarts-exhausted", subject="31920 refused"))
    page = amy.reads("/problems")
    assert "The media stream broke too often" in page
    assert "1 call" in page
    call = amy.reads(f"/calls/{CALL}")
    assert "Then press Try again." in call
    assert "WebSocket: handshake refused" in call
    assert "Gave up" in amy.reads("/calls")


def test_the_playbook_is_searched(amy: Visitor) -> None:
    """By code or word."""
    assert "1 entry" in amy.reads("/problems?q=21220")
    assert "0 entries" in amy.reads("/problems?q=nothing-like-it")


def test_the_store_away_is_a_page(make_settings: MakeSettings, own_redis: RedisServer, vendor: Vendor) -> None:
    """503 in words, with nothing of our inside."""
    site = open_site(make_settings(own_redis.url, CONSOLE_USERS=USERS), vendor)
    amy = Visitor(site)
    amy.signs_in("amy", "fake-password")
    own_redis.end()
    answer = amy.opens("/calls")
    assert answer.status_code == 503
    assert "Redis cannot be reached just now" in words_of(answer)
    site.services.close()
