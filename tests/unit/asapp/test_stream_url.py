"""One URL for everybody, never handed out old, and one fetch at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import structlog

from orchestrator.asapp.client import FetchedUrl
from orchestrator.asapp.stream_url import StreamUrls
from orchestrator.core.actions import Outcome, Verdict
from orchestrator.errors import OrchestratorError
from tests.scarce import no_threads

KEY = "orchestrator:stream-url"
FETCH_KEY = "orchestrator:stream-url-fetch"


class SteppedClock:
    def __init__(self) -> None:
        self.ms = 1_000_000_000

    def now_ms(self) -> int:
        return self.ms


class FakeRedis:
    """Three commands over a dictionary; `broken` makes them fail, `hold` makes them hang."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lives: dict[str, int | None] = {}
        self.broken = False
        self.hold: threading.Event | None = None
        self.gets = 0

    def _meet(self) -> None:
        if self.hold is not None:
            self.hold.wait(10)
        if self.broken:
            raise OrchestratorError("store-unavailable", "away")

    def get(self, name: str) -> Any:
        self.gets += 1
        self._meet()
        return self.values.get(name)

    def set(self, name: str, value: Any, ex: int | None = None, px: int | None = None, nx: bool = False) -> Any:
        del ex
        self._meet()
        if nx and name in self.values:
            return None
        self.values[name], self.lives[name] = value, px
        return True

    def delete(self, *names: str) -> Any:
        self._meet()
        return sum(self.values.pop(name, None) is not None for name in names)


class FakeBreaker:
    """Open or not as the test says; `told` is what it was told."""

    def __init__(self) -> None:
        self.is_open = False
        self.told: list[str] = []

    def ask(self) -> int:
        return 1_000 if self.is_open else 0

    def answered(self) -> None:
        self.told.append("answered")

    def failed(self, *, at_once: bool = False) -> None:
        self.told.append("failed at once" if at_once else "failed")


class FakeAsapp:
    """Answers a new URL each time, or what the test put in `answers`."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: list[str | Outcome] = []
        self.hold: threading.Event | None = None
        self.begun = threading.Event()

    def stream_url(self, *, requested_at_ms: int, timeout_ms: int = 2000) -> FetchedUrl | Outcome:
        assert 0 < timeout_ms <= 2000
        self.asked += 1
        self.begun.set()
        if self.hold is not None:
            self.hold.wait(10)
        got = self.answers.pop(0) if self.answers else f"wss://media.example/t/{self.asked}"
        return FetchedUrl(url=got, requested_at_ms=requested_at_ms) if isinstance(got, str) else got


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
def asapp() -> FakeAsapp:
    return FakeAsapp()


@pytest.fixture
def breaker() -> FakeBreaker:
    return FakeBreaker()


@pytest.fixture
def urls(redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, breaker: FakeBreaker) -> StreamUrls:
    return StreamUrls(redis, asapp, clock, breaker)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


DOWN = Outcome(verdict=Verdict.FAILED, family="5xx")


def test_at_hand_never_asks_asapp(urls: StreamUrls, asapp: FakeAsapp) -> None:
    """Without a URL there is none; fetching is for workers."""
    assert urls.at_hand() is None
    assert urls.age_ms() is None
    assert asapp.asked == 0


def test_one_fetch_serves_all_processes(
    urls: StreamUrls, redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock
) -> None:
    """What one process fetched another finds in Redis, and keeps."""
    assert urls.get(1) == "wss://media.example/t/1"
    other = StreamUrls(redis, asapp, clock)
    assert other.at_hand() == other.at_hand() == other.get(1) == "wss://media.example/t/1"
    assert asapp.asked == 1
    assert redis.gets == 3, "before it asked, with its turn to ask, and the other one's look"
    assert redis.lives[KEY] == 240_000
    assert FETCH_KEY not in redis.values
    assert "t/1" not in repr(other)


def test_age_counts_from_the_request(urls: StreamUrls, asapp: FakeAsapp, clock: SteppedClock) -> None:
    """A URL is handed out for four minutes from when it was asked for, not from when it came."""
    hold = asapp.hold = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(urls.get, 5)
        asapp.begun.wait(5)
        clock.ms += 2000
        hold.set()
        assert got.result(5) is not None
    assert urls.age_ms() == 2000
    clock.ms += 238_000
    assert urls.at_hand() is not None
    clock.ms += 1
    assert urls.at_hand() is None
    assert urls.age_ms() is None


def test_refresh_fetches_ahead(urls: StreamUrls, asapp: FakeAsapp, clock: SteppedClock) -> None:
    """Upkeep fetches when there is none and again after two minutes, while the old one still serves."""
    first = urls.refresh()
    assert first is not None
    assert first.verdict is Verdict.DONE
    assert urls.refresh() is None
    clock.ms += 120_000
    assert urls.refresh() is None
    clock.ms += 1
    assert urls.refresh() is not None
    assert (asapp.asked, urls.at_hand()) == (2, "wss://media.example/t/2")


def test_a_failed_refresh_leaves_the_old_one(urls: StreamUrls, asapp: FakeAsapp, clock: SteppedClock) -> None:
    """An outage does not take away a URL that is still good, and the next attempt is not kept from trying."""
    urls.refresh()
    clock.ms += 200_000
    asapp.answers = [DOWN]
    assert urls.refresh() == DOWN
    assert urls.at_hand() == "wss://media.example/t/1"
    assert urls.refresh() is not None
    assert urls.at_hand() == "wss://media.example/t/3"


def test_an_open_breaker_keeps_everybody_from_asking(urls: StreamUrls, asapp: FakeAsapp, breaker: FakeBreaker) -> None:
    """Whoever needs a URL waits for whoever probes."""
    breaker.is_open = True
    assert urls.refresh() is None
    assert urls.get(0.1) is None
    assert asapp.asked == 0
    breaker.is_open = False
    assert urls.get(0.1) is not None


def test_the_breaker_is_told_of_every_answer(urls: StreamUrls, asapp: FakeAsapp, breaker: FakeBreaker) -> None:
    """Refused credentials open it at once."""
    unauthorized = Outcome(verdict=Verdict.REFUSED_FOR_NOW, family="auth")
    asapp.answers = [DOWN, "http://not.usable", unauthorized, "wss://media.example/t"]
    for _ in range(4):
        urls.refresh()
    assert breaker.told == ["failed", "failed", "failed at once", "answered"]


def test_alone_a_process_rests_after_a_failure(
    redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, breaker: FakeBreaker
) -> None:
    """With Redis away no breaker is shared: nobody here asks again at once."""
    redis.broken = True
    urls = StreamUrls(redis, asapp, clock, breaker)
    asapp.answers = [DOWN]
    assert urls.refresh() == DOWN
    assert urls.refresh() is None
    assert (asapp.asked, breaker.told) == (1, [])


def test_get_answers_at_once_when_the_fetch_fails(urls: StreamUrls, asapp: FakeAsapp) -> None:
    """A worker does not wait out its time on an ASAPP that refuses."""
    asapp.answers = [DOWN]
    started = time.monotonic()
    assert urls.get(5) is None
    assert time.monotonic() - started < 1


def test_many_threads_fetch_once(urls: StreamUrls, asapp: FakeAsapp) -> None:
    """Twenty workers in need make one request and all get its URL."""
    hold = asapp.hold = threading.Event()
    with ThreadPoolExecutor(20) as pool:
        got = [pool.submit(urls.get, 5) for _ in range(20)]
        asapp.begun.wait(5)
        hold.set()
        assert {each.result(5) for each in got} == {"wss://media.example/t/1"}
    assert asapp.asked == 1


def test_many_processes_fetch_once(
    redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, breaker: FakeBreaker
) -> None:
    """Another process at it: its URL is waited for."""
    hold = asapp.hold = threading.Event()
    fetching, *others = (StreamUrls(redis, asapp, clock, breaker) for _ in range(3))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(fetching.get, 5)
        asapp.begun.wait(5)
        waiting = [pool.submit(each.get, 5) for each in others]
        until(lambda: redis.gets > 4)
        hold.set()
        assert {each.result(5) for each in [first, *waiting]} == {"wss://media.example/t/1"}
    assert asapp.asked == 1


def test_a_url_that_came_just_before_our_turn_is_taken(
    urls: StreamUrls, redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had the turn before us brought one after we had looked: ASAPP is not asked, the turn is given back."""
    brought = FetchedUrl(url="wss://media.example/brought", requested_at_ms=clock.ms)
    take_turn = redis.set

    def just_before(name: str, value: Any, **options: Any) -> Any:
        redis.values[KEY] = msgspec.json.encode(brought)
        return take_turn(name, value, **options)

    monkeypatch.setattr(redis, "set", just_before)
    assert urls.get(1) == brought.url
    assert asapp.asked == 0
    assert FETCH_KEY not in redis.values


def test_waiting_is_bounded(redis: FakeRedis, urls: StreamUrls) -> None:
    """Whoever holds the fetch and never ends does not hold others."""
    redis.values[FETCH_KEY] = "1"
    started = time.monotonic()
    assert urls.get(0.2) is None
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("with_redis", [False, True])
def test_goes_on_without_redis(redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, with_redis: bool) -> None:
    """No Redis, or none that answers: the process serves itself."""
    redis.broken = True
    urls = StreamUrls(redis if with_redis else None, asapp, clock)
    assert urls.get(1) == urls.at_hand() == "wss://media.example/t/1"
    clock.ms += 130_000
    assert urls.refresh() is not None
    assert urls.at_hand() == "wss://media.example/t/2"
    urls.forget()
    assert urls.age_ms() == 0


def test_a_hung_redis_takes_half_a_second_once(urls: StreamUrls, redis: FakeRedis) -> None:
    """A webhook does not wait for a Redis that hangs longer than its patience."""
    hold = redis.hold = threading.Event()
    started = time.monotonic()
    assert urls.at_hand() is None
    assert 0.4 < time.monotonic() - started < 0.9
    redis.broken = True
    hold.set()


def test_a_hung_redis_costs_nothing_while_a_url_is_at_hand(
    urls: StreamUrls, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking again happens beside the request."""
    urls.refresh()
    monkeypatch.setattr(urls, "_looked_at", float("-inf"))
    hold = redis.hold = threading.Event()
    started = time.monotonic()
    assert urls.at_hand() == "wss://media.example/t/1"
    assert time.monotonic() - started < 0.3
    hold.set()


def test_forgotten_everywhere(
    urls: StreamUrls, redis: FakeRedis, asapp: FakeAsapp, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that failed is gone here at once and elsewhere after the next look."""
    url = urls.get(1)
    other = StreamUrls(redis, asapp, clock)
    assert other.at_hand() == url
    clock.ms += 10_000
    urls.forget("wss://media.example/other")
    assert urls.at_hand() == url
    urls.forget(url)
    assert urls.at_hand() is None
    monkeypatch.setattr(other, "_looked_at", float("-inf"))
    other.at_hand()
    until(lambda: other.at_hand() is None)


def test_a_fresh_url_is_not_forgotten(urls: StreamUrls) -> None:
    """Many failing streams do not make a fetch each."""
    url = urls.get(1)
    urls.forget(url)
    assert urls.at_hand() == url


@pytest.mark.parametrize(
    "url",
    [
        "ws://media.example/t",
        "http://media.example/t",
        "https://media.example/t",
        "wss://",
        "wss:///t",
        "wss://user:fake@media.example/t",
        "wss://media.example:0/t",
        "wss://media.example:port/t",
        "wss://[::1/t",
        "wss://media.example/a b",
        "wss://media.example/\n",
        "wss://media.example/\x00",
        "",
        "wss://media.example/" + "x" * 5000,
    ],
)
def test_an_unusable_url_is_refused(urls: StreamUrls, redis: FakeRedis, asapp: FakeAsapp, url: str) -> None:
    """Only wss with a host is handed to Twilio, and no log shows the URL."""
    asapp.answers = [url]
    with structlog.testing.capture_logs() as logs:
        got = urls.refresh()
    assert got is not None
    assert got.verdict is Verdict.FAILED
    assert urls.at_hand() is None
    assert KEY not in redis.values
    assert [entry["event"] for entry in logs] == ["stream-url-refused"]


@pytest.mark.parametrize("url", ["wss://127.0.0.1:9443/t", "wss://[::1]:9443/t", "wss://localhost/t"])
def test_loopback_is_allowed(urls: StreamUrls, asapp: FakeAsapp, url: str) -> None:
    """The emulator's URLs count like any other."""
    asapp.answers = [url]
    assert urls.get(1) == url


@pytest.mark.parametrize("url", ["wss://media.example/t?token=aaa.bbb", "wss://media.example/t#aaa.bbb"])
def test_a_query_is_a_loud_warning_once(urls: StreamUrls, asapp: FakeAsapp, clock: SteppedClock, url: str) -> None:
    """Twilio drops what follows; the URL is passed on untouched, counted each time and told once."""
    asapp.answers = [url, url]
    with structlog.testing.capture_logs() as logs:
        urls.refresh()
        clock.ms += 130_000
        urls.refresh()
    assert urls.at_hand() == url
    assert urls.irregular == 2
    assert [(entry["log_level"], entry["host"]) for entry in logs] == [("warning", "media.example")]
    assert "aaa.bbb" not in str(logs)


@pytest.mark.parametrize(
    "value", [b"", b"nonsense", b"{}", b'{"url": "ws://x/", "requested_at_ms": 1000000000}', 5, b"\xff"]
)
def test_nonsense_in_redis_is_nothing(urls: StreamUrls, redis: FakeRedis, value: Any) -> None:
    """What others wrote there is not handed to Twilio."""
    redis.values[KEY] = value
    assert urls.at_hand() is None


def test_a_url_of_the_future_is_not_young(urls: StreamUrls, clock: SteppedClock) -> None:
    """A clock that is set back does not make a URL young for ever."""
    urls.get(1)
    clock.ms -= 3_600_000
    assert urls.at_hand() is None


def test_a_look_that_no_thread_could_make_is_made_later(
    redis: FakeRedis, urls: StreamUrls, clock: SteppedClock
) -> None:
    """The system had no thread to give: nobody waits for the look, and the next one finds the URL."""
    redis.values[KEY] = msgspec.json.encode(FetchedUrl(url="wss://media.example/x", requested_at_ms=clock.ms))
    with no_threads():
        assert urls.at_hand() is None
    assert urls.at_hand() == "wss://media.example/x"
