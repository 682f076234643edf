"""Calls are changed only by commits, and each commit is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from orchestrator.clock import Clock, ManualClock
from orchestrator.core.call import Call, Progress
from orchestrator.core.events import AuditRequested, CallAdopted, CallArrived, Event
from orchestrator.core.profile import Profile
from orchestrator.store import codec
from orchestrator.store.calls import Applied, CallStore
from orchestrator.store.connect import Redis
from orchestrator.store.errors import CallIsOver, CallUnreadable, StoreMisconfigured
from orchestrator.store.queue import DueQueue
from orchestrator.store.rules import Rules

Arrive = Callable[..., CallArrived]
MakeStore = Callable[..., CallStore]
AUDIT = AuditRequested(at=1_700_000_000_500, why="test")


def test_a_new_call_is_committed_in_one_round_trip(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """The voice webhook's commit sends one command, and the script was found by its digest."""
    store.begin(arrived("CA0"))
    before = redis.execute_command("INFO", "commandstats")["cmdstat_evalsha"]["calls"]
    sent: list[object] = []

    def recorded(*command: object) -> object:
        sent.append(command[0])
        return redis.execute_command(*command)

    store._redis = cast("Redis", SimpleNamespace(execute_command=recorded))

    applied = store.begin(arrived("CA1"), indexes=[("conference", "CF1")])

    assert sent == ["EVALSHA"]
    assert redis.execute_command("INFO", "commandstats")["cmdstat_evalsha"]["calls"] == before + 1
    assert applied.is_new
    assert applied.after.version == 1


def test_begin_stores_the_call_its_names_and_its_mark(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """A new call can be loaded, resolved by its further names, listed, and is due."""
    applied = store.begin(arrived("CA1"), indexes=[("conference", "CF1"), ("task", "WT1")])

    assert store.load("CA1") == applied.after
    assert store.resolve("conference", "CF1") == "CA1"
    assert store.resolve("task", "WT1") == "CA1"
    assert list(store.live_sids()) == ["CA1"]
    assert store.list().calls == [applied.after]
    assert store.counters() == {"events": 1.0}
    claim = DueQueue(redis, store.keys).claim("w")
    assert claim is not None
    assert claim.key == "CA1"


def test_a_repeated_begin_is_an_event_of_the_existing_call(store: CallStore, arrived: Arrive) -> None:
    """Twilio's second voice webhook changes nothing and leaves an entry marked unchanged."""
    first = store.begin(arrived())

    second = store.begin(arrived())

    assert not second.is_new
    assert not second.is_changed
    assert second.after == first.after
    assert [entry.note for entry in store.timeline("CA1")] == ["", "unchanged"]


def test_no_event_is_lost_when_two_threads_apply_to_one_call(store: CallStore, arrived: Arrive) -> None:
    """1,000 events from two threads are 1,000 versions and 1,000 entries."""
    store.begin(arrived())

    def apply() -> None:
        for _ in range(500):
            store.apply("CA1", AUDIT)

    threads = [threading.Thread(target=apply) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    call = store.load("CA1")
    assert call is not None
    assert call.attempts == 1000
    assert call.version == 1001
    assert len(store.timeline("CA1")) == 1001
    assert store.counters() == {"events": 1001.0}


def test_commit_from_an_older_version_is_refused_and_writes_nothing(store: CallStore, arrived: Arrive) -> None:
    """A worker that planned from an old call gets None, and Redis is as it was."""
    old = store.begin(arrived()).after
    newer = store.commit(old, AUDIT)
    assert newer is not None

    assert store.commit(old, AUDIT) is None

    assert store.load("CA1") == newer.after
    assert len(store.timeline("CA1")) == 2
    assert store.counters() == {"events": 2.0}


def test_an_unknown_call_is_none(store: CallStore) -> None:
    """Events and looks for a call that is not there answer None."""
    assert store.apply("CA404", AUDIT) is None
    assert store.load("CA404") is None
    assert store.timeline("CA404") == []
    assert store.resolve("leg", "CA404") is None


def test_a_call_that_expired_between_load_and_commit_is_none(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """No commit brings an expired document back to life."""
    call = store.begin(arrived()).after
    redis.delete(store.keys.of("CA1").document)

    assert store.commit(call, AUDIT) is None
    assert store.load("CA1") is None


def test_scripts_forgotten_by_redis_are_sent_again(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """SCRIPT FLUSH in the middle is not noticed."""
    store.begin(arrived())
    redis.execute_command("SCRIPT", "FLUSH")

    assert store.apply("CA1", AUDIT) is not None


def test_a_commit_whose_answer_was_lost_counts_once(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """The client's repetition of a commit that was carried out succeeds and changes nothing."""
    call = store.begin(arrived()).after

    def twice(*command: object) -> object:
        redis.execute_command(*command)
        return redis.execute_command(*command)

    store._redis = cast("Redis", SimpleNamespace(execute_command=twice))
    applied = store.commit(call, AUDIT)
    store._redis = redis

    assert applied is not None
    loaded = store.load("CA1")
    assert loaded is not None
    assert loaded.attempts == 1
    assert len(store.timeline("CA1")) == 2


def test_the_timeline_is_capped_and_says_so(make_store: MakeStore, arrived: Arrive) -> None:
    """Beyond the cap the oldest entries go, and the first entry shown tells how many."""
    store = make_store(timeline_cap=5)
    store.begin(arrived())
    for _ in range(7):
        store.apply("CA1", AUDIT)

    cut, *rest = store.timeline("CA1")

    assert cut.name == "timeline-cut"
    assert cut.note == "3 earlier entries were dropped"
    assert [entry.version for entry in rest] == [4, 5, 6, 7, 8]


def test_timeline_entries_hold_event_and_state(store: CallStore, arrived: Arrive) -> None:
    """An entry explains itself: name, event, version and the state after it."""
    store.begin(arrived())
    store.apply("CA1", AUDIT)

    entry = store.timeline("CA1")[1]

    assert (entry.name, entry.event, entry.version) == ("audit-requested", AUDIT, 2)
    assert entry.state["transcription"] == "off"
    assert entry.at == AUDIT.at
    assert entry.recorded_at > AUDIT.at


def test_every_key_of_a_call_has_a_time_to_live(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """Only what belongs to no call stays for good."""
    store.begin(arrived(), indexes=[("conference", "CF1")])
    store.index("leg", "CA9", "CA1", 60)
    store.park("CF9", AUDIT)

    keys = [key.decode() for key in redis.execute_command("KEYS", "*")]

    endless = {key.rpartition(":")[2] for key in keys if redis.execute_command("TTL", key) < 0}
    assert endless == {"shards", "live", "recent", "counters", "due"}
    assert len(keys) > len(endless)


def test_another_number_of_shards_is_refused(make_store: MakeStore, arrived: Arrive) -> None:
    """A process told of other shards raises before it writes anything."""
    make_store(shards=2).begin(arrived())

    with pytest.raises(StoreMisconfigured) as raised:
        make_store(shards=3).begin(arrived("CA2"))

    assert raised.value.error_id == "store-misconfigured"
    assert raised.value.context == {"recorded": 2, "configured": 3}


def test_calls_of_all_shards_are_listed_newest_first_in_pages(make_store: MakeStore, arrived: Arrive) -> None:
    """Pages neither repeat nor miss calls, though several share their millisecond."""
    store = make_store(shards=3)
    events = [arrived(f"CA{number:02}", 1_700_000_000_000 + number // 4) for number in range(30)]
    for event in events:
        store.begin(event, indexes=[("leg", f"leg-of-{event.call_sid}")])
    expected = [event.call_sid for event in sorted(events, key=lambda each: (each.at, each.call_sid), reverse=True)]

    seen: list[str] = []
    cursor = None
    while True:
        page = store.list(limit=7, cursor=cursor)
        seen += [call.call_sid for call in page.calls]
        cursor = page.cursor
        if cursor is None:
            break

    assert seen == expected
    assert [call.call_sid for call in store.load_many(expected)] == expected
    assert store.resolve("leg", "leg-of-CA07") == "CA07"
    assert store.counters() == {"events": 30.0}
    odd = store.list(limit=3, where=lambda call: int(call.call_sid[2:]) % 2 == 1)
    assert [call.call_sid for call in odd.calls] == ["CA29", "CA27", "CA25"]


def test_ended_and_expired_calls_leave_the_live_ones(redis: Redis, arrived: Arrive) -> None:
    """An ended call stays listed but is no longer live; an expired one is forgotten at the next look."""
    rules = Rules(
        begin=lambda event: Call(call_sid=event.call_sid, profile=event.profile, created_at=event.at),
        transition=lambda call, _event: msgspec.structs.replace(call, progress=Progress.ENDED),
        reconcile=lambda _call, _now: SimpleNamespace(action=None, look_again_at=None),
    )
    store = CallStore(redis, rules=rules, clock=ManualClock(), call_ttl_s=3600)
    for sid in ("CA1", "CA2", "CA3"):
        store.begin(arrived(sid))
    store.apply("CA1", AUDIT)
    redis.delete(store.keys.of("CA2").document)

    assert list(store.live_sids()) == ["CA3"]
    assert [call.call_sid for call in store.list(live_only=True).calls] == ["CA3"]
    assert [call.call_sid for call in store.list().calls] == ["CA3", "CA1"]
    assert DueQueue(redis, store.keys).depth() == 0


def ending_as(redis: Redis, progress: Progress) -> CallStore:
    """A store in which every event after the first ends the call so."""
    rules = Rules(
        begin=lambda event: Call(call_sid=event.call_sid, profile=event.profile, created_at=event.at),
        transition=lambda call, _event: msgspec.structs.replace(call, progress=progress),
        reconcile=lambda _call, _now: SimpleNamespace(action=None, look_again_at=None),
    )
    return CallStore(redis, rules=rules, clock=ManualClock(), call_ttl_s=3600)


def test_a_call_that_ended_and_expired_does_not_begin_again(redis: Redis, arrived: Arrive) -> None:
    """Its SID is kept for a month longer; one that was never a call of ours may become one."""
    store = ending_as(redis, Progress.ENDED)
    store.begin(arrived())
    store.apply("CA1", AUDIT)
    redis.delete(store.keys.of("CA1").document)

    with pytest.raises(CallIsOver):
        store.begin(arrived())

    assert store.load("CA1") is None
    assert 30 * 86_400 < redis.execute_command("TTL", store.keys.over("CA1")) <= 30 * 86_400 + 3600
    dropped = ending_as(redis, Progress.DROPPED)
    dropped.begin(arrived("CA2"))
    dropped.apply("CA2", AUDIT)
    redis.delete(store.keys.of("CA2").document)
    assert dropped.begin(arrived("CA2")).is_new


def test_what_changes_nothing_does_not_keep_an_ended_call(redis: Redis, arrived: Arrive) -> None:
    """A message that is replayed day after day lets the call expire all the same."""
    store = ending_as(redis, Progress.ENDED)
    store.begin(arrived())
    store.apply("CA1", AUDIT)
    for name in (store.keys.of("CA1").document, store.keys.of("CA1").timeline):
        redis.execute_command("EXPIRE", name, 100)

    store.apply("CA1", AUDIT)

    assert redis.execute_command("TTL", store.keys.of("CA1").document) <= 100
    assert redis.execute_command("TTL", store.keys.of("CA1").timeline) <= 100


def test_the_core_agrees_with_the_store(redis: Redis) -> None:
    """Under the core's own rules a call goes in and out of Redis unchanged, version aside."""
    from orchestrator.core.reconcile import reconcile  # noqa: PLC0415  the core's modules, used by this test alone
    from orchestrator.core.transition import begin, transition  # noqa: PLC0415  as above

    rules = Rules(begin=begin, transition=transition, reconcile=reconcile)
    store = CallStore(redis, rules=rules, clock=ManualClock(), call_ttl_s=3600)
    event = CallArrived(at=1_700_000_000_000, call_sid="CA1", profile=Profile(route="conference"))

    first = store.begin(event)
    again: Applied | None = store.apply("CA1", event)

    assert first.after == msgspec.structs.replace(begin(event), version=1)
    assert again is not None
    assert store.load("CA1") == again.after


def test_what_has_a_head_start_is_claimed_first(redis: Redis, arrived: Arrive) -> None:
    """Of calls that are all due the one that was due last may be the first; a wanted stop is before all of them."""
    starts = {"CA1": 0, "CA2": 20_000, "CA3": 60_000, "CA4": 0}
    rules = Rules(
        begin=lambda event: Call(call_sid=event.call_sid, profile=event.profile, created_at=event.at),
        transition=lambda call, _event: call,
        reconcile=lambda _call, _now: SimpleNamespace(action="look", look_again_at=None),
        is_urgent=lambda call, _plan: call.call_sid == "CA4",
        head_start_ms=lambda call, _now: starts[call.call_sid],
    )
    store = CallStore(redis, rules=rules, clock=Clock(redis), call_ttl_s=3600)
    for sid in starts:
        store.begin(arrived(sid))
    queue = DueQueue(redis, store.keys)

    claims = [queue.claim("worker") for _ in starts]

    assert [claim and claim.key for claim in claims] == ["CA4", "CA3", "CA2", "CA1"]


def test_parked_events_are_taken_once(store: CallStore) -> None:
    """What waited for an unknown name is handed over in order, and only once."""
    events: list[Event] = [AUDIT, CallAdopted(at=1, call_sid="CA1", profile=Profile(route="conference"), via="x")]
    for event in events:
        store.park("CF1", event)

    assert store.unpark("CF1") == events
    assert store.unpark("CF1") == []


def test_an_unreadable_call_has_its_own_error(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """A document that cannot be decoded is told from an unavailable store."""
    store.begin(arrived())
    redis.execute_command("HSET", store.keys.of("CA1").document, "document", '{"call_sid": 5}')

    store.begin(arrived("CA2"))

    with pytest.raises(CallUnreadable):
        store.load("CA1")
    assert [call.call_sid for call in store.list().calls] == ["CA2"]


def test_an_event_of_a_newer_release_stays_in_the_timeline(redis: Redis, store: CallStore, arrived: Arrive) -> None:
    """A timeline is shown though one of its events is not known here."""
    store.begin(arrived())
    fields = {"event": '{"event": "from-the-future", "at": 5}', "state": "{}", "version": 2, "note": ""}
    pairs = [part for pair in fields.items() for part in pair]
    redis.execute_command("XADD", store.keys.of("CA1").timeline, "*", *pairs)

    entry = store.timeline("CA1")[-1]

    assert entry.name == "from-the-future"
    assert entry.event is None


def test_infinite_counters_are_left_out(redis: Redis, arrived: Arrive) -> None:
    """A measure that cannot be added does not break the commit."""
    told = {"bad": float("inf"), "events": 2, "extra": 0.5}
    rules = Rules(
        begin=lambda event: Call(call_sid=event.call_sid, profile=event.profile, created_at=event.at),
        transition=lambda call, _event: call,
        reconcile=lambda _call, _now: SimpleNamespace(action=None, look_again_at=None),
        measure=lambda _before, _after, _event: told,
    )
    store = CallStore(redis, rules=rules, clock=ManualClock(), call_ttl_s=3600)

    store.begin(arrived())

    assert store.counters() == {"events": 2.0, "extra": 0.5}


def test_who_knows_the_call_need_not_load_it(store: CallStore, redis: Redis, arrived: Arrive) -> None:
    """`apply_to` reads nothing before it commits."""
    known = store.begin(arrived()).after
    reads = _reads(redis)

    applied = store.apply_to(known, AUDIT)

    assert applied is not None
    assert store.load("CA1") == applied.after
    assert _reads(redis) - reads == 1  # the line above


def test_who_knows_the_call_of_a_moment_ago_loses_nothing(store: CallStore, arrived: Arrive) -> None:
    """`apply_to` commits on top of whatever became known since."""
    known = store.begin(arrived()).after
    store.apply("CA1", AUDIT)

    applied = store.apply_to(known, AUDIT)

    assert applied is not None
    assert applied.after.version == 3
    assert store.load("CA1") == applied.after


def test_who_knows_a_call_that_is_gone_is_told_so(store: CallStore, redis: Redis, arrived: Arrive) -> None:
    """`apply_to` brings no call back."""
    known = store.begin(arrived()).after
    redis.delete(store.keys.of("CA1").document)

    assert store.apply_to(known, AUDIT) is None
    assert store.load("CA1") is None


def _reads(redis: Redis) -> int:
    return int(redis.execute_command("INFO", "commandstats").get("cmdstat_hget", {"calls": 0})["calls"])


def test_codec_keeps_every_field(store: CallStore, arrived: Arrive) -> None:
    """A call is the same after a journey through JSON."""
    call = store.begin(arrived()).after

    assert codec.decode_call(codec.encode(call)) == call
