"""What followers are told, and when: without sockets, by a transport that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.feeds.connection import ROOM, Connection
from orchestrator.feeds.followers import HEARTBEAT_S, First, Followers
from orchestrator.feeds.telling import Told
from orchestrator.feeds.view import Seen, View
from orchestrator.store.feed import START, Place, position_of, text_of
from orchestrator.store.keys import digest_of

CALL, OTHER = "CA" + "a" * 32, "CA" + "b" * 32


class Line(asyncio.Transport):
    """The client's end: what it was sent, and whether it was closed or cut."""

    def __init__(self, follower: Connection) -> None:
        super().__init__()
        self.sent = b""
        self.end = ""
        follower.prepare(is_chunked=False, head=b"", room=0)
        follower.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "cut"

    @property
    def names(self) -> list[str]:
        return [line.removeprefix("event: ") for line in self.sent.decode().splitlines() if line.startswith("event: ")]


def seen(sid: str = CALL, version: int = 1, state: str = "waiting", *, agents: tuple[str, ...] = ()) -> Seen:
    is_over = state == "ended"
    return Seen(sid, version, state, is_over, frozenset(agents), frozenset(agents), b'{"version":%d}' % version)


def told(serial: int, what: Seen | None, *, sid: str = CALL, key: str = "") -> Told:
    version = 0 if what is None else what.version
    return Told(Place(1, serial), sid, version, what, key, b"{}" if key else b"")


def always() -> bool:
    return True


def follow(
    followers: Followers, *, is_allowed: Callable[[], bool] = always, owner: str | None = None, **view: str
) -> Line:
    """Up to date at once."""
    joined = followers.join(View(**view), owner, is_allowed)  # type: ignore[arg-type]  # names of texts only
    line = Line(joined.connection)
    followers.bring_up_to_date(joined.connection, First([], joined.position, lambda _shard, _told: False))
    return line


@pytest.fixture
def followers() -> Followers:
    return Followers(1, 100)


def test_a_call_that_leaves_a_view_is_gone_once(followers: Followers) -> None:
    """And who follows everything is told of the change."""
    paused, everything = follow(followers, state="paused"), follow(followers)
    for serial, state in enumerate(("waiting", "paused", "waiting", "starting"), start=1):
        followers.deliver(0, [told(serial, seen(version=serial, state=state))], Place(1, serial))
    assert paused.names == ["ready", "call", "gone"]
    assert everything.names == ["ready", "call", "call", "call", "call"]


def test_the_floor_is_shown_as_of_its_place(followers: Followers) -> None:
    """What it already contains is not told again; calls that have ended are not in it."""
    followers.load(0, {CALL: seen(version=3)}, Place(1, 3))
    line = follow(followers)
    followers.deliver(0, [told(4, seen(version=3))], Place(1, 4))
    assert line.names == ["ready"]
    followers.deliver(0, [told(5, seen(version=5, state="ended"))], Place(1, 5))
    assert line.names == ["ready", "call"]
    assert followers.join(View(), None, lambda: True).floor == []


def test_news_wait_until_a_follower_is_up_to_date(followers: Followers) -> None:
    """Those that its first messages contain are left out, and the id is that of the last that everybody was told."""
    joined = followers.join(View(), None, lambda: True)
    line = Line(joined.connection)
    followers.deliver(0, [told(1, seen(), key="a"), told(2, seen(), key="b")], Place(1, 2))
    first = First([b"event: first\n\n"], (Place(1, 3),), lambda _shard, news: news.key == "a")
    followers.bring_up_to_date(joined.connection, first)
    assert line.names == []
    followers.deliver(0, [told(3, seen(), key="c")], Place(1, 3))
    assert line.names == ["first", "utterance", "utterance", "ready"]
    assert "id: 1-3\ndata: {}" in line.sent.decode()


def test_who_follows_one_call_is_told_of_no_other(followers: Followers) -> None:
    """By its SID, whatever else happens."""
    line = follow(followers, call_sid=CALL)
    followers.deliver(0, [told(1, seen(OTHER), sid=OTHER), told(2, seen())], Place(1, 2))
    assert line.names == ["ready", "call"]


def test_an_agents_view_is_told_of_no_other_agents_call(followers: Followers) -> None:
    """Neither the call nor what is said in it, nor that it is gone."""
    line = follow(followers, agent_id="amy")
    followers.deliver(0, [told(1, seen(agents=("bob",))), told(2, seen(agents=("bob",)), key="a")], Place(1, 2))
    followers.deliver(0, [told(3, None)], Place(1, 3))
    assert line.names == ["ready"]


def test_a_forgotten_call_is_known_by_whoever_shows_it(followers: Followers) -> None:
    """The feed names only a digest."""
    one, everything, other = follow(followers, call_sid=CALL), follow(followers), follow(followers, call_sid=OTHER)
    followers.deliver(0, [told(1, seen())], Place(1, 1))
    erased = Told(Place(1, 2), "", 0, None, forgotten=digest_of(CALL))
    followers.deliver(0, [erased], Place(1, 2))
    assert one.names == everything.names == ["ready", "call", "gone"]
    assert other.names == ["ready"]


def test_who_may_follow_no_more_is_sent_away(followers: Followers) -> None:
    """At the next heartbeat; the others are told that they are still connected, and where they are."""
    good, bad = follow(followers), follow(followers, is_allowed=lambda: False)
    followers.deliver(0, [], Place(7, 7))
    for each in followers.connections:
        each.told_at -= HEARTBEAT_S
        each.checked_at -= HEARTBEAT_S
    followers.look_after()
    assert good.sent.endswith(b": heartbeat\nid: 7-7\n\n")
    assert not good.end
    assert bad.end == "closed"


def test_a_client_that_does_not_read_is_cut(followers: Followers) -> None:
    """Its news do not fill the memory of the process."""
    joined = followers.join(View(), None, lambda: True)
    line = Line(joined.connection)
    joined.connection.pause_writing()
    for _ in range(ROOM // 65536 + 2):
        joined.connection.send(b"x" * 65536)
    assert line.end == "cut"
    assert line.sent == b""


def test_a_slow_client_gets_everything_in_order(followers: Followers) -> None:
    """What waited comes before what follows."""
    joined = followers.join(View(), None, lambda: True)
    line = Line(joined.connection)
    joined.connection.pause_writing()
    joined.connection.send(b"1")
    joined.connection.send(b"2")
    joined.connection.resume_writing()
    joined.connection.send(b"3")
    assert line.sent == b"123"


def test_there_are_only_so_many(followers: Followers) -> None:
    """In all; who joined and never came does not count for ever."""
    for _ in range(100):
        follow(followers)
    with pytest.raises(OrchestratorError, match="as many streams"):
        follow(followers)
    followers.end_all()
    for each in list(followers.connections):
        each.connection_lost(None)
    follow(followers)


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-1", "1-1,", "1-1,1-1,1-1", "a-b", "1-1\n", "1" * 30 + "-1", "1-1,2-2 "]
)
def test_what_is_no_position_is_none(text: str) -> None:
    """Of two shards."""
    assert position_of(text, 2) is None


def test_a_position_comes_back_as_it_went() -> None:
    """Whatever the shards."""
    position = (Place(1_700_000_000_000, 3), START)
    assert position_of(text_of(position), 2) == position
