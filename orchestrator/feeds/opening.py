"""What a follower is told first: the present, or what it has missed since its `Last-Event-ID`.

The follower has joined already, so news wait in its queue. The place up to which the first messages go is read after
they were, or before them where they are read from the feed itself: nothing falls between them and the queue, and
nothing is told twice.
"""

from __future__ import annotations

from orchestrator.feeds.connection import message
from orchestrator.feeds.followers import First, Joined, gone_message
from orchestrator.feeds.hub import Hub
from orchestrator.feeds.telling import Told
from orchestrator.feeds.view import CALL, UTTERANCE, View
from orchestrator.store.feed import Entry, Place, Position, position_of, text_of
from orchestrator.store.keys import digest_of

MOST_MISSED = 5_000
"""Who has missed more entries is shown the present instead."""


def first_of(hub: Hub, joined: Joined, last_id: str | None) -> First:
    """Raises StoreUnavailable."""
    view = joined.connection.view
    if last_id:
        since = position_of(last_id, hub.feed.shards)
        missed = None if since is None else _missed(hub, view, since, joined.position)
        if missed is not None:
            return missed
    present = _present(joined) if view.call_sid is None else _present_of(hub, view, view.call_sid, joined.position)
    lost = [message("reset", b'{"reason":"place-lost"}')] if last_id else []
    return present._replace(messages=[*lost, *present.messages])


def _present(joined: Joined) -> First:
    is_wanted = CALL in joined.connection.view.kinds
    calls = [message("call", each.body) for each in joined.floor if is_wanted]
    return First(calls, joined.position, lambda _shard, _told: False)


def _present_of(hub: Hub, view: View, call_sid: str, joined_at: Position) -> First:
    """One call, ended or not, and its transcript so far."""
    seen = next((each for each in hub.teller.seen([call_sid]) if view.has(each)), None)
    keys: frozenset[str] = frozenset()
    messages: list[bytes] = []
    if seen is not None and CALL in view.kinds:
        messages.append(message("call", seen.body))
    if seen is not None and UTTERANCE in view.kinds:
        found, bodies = hub.teller.transcript(call_sid)
        keys = frozenset(found)
        messages += [message("utterance", body) for body in bodies]

    def is_known(_shard: int, told: Told) -> bool:
        if told.key:
            return told.key in keys
        return seen is not None and told.seen is not None and told.version <= seen.version

    shard = hub.feed.shard_of(call_sid)
    return First(messages, _at(joined_at, shard, hub.feed.end(shard)), is_known)


def _missed(hub: Hub, view: View, since: Position, joined_at: Position) -> First | None:
    """None when it cannot be told any more."""
    feed, until = hub.feed, joined_at
    news: list[tuple[int, Told]] = []
    for shard in range(feed.shards) if view.call_sid is None else [feed.shard_of(view.call_sid)]:
        if not feed.has(shard, since[shard]):
            return None
        until = _at(until, shard, feed.end(shard))
        entries = feed.between(shard, since[shard], until[shard], count=MOST_MISSED + 1)
        if len(entries) > MOST_MISSED:
            return None
        news += [(shard, told) for told in hub.teller.told([each for each in entries if _may_concern(view, each)])]
    place, messages = since, list[bytes]()
    for shard, told in sorted(news, key=lambda each: each[1].place):
        place = _at(place, shard, told.place)
        if (text := _told_late(view, told, text_of(place))) is not None:
            messages.append(text)
    return First(messages, until, lambda shard, told: told.place <= until[shard])


def _may_concern(view: View, entry: Entry) -> bool:
    sid = view.call_sid
    return sid is None or entry.call_sid == sid or (bool(entry.forgotten) and entry.forgotten == digest_of(sid))


def _told_late(view: View, told: Told, position: str) -> bytes | None:
    """Without knowing how the call was before: it may have been in the view and have left it."""
    seen = told.seen
    if told.key:
        is_wanted = UTTERANCE in view.kinds and seen is not None and view.has(seen)
        return message("utterance", told.utterance, position) if is_wanted else None
    if CALL not in view.kinds:
        return None
    if seen is not None and view.has(seen):
        return message("call", seen.body, position)
    sid = told.call_sid or view.call_sid
    may_have_had = view.agent_id is None if seen is None else view.may_have_had(seen)
    return gone_message(sid, position) if sid is not None and may_have_had else None


def _at(position: Position, shard: int, place: Place) -> Position:
    return (*position[:shard], place, *position[shard + 1 :])
