"""What callbacks lost is found by looking: holds, leaves, ends; within a budget; after Redis was away or emptied."""

from __future__ import annotations

from dataclasses import replace as replace_of
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, ReadCall, ReadLeg, ReadParticipants, StartTranscription, Verdict
from orchestrator.core.call import Progress
from orchestrator.core.desired import desired, state_of
from orchestrator.core.people import is_customer_held
from orchestrator.store import keys
from orchestrator.store.budgets import TokenBucket
from orchestrator.store.errors import CallContended, CallTooNew, StoreUnavailable
from orchestrator.store.heartbeat import Lease
from orchestrator.store.keys import Keys
from orchestrator.twilio.client import CallsInProgress, ListedLeg
from orchestrator.worker.loop import Worker
from orchestrator.worker.resync import MARK, Resync
from tests.integration.worker.conftest import Desk

if TYPE_CHECKING:
    from orchestrator.services import Services
    from orchestrator.store.calls import Applied, CallStore
    from orchestrator.twilio.client import TwilioClient

CUSTOMER = "CA" + "a" * 32
AGENT = "CA" + "b" * 32
ROOM = "CF" + "1" * 32


def talk(desk: Desk) -> None:
    """In a conference of ours a minute ago, and nothing heard of since."""
    at = desk.services.clock.now_ms() - 120_000
    profile = desk.services.profiles.default
    desk.services.store.begin(
        e.CallArrived(at=at, call_sid=CUSTOMER, profile=profile, customer_number="+15555550101", has_stream_url=True)
    )
    joined = e.ParticipantJoined(at=at, conference=ROOM, leg=CUSTOMER, sequence=1, label="customer")
    desk.tell(
        CUSTOMER,
        e.StreamStarted(at=at, name="asapp-1", sid="MZ" + "3" * 32),
        joined,
        replace(joined, leg=AGENT, sequence=2, label="agent-amy"),
    )


def test_a_lost_last_hold_is_found(desk: Desk) -> None:
    """No later event would show it: the participants are read every minute of transcription."""
    desk.vendors.leg(CUSTOMER)
    desk.vendors.room(ROOM, **{CUSTOMER: True, AGENT: False})
    talk(desk)
    assert desired(desk.call(CUSTOMER)).transcription
    desk.turns()
    assert is_customer_held(desk.call(CUSTOMER))
    assert state_of(desk.call(CUSTOMER)) == "paused"
    assert desk.vendors.requests("/stop-streaming")


def test_a_lost_leave_is_found(desk: Desk) -> None:
    """The agent is not listed any more."""
    desk.vendors.leg(CUSTOMER)
    desk.vendors.room(ROOM, **{CUSTOMER: False})
    talk(desk)
    desk.turns()
    assert state_of(desk.call(CUSTOMER)) == "waiting"


def test_a_lost_end_is_found(desk: Desk) -> None:
    """The room is empty or gone: then the leg is read, and says that it has ended."""
    desk.vendors.leg(CUSTOMER, status="completed")
    talk(desk)
    desk.turns()
    assert desk.call(CUSTOMER).is_ended


def test_a_gap_in_the_sequence_is_looked_into(desk: Desk) -> None:
    """Number 3 never came: the room is read a second after number 4."""
    desk.vendors.room(ROOM, **{CUSTOMER: False, AGENT: False})
    talk(desk)
    at = desk.services.clock.now_ms() - 2_000
    desk.tell(CUSTOMER, e.ParticipantModified(at=at, conference=ROOM, leg=AGENT, sequence=4, is_held=False))
    desk.turns()
    assert desk.vendors.requests(f"/Conferences/{ROOM}/Participants")
    assert not desk.call(CUSTOMER).readings


def test_an_unlabelled_leg_is_looked_up_once(desk: Desk) -> None:
    """Its identity comes from the call resource."""
    desk.vendors.leg(CUSTOMER)
    desk.vendors.room(ROOM, **{CUSTOMER: False, AGENT: False})
    other = "CA" + "c" * 32
    desk.vendors.leg(other, direction="outbound-api", to="client:agent-9")
    talk(desk)
    at = desk.services.clock.now_ms()
    joined = e.ParticipantJoined(at=at, conference=ROOM, leg=other, sequence=3)
    desk.tell(CUSTOMER, joined)
    desk.turns()
    desk.tell(CUSTOMER, e.ParticipantModified(at=at, conference=ROOM, leg=other, sequence=4))
    desk.turns()
    assert "client:agent-9" in [agent.id for agent in desk.call(CUSTOMER).agents]
    assert len(desk.vendors.requests(f"/Calls/{other}")) == 1


def test_regular_looks_are_budgeted_and_leave_room_for_others(desk: Desk) -> None:
    """When the budget is spent on audits, a read that something made due still goes."""
    executor = desk.worker.executor
    talk(desk)
    call = desk.call(CUSTOMER)
    waits = [executor.wait_ms(ReadParticipants(conference=ROOM, why="audit"), call) for _ in range(60)]
    assert waits[0] == 0
    assert max(waits) >= 1_000
    assert executor.wait_ms(ReadLeg(leg=AGENT), call) == 0
    assert executor.wait_ms(ReadCall(why="adopted from api"), call) == 0


def test_a_start_that_was_too_early_lets_others_go_first(desk: Desk) -> None:
    """ASAPP does not know its stream yet: the newest talk then waits for those that were not tried."""
    executor, start = desk.worker.executor, StartTranscription(agent_id="amy", stream="asapp-1")
    talk(desk)
    call = replace(desk.call(CUSTOMER), wanted_since=2_000)
    while executor.wait_ms(start, replace(call, call_sid=AGENT)) == 0:
        pass  # the budget is spent
    too_early = replace(call, transcription=replace(call.transcription, not_before=1))
    untried = replace(call, call_sid="CA" + "d" * 32, wanted_since=1_000)
    executor.wait_ms(start, untried)
    assert executor.wait_ms(start, too_early) > executor.wait_ms(start, untried)
    assert executor.wait_ms(start, call) < executor.wait_ms(start, untried), "not refused: before the older talk"


def test_a_herd_of_looks_is_told_its_turns(desk: Desk) -> None:
    """After Redis was away every call is to be looked at: each is told when, not to ask again and again."""
    executor = desk.worker.executor
    talk(desk)
    call = desk.call(CUSTOMER)
    herd = [replace(call, call_sid=f"CA{number:032x}", wanted_since=number) for number in range(200)]
    waits = [executor.wait_ms(ReadCall(why="Redis was away"), each) for each in herd]
    assert 40 <= waits.count(0) <= 60, "the burst goes at once"
    again = [executor.wait_ms(ReadCall(why="Redis was away"), each) for each in herd[-50:]]
    assert again == sorted(again, reverse=True), "the newest talk first"
    assert 800 <= max(again) <= 1_100, "one after the other, 50 in a second"


def listed(desk: Desk, *legs: dict[str, object]) -> None:
    desk.vendors.resources["/Calls.json"] = {"calls": list(legs), "page": 0, "page_size": 100, "next_page_uri": None}


def test_an_emptied_redis_is_filled_from_twilio(desk: Desk) -> None:
    """Customers' legs of ours: a number whose voice URL leads here, one that a profile names, a device's child."""
    vendors, agent, device, child, named, strange = desk.vendors, AGENT, *("CA" + letter * 32 for letter in "cdef")
    ours = {
        "sid": "PN" + "1" * 32,
        "phone_number": "+15555550100",
        "voice_url": "https://calls.example.com/twilio/voice",
    }
    vendors.resources["/IncomingPhoneNumbers.json"] = {"incoming_phone_numbers": [ours], "next_page_uri": None}
    listed(
        desk,
        vendors.leg(CUSTOMER),
        vendors.leg(agent, direction="outbound-dial", parent_call_sid=CUSTOMER, to="client:agent-7"),
        vendors.leg(device, **{"from": "client:agent-8", "to": "+15555550142"}),
        vendors.leg(child, direction="outbound-dial", parent_call_sid=device, to="+15555550142"),
        vendors.leg(named, to="+15555550111"),
        vendors.leg(strange, to="sip:shop@elsewhere.example"),
    )
    Resync(desk.services).look()
    assert {sid for sid in vendors_sids(desk) if desk.services.store.load(sid)} == {CUSTOMER, child, named}
    assert desk.call(named).profile.transcribe is False
    Resync(desk.services).look()
    assert len(vendors.requests("/Calls.json")) == 1


def vendors_sids(desk: Desk) -> set[str]:
    return {str(leg["sid"]) for leg in desk.vendors.resources["/Calls.json"]["calls"]}


def silent_talk(desk: Desk) -> None:
    """Transcribed for two minutes, and nothing heard in them; a regular look has just been made."""
    talk(desk)
    at = desk.services.clock.now_ms() - 110_000
    start = StartTranscription(agent_id="amy", stream="asapp-1")
    desk.tell(
        CUSTOMER,
        e.ActionIntended(at=at, action=start, attempt=1, worker="test"),
        e.ActionEnded(at=at, action=start, attempt=1, outcome=Outcome(verdict=Verdict.DONE)),
    )
    desk.vendors.room(ROOM, **{CUSTOMER: False, AGENT: False})


def test_probes_go_by_the_budget_of_starts(desk: Desk) -> None:
    """With it spent nothing is asked and the probe comes back later; a hold's stop goes all the same."""
    budget = TokenBucket(desk.services.redis, "test", rate_per_s=0.01, burst=2)
    services = replace_of(desk.services, budgets=replace_of(desk.services.budgets, asapp=budget))
    poor = Desk(services, Worker(services, threads=1), desk.vendors)
    silent_talk(poor)
    assert budget.take() == 0, "what a start may have is gone"
    poor.turns()
    assert desk.vendors.requests("/start-streaming") == []
    due = desk.services.redis.execute_command("ZSCORE", Keys().queue("calls", 0).due, CUSTOMER)
    assert float(due) > desk.services.clock.now_ms() + 10_000, "when its turn is"
    poor.tell(CUSTOMER, e.HoldReported(at=desk.services.clock.now_ms()))
    poor.turns()
    assert len(desk.vendors.requests("/stop-streaming")) == 1


def test_a_probe_is_sent_where_there_is_a_budget(desk: Desk) -> None:
    """The same call, asked about at once, and once."""
    silent_talk(desk)
    desk.turns()
    assert len(desk.vendors.requests("/start-streaming")) == 1


def inbound(desk: Desk, count: int, number: str = "+15555550100") -> list[dict[str, object]]:
    return [desk.vendors.leg(f"CA{index:032x}", to=number) for index in range(count)]


def test_a_number_is_read_once_for_all_its_calls(desk: Desk) -> None:
    """A hundred callers of one number: one request, so that the lease outlasts them."""
    ours = {"sid": "PN" + "1" * 32, "phone_number": "+15555550100", "voice_url": "https://calls.example.com/twilio/v"}
    desk.vendors.resources["/IncomingPhoneNumbers.json"] = {"incoming_phone_numbers": [ours], "next_page_uri": None}
    listed(desk, *inbound(desk, 100))
    Resync(desk.services).look()
    assert len(list(desk.services.store.live_sids())) == 100
    assert len(desk.vendors.requests("/IncomingPhoneNumbers.json")) == 1


def test_a_number_that_cannot_be_read_leaves_it_undone(desk: Desk) -> None:
    """Whether its calls are ours is not known: nothing is marked, and it is looked at again after the lease."""
    listed(desk, *inbound(desk, 2))
    desk.vendors.down.add("/IncomingPhoneNumbers.json")
    Resync(desk.services).look()
    assert desk.services.redis.execute_command("GET", MARK) is None
    assert 0 < desk.services.redis.execute_command("TTL", keys.lease("resync")) <= 30


def test_looking_through_prolongs_the_lease_and_yields_when_it_is_lost(desk: Desk) -> None:
    """Two processes never look through the list at a time; one that was overtaken leaves it to the other."""
    ours = {"sid": "PN" + "1" * 32, "phone_number": "+15555550100", "voice_url": "https://calls.example.com/twilio/v"}
    desk.vendors.resources["/IncomingPhoneNumbers.json"] = {"incoming_phone_numbers": [ours], "next_page_uri": None}
    listed(desk, *inbound(desk, 3))
    taken: list[int] = []

    def overtaken() -> None:
        taken.append(desk.services.redis.execute_command("TTL", keys.lease("resync")))
        desk.services.redis.execute_command("SET", keys.lease("resync"), "somebody else")

    desk.vendors.meanwhile["/IncomingPhoneNumbers.json"] = overtaken
    Resync(desk.services).look()
    assert taken[0] > 0
    assert len(list(desk.services.store.live_sids())) == 1, "the one it was at"
    assert desk.services.redis.execute_command("GET", MARK) is None


def test_a_list_that_cannot_be_read_is_asked_for_again(desk: Desk) -> None:
    """Nothing is marked as done before it is; meanwhile nobody asks twice."""
    Resync(desk.services).look()
    Resync(desk.services).look()
    assert len(desk.vendors.requests("/Calls.json")) == 1
    assert desk.services.redis.execute_command("GET", "orchestrator:resynced") is None


def test_after_redis_was_away_live_calls_are_compared(desk: Desk) -> None:
    """Who saw it away makes the reads due, once; before that nothing is."""
    talk(desk)
    listed(desk)
    resync = Resync(desk.services)
    resync.look()
    assert not desk.call(CUSTOMER).readings
    resync.was_away = True
    resync.look()
    keys = sorted(each.key.partition(":")[0] for each in desk.call(CUSTOMER).readings)
    assert keys == ["call", "conference"]
    assert desk.call(CUSTOMER).progress is Progress.IN_PROGRESS
    assert not resync.was_away


class Troubled:
    """The store of a process for which the next changes of some calls fail, once for each error given."""

    def __init__(self, store: CallStore, errors: dict[str, list[Exception]]) -> None:
        self._store = store
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def apply(self, sid: str, event: e.Event) -> Applied | None:
        if self._errors.get(sid):
            raise self._errors[sid].pop(0)
        return self._store.apply(sid, event)


SIDS = [f"CA{number:032x}" for number in range(5)]


def talks(desk: Desk) -> None:
    """Several; Redis has been filled from Twilio's list."""
    desk.services.redis.execute_command("SET", MARK, "1")
    for sid in SIDS:
        at, profile = desk.services.clock.now_ms(), desk.services.profiles.default
        desk.services.store.begin(e.CallArrived(at=at, call_sid=sid, profile=profile, has_stream_url=True))


def away(services: Services) -> Resync:
    """A process that met an outage; it has looked before, at the same server."""
    resync = Resync(services)
    resync.look()
    resync.was_away = True
    return resync


def audits(desk: Desk, sids: list[str] = SIDS) -> list[list[bool]]:
    """Of each call: its audits, and whether they knew of another server."""
    found = ([each.event for each in desk.services.store.timeline(sid)] for sid in sids)
    return [[event.is_forgetful for event in events if isinstance(event, e.AuditRequested)] for events in found]


def test_a_call_that_cannot_be_changed_costs_no_other_its_audit(desk: Desk) -> None:
    """Unreadable, of a newer release, or raising what nobody foresaw: it is passed over, once."""
    talks(desk)
    broken, newer, poison = SIDS[:3]
    document = Keys().of(broken).document
    desk.services.redis.execute_command("HSET", document, "document", '{"broken')
    store = Troubled(desk.services.store, {newer: [CallTooNew(newer, 99)], poison: [ZeroDivisionError()]})
    resync = away(replace_of(desk.services, store=cast("CallStore", store)))
    with capture_logs() as logs:
        resync.look()
        resync.look()
    assert audits(desk, SIDS[3:]) == [[False], [False]]
    assert not resync.was_away
    assert {each["call_sid"] for each in logs if each["event"] == "call passed over"} == {broken, newer, poison}


def test_an_audit_goes_on_after_a_hiccup(desk: Desk) -> None:
    """One command failed, one call was contended: the rest follows, and still knows that the server is another."""
    talks(desk)
    errors: dict[str, list[Exception]] = {SIDS[1]: [CallContended(SIDS[1], 20)], SIDS[3]: [StoreUnavailable("away")]}
    resync = Resync(replace_of(desk.services, store=cast("CallStore", Troubled(desk.services.store, errors))))
    resync._server = frozenset({"the one before"})
    with pytest.raises(StoreUnavailable):
        resync.look()
    assert audits(desk) == [[True], [], [True], [], []]
    resync.look()
    assert audits(desk)[1:] == [[True], [True, True], [True], [True]], "and all once more: it has been away again"
    resync.was_away = True
    resync.look()
    assert {each[-1] for each in audits(desk)} == {False}, "that is over with"


def test_a_contended_call_alone_is_audited_later(desk: Desk) -> None:
    """The others are done with."""
    talks(desk)
    store = Troubled(desk.services.store, {SIDS[1]: [CallContended(SIDS[1], 20)]})
    resync = away(replace_of(desk.services, store=cast("CallStore", store)))
    resync.look()
    resync.look()
    assert audits(desk) == [[False]] * 5


def test_a_second_outage_is_audited_as_soon_as_the_first(desk: Desk) -> None:
    """By the process that saw to the first, and by another one."""
    talks(desk)
    first, second = away(desk.services), away(desk.services)
    first.look()
    first.was_away = True
    first.look()
    second.look()
    assert audits(desk) == [[False, False, False]] * 5


def test_an_audit_waits_for_another_process_and_forgets_nothing(desk: Desk) -> None:
    """The lease is another's: with the next look it may be ours."""
    talks(desk)
    other = Lease(desk.services.redis, "reconnected")
    assert other.acquire(10)
    resync = Resync(desk.services)
    resync._server = frozenset({"the one before"})
    resync.look()
    resync.look()
    assert audits(desk) == [[]] * 5
    other.release()
    resync.look()
    assert audits(desk) == [[True]] * 5


def test_a_leg_that_cannot_be_looked_at_costs_no_other(desk: Desk) -> None:
    """The call of one is stored and unreadable; the others of the list are adopted."""
    at, profile = desk.services.clock.now_ms(), desk.services.profiles.default
    desk.services.store.begin(e.CallArrived(at=at, call_sid=SIDS[0], profile=profile))
    desk.services.redis.execute_command("HSET", Keys().of(SIDS[0]).document, "document", '{"broken')
    listed(desk, *inbound(desk, 3, number="+15555550111"))
    Resync(desk.services).look()
    assert [desk.call(sid).call_sid for sid in SIDS[1:3]] == SIDS[1:3]
    assert desk.services.redis.execute_command("GET", MARK) is not None


class CutShort:
    """Twilio was too slow with its list, or it was too long."""

    def __init__(self, cut: str) -> None:
        self._cut = cut

    def list_calls_in_progress(self) -> CallsInProgress:
        legs = [
            ListedLeg(sid=sid, parent=None, direction="inbound", caller="+15555550101", called="+15555550111")
            for sid in SIDS
        ]
        return CallsInProgress(legs=legs, cut=self._cut)


@pytest.mark.parametrize(("cut", "is_marked"), [("late", False), ("many", True)])
def test_a_list_that_was_cut_is_used_and_told_of(desk: Desk, cut: str, is_marked: bool) -> None:
    """Its calls are adopted; a slow Twilio is asked again, a list that is always too long is not."""
    services = replace_of(desk.services, twilio=cast("TwilioClient", CutShort(cut)))
    with capture_logs() as logs:
        Resync(services).look()
    assert [desk.call(sid).call_sid for sid in SIDS] == SIDS
    assert [each["why"] for each in logs if each["event"] == "not all calls in progress listed"] == [cut]
    assert (desk.services.redis.execute_command("GET", MARK) is not None) == is_marked
    assert 0 < desk.services.redis.execute_command("TTL", keys.lease("resync")) <= 30


def test_live_calls_do_not_wait_for_twilios_list(desk: Desk) -> None:
    """It may take a minute; those that are known are audited before."""
    talks(desk)
    resync = away(desk.services)
    desk.services.redis.execute_command("DEL", MARK)
    seen: list[list[list[bool]]] = []
    desk.vendors.meanwhile["/Calls.json"] = lambda: seen.append(audits(desk))
    listed(desk)
    resync.look()
    assert seen == [[[False]] * 5]
