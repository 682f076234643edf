"""After the call: complete, fenced, and rewritten when something still comes."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.core.events import (
    AgentConnected,
    CallArrived,
    PauseRequested,
    StreamStarted,
    TimePassed,
)
from orchestrator.core.transition import transition
from orchestrator.errors import OrchestratorError
from orchestrator.store.keys import breaker
from orchestrator.store.utterances import Added
from orchestrator.transcripts.after_call import add_batch, work
from orchestrator.transcripts.utterance import Received
from orchestrator.transcripts.view import as_text, transcript_of
from orchestrator.worker import slow
from tests.integration.conftest import RedisServer
from tests.integration.transcripts.conftest import Office, open_office
from tests.scripted_http import answer
from tests.unit.transcripts.conversations import SID, given_call, heard, listed

LEAK = "four two four two fake card"
CALL = given_call((40, 60, "hold"), promised=2)
HELLO = heard(12_000, 13_000, "hello there")
LEAKED = heard(45_000, 47_000, LEAK)


def test_a_call_is_complete_when_both_sources_have_come(office: Office) -> None:
    """One look; nothing is left to do, and the document says what came from where."""
    office.put(CALL)
    office.hear(CALL, HELLO)
    office.lists([listed(13_000, "Hello there."), listed(70_000, "lost on the way to us")])
    assert office.look(CALL) is None
    document = office.archived()
    assert document is not None
    assert document["complete"] is True
    assert [each["source"] for each in document["utterances"]] == ["both", "after-call"]
    assert document["completeness"]["live"] == {"customer": 1, "agent": 0}
    assert document["completeness"]["missing"] == {"customer": 0, "agent": 0}


def test_it_waits_until_the_vendor_has_all(office: Office) -> None:
    """404, an empty list, too short a list: again later, with what there is archived meanwhile."""
    office.put(CALL)
    office.hear(CALL, HELLO)
    office.has_nothing()
    first = office.look(CALL)
    office.lists([])
    second = office.look(CALL)
    office.lists([listed(13_000, "hello there")])
    third = office.look(CALL)
    now = office.services.clock.now_ms()
    assert first is None  # the call of this test is years old: its messages are long gone
    fresh = msgspec.structs.replace(CALL, ended_at=now)
    office.put(fresh)
    waits = [(office.look(fresh) or 0) - now for _ in range(2)]
    assert (second, third) == (None, None)
    assert 0 < waits[0] < waits[1]
    document = office.archived()
    assert document is not None
    assert (document["complete"], document["completeness"]["missing"]["customer"]) == (False, 1)


def test_the_first_document_does_not_wait_for_the_vendor(office: Office) -> None:
    """The first look archives what came in real time and asks nobody; the next one, ten seconds later, does."""
    call = msgspec.structs.replace(CALL, ended_at=office.services.clock.now_ms())
    office.put(call)
    office.hear(call, HELLO)
    next_at = work(office.services, SID)
    assert next_at is not None
    assert 9_500 < next_at - office.services.clock.now_ms() < 11_500
    assert office.archived() is not None
    assert office.asapp.asked == []


def test_the_first_document_comes_though_the_first_look_failed(office: Office) -> None:
    """The archive was away, then ASAPP: what came in real time is archived as soon as the archive is back."""
    call = msgspec.structs.replace(CALL, ended_at=office.services.clock.now_ms())
    office.put(call)
    office.hear(call, HELLO)
    in_its_way = office.folder / "archive"
    in_its_way.write_text("a file where a folder should be")
    with pytest.raises(OrchestratorError):
        work(office.services, SID)
    in_its_way.unlink()
    for _ in range(5):
        office.services.budgets.messages.failed()
    assert work(office.services, SID) is not None
    document = office.archived()
    assert document is not None
    assert [each["text"] for each in document["utterances"]] == ["hello there"]
    assert office.asapp.asked == []


@pytest.mark.parametrize("rest", [0, 40])
def test_a_document_that_was_cut_is_written_anew(office: Office, rest: int) -> None:
    """By a power cut, or on a full disk."""
    office.put(CALL)
    office.hear(CALL, HELLO)
    office.lists([listed(13_000, "hello there")])
    office.look(CALL)
    (path,) = (office.folder / "archive").rglob("*.json")
    path.write_bytes(path.read_bytes()[:rest])
    office.look(CALL)
    document = office.archived()
    assert document is not None
    assert [each["text"] for each in document["utterances"]] == ["hello there"]


def test_a_vendor_that_fails_for_all_is_left_alone(office: Office) -> None:
    """After five failures in a row other calls do not ask; once it answers they are all due."""
    services = office.services
    calls = [msgspec.structs.replace(CALL, call_sid="CA" + digit * 32) for digit in "2345678"]
    for call in calls:
        office.put(msgspec.structs.replace(call, ended_at=services.clock.now_ms()))
    office.asapp.otherwise = answer(503, {})
    waits = [office.look(call) for call in calls]
    assert len(office.asapp.asked) == 5
    assert None not in waits
    assert services.after_call_messages.asked(calls[-1].call_sid) == 1  # this very time is the first that is counted
    office.lists([])
    services.redis.execute_command("HSET", breaker("asapp-messages"), "open_until", 1)
    office.look(calls[0])
    assert services.slow_queue.depth() == 2


def test_calls_go_first_where_the_budget_is_short(office: Office) -> None:
    """Of ASAPP's requests per second what starts need is theirs: the list is asked for later."""
    call = msgspec.structs.replace(CALL, ended_at=office.services.clock.now_ms())
    office.put(call)
    office.lists([])
    bucket = office.slow_down_asapp(per_s=1, burst=10)
    assert [bucket.take() for _ in range(6)] == [0] * 6
    next_at = office.look(call)
    assert (office.asapp.asked, bucket.take()) == ([], 0)
    assert next_at is not None
    assert next_at - office.services.clock.now_ms() < 2_500


def test_leaks_of_every_source_are_thrown_away(office: Office) -> None:
    """Live, in the finished call's list, in the batch feed: nowhere in Redis or in the archive are the words left."""
    office.put(CALL)
    office.hear(CALL, HELLO, LEAKED)
    other = listed(50_000, "expires in january")
    office.lists([listed(13_000, "hello there"), listed(47_000, LEAK.title()), other])
    assert LEAK in office.everything_kept()
    office.look(CALL)
    add_batch(office.services, SID, [listed(13_000, "hello there"), listed(55_000, "the code is fake fake fake")])
    office.look(CALL)
    kept = office.everything_kept().casefold()
    assert "hello there" in kept
    for words in (LEAK, "expires in january", "fake fake"):
        assert words not in kept
    document = office.archived()
    assert document is not None
    assert [each["reason"] for each in document["quarantined"]] == ["hold"] * 3
    call = office.services.store.load(SID)
    assert call is not None
    assert call.problem is not None
    assert call.problem.id == "utterances-quarantined"
    assert "3 utterances" in call.problem.detail


def test_of_a_message_beside_a_pause_what_was_heard_stays(office: Office) -> None:
    """In list and feed it has a word of the pause as well: nowhere is that left, nor is anything else lost."""
    office.put(CALL)
    office.hear(CALL, heard(37_000, 39_900, "my card number is"))
    office.lists([listed(39_900, "my card number is seventeen")])
    office.look(CALL)
    add_batch(office.services, SID, [listed(40_100, "my card number is eighteen")])
    for _ in range(2):
        office.look(CALL)
        kept = office.everything_kept()
        assert "my card number is" in kept
        assert "teen" not in kept
    document = office.archived()
    assert document is not None
    assert [each["text"] for each in document["utterances"]] == ["my card number is"]
    assert document["quarantined"] == []


def test_a_leak_is_told_while_the_call_lasts(office: Office) -> None:
    """Some seconds after the message; the words stay for the look after the call, which may know better."""
    store, queue, at = office.services.store, office.services.slow_queue, office.services.clock.now_ms()
    store.begin(CallArrived(at=at, call_sid=SID, profile=CALL.profile, has_stream_url=True))
    store.apply(SID, StreamStarted(at=at, name="asapp-1", sid="MZ" + "1" * 32))
    store.apply(SID, AgentConnected(at=at, agent_id="amy"))
    said = Received(stream_id="x", role="customer", start_ms=0, end_ms=900, text=LEAK, at=at, key="before")
    office.hear(CALL, said)
    assert queue.state(0).later == 0, "nothing was paused so far"
    store.apply(SID, PauseRequested(at=at, reason="payment"))
    office.hear(CALL, msgspec.structs.replace(said, key="leak", at=at + 3_000, start_ms=2_000, end_ms=2_900))
    assert queue.state(0).later == 1
    assert slow.look(office.services, SID) is None
    call = store.load(SID)
    assert call is not None
    assert call.problem is not None
    told = ("utterances-quarantined", "1 utterance was spoken in a pause: payment")
    assert (call.problem.id, call.problem.detail) == told
    assert office.archived() is None
    assert len(office.services.utterances.all(SID)) == 2


def test_what_proves_to_be_no_leak_is_taken_back(office: Office) -> None:
    """The look after the call found it outside of every pause."""
    told = TimePassed(at=CALL.created_at, what="utterances-quarantined", subject="1 utterances: hold")
    office.put(transition(CALL, told))
    office.hear(CALL, HELLO)
    office.has_nothing()
    office.look(CALL)
    call = office.services.store.load(SID)
    assert call is not None
    assert call.problem is None


def test_a_message_without_words_raises_no_alarm(office: Office) -> None:
    """One of the list, one of the feed, in a call without any pause; the rest of the list is worked in."""
    call = given_call(promised=2)
    office.put(call)
    office.hear(call, HELLO)
    empty = msgspec.structs.replace(listed(20_000, "x"), text="")
    office.lists([listed(13_000, "hello there"), empty, listed(70_000, "lost on the way to us")])
    office.look(call)
    add_batch(office.services, SID, [empty])
    office.look(call)
    document = office.archived()
    assert document is not None
    assert (len(document["utterances"]), document["quarantined"], document["complete"]) == (2, [], True)
    kept = office.services.store.load(SID)
    assert kept is not None
    assert kept.problem is None


def test_a_later_look_brings_nothing_back(office: Office) -> None:
    """The list is fetched again and has the words; they are known again by their fingerprint alone."""
    office.put(CALL)
    office.hear(CALL, LEAKED)
    office.has_nothing()
    office.look(CALL)
    office.lists([listed(100_000, LEAK)])
    office.look(CALL)
    assert LEAK not in office.everything_kept()
    assert "four" not in as_text(transcript_of(office.services, SID))


def test_a_rotation_of_the_vendors_secret_brings_nothing_back(office: Office, redis_server: RedisServer) -> None:
    """The words were thrown away under the old secret; ASAPP's clock is far off, so the time does not tell."""
    office.put(CALL)
    office.hear(CALL, LEAKED)
    office.has_nothing()
    office.look(CALL)
    with open_office(redis_server, office.folder, ASAPP_API_SECRET="fake-after-the-rotation") as rotated:
        rotated.lists([listed(100_000, LEAK)])
        rotated.look(CALL)
        assert LEAK not in rotated.everything_kept()
        assert "four" not in as_text(transcript_of(rotated.services, SID))


def test_a_live_call_shows_nothing_of_a_pause(office: Office) -> None:
    """The API's transcript is fenced from the first moment, not only after the call."""
    office.put(CALL)
    office.hear(CALL, HELLO, LEAKED)
    told = transcript_of(office.services, SID)
    assert [each["text"] for each in told["utterances"]] == ["hello there"]
    assert [each["length"] for each in told["quarantined"]] == [len(LEAK)]


def test_quarantined_words_are_kept_only_where_the_profile_says_so(office: Office) -> None:
    """Apart from the transcript, and for QUARANTINE_TTL_HOURS."""
    keeping = msgspec.structs.replace(CALL.profile, keep_quarantined_text=True)
    call = msgspec.structs.replace(CALL, profile=keeping)
    office.put(call)
    office.hear(call, LEAKED)
    office.lists([])
    office.look(call)
    (kept,) = office.services.utterances.quarantined(SID)
    assert kept["text"] == LEAK
    left_s = office.services.redis.execute_command("TTL", office.services.store.keys.quarantine(SID))
    assert 24 * 3600 - 60 < left_s <= 24 * 3600
    assert "four" not in str(transcript_of(office.services, SID))


def test_a_message_after_the_look_is_worked_in(office: Office) -> None:
    """Late after the end: stored, and the finished call is looked at again."""
    office.put(CALL)
    office.lists([])
    assert office.hear(CALL, HELLO) == [Added.STORED]
    office.look(CALL)
    assert office.post(CALL, heard(20_000, 21_000, "better late than never")) == 200
    queue = office.services.store.keys.queue("slow", 0)
    assert office.services.redis.execute_command("ZSCORE", queue.due, SID) is not None
    office.look(CALL)
    assert "better late than never" in str(office.archived())


def test_a_list_of_a_thousand_is_known_to_be_cut(office: Office) -> None:
    """1,200 utterances: the list holds the last 1,000, real time has those that it lacks; together complete."""
    call = msgspec.structs.replace(
        given_call(promised=1200),
        ended_at=CALL.created_at + 7_300_000,
        segments=(msgspec.structs.replace(given_call(promised=1200).segments[0], end=CALL.created_at + 7_250_000),),
    )
    office.put(call)
    times = range(12_000, 12_000 + 1200 * 6_000, 6_000)
    office.hear(call, *(heard(at, at + 3_000, f"sentence {at}") for number, at in enumerate(times) if number % 7))
    office.lists([listed(at + 3_000, f"Sentence {at}.") for at in times[-1000:]])
    office.look(call)
    document = office.archived()
    assert document is not None
    lost_for_good = sum(1 for number in range(200) if number % 7 == 0)
    assert document["completeness"]["after_call_truncated"] is True
    assert (document["complete"], document["completeness"]["missing"]["customer"]) == (False, lost_for_good)
    office.hear(call, *(heard(at, at + 3_000, f"sentence {at}") for at in times))
    assert office.look(call) is None
    document = office.archived()
    assert document is not None
    assert document["complete"] is True
    assert [each["text"] for each in document["utterances"]] == [f"sentence {at}" for at in times]
