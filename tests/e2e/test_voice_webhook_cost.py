"""What the voice webhook costs on a running site: no vendor, and one or two round trips to Redis."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
import redis as redis_py

from tests.e2e.harness import ACCOUNT_SID, CUSTOMER, NUMBER, Site
from tests.e2e.processes import poll
from tests.e2e.signing import post_signed

WARM_UP, MEASURED = 3, 5
MOST_ROUND_TRIPS = 2


@pytest.fixture
def site() -> Iterator[Site]:
    """Of its own: on one that others have used somebody may be following calls, which reads from Redis, too."""
    with Site() as own:
        yield own


def test_webhook_asks_no_vendor_and_redis_once_or_twice(site: Site) -> None:
    """With a URL at hand: the commit, and at most one more round trip; nothing is asked of either vendor."""
    # The worker stands still meanwhile, so that all that Redis and the vendors get is the webhook's own.
    with _standing_still(site, "worker"):
        for _ in range(WARM_UP):
            _ring(site)
        vendors_before = _vendor_requests(site)
        for _ in range(MEASURED):
            with _monitored(site) as commands:
                answer = _ring(site)
            assert "<Stream " in answer
            assert 1 <= len(commands) <= MOST_ROUND_TRIPS, commands
        assert _vendor_requests(site) == vendors_before


def _ring(site: Site) -> str:
    form = {
        "AccountSid": ACCOUNT_SID,
        "CallSid": f"CA{secrets.token_hex(16)}",
        "From": CUSTOMER,
        "To": NUMBER,
        "Direction": "inbound",
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
    }
    answer = post_signed(site, "/twilio/voice", form)
    assert answer.status_code == 200
    return answer.text


def _vendor_requests(site: Site) -> tuple[int, int]:
    return len(site.asapp("requests")), len(site.twilio("requests"))


@contextlib.contextmanager
def _standing_still(site: Site, name: str) -> Iterator[None]:
    pid = site.process(name).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _monitored(site: Site) -> Iterator[list[str]]:
    """The commands that Redis gets from clients (not those inside its scripts) within the block."""
    commands: list[str] = []
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(contextlib.closing(site.redis()))
        marker = stack.enter_context(contextlib.closing(site.redis()))
        feed = stack.enter_context(redis.monitor())  # type: ignore[no-untyped-call]
        listener = threading.Thread(target=_listen, args=(feed, commands, "end-of-measurement"), daemon=True)
        listener.start()
        marker.echo("begin-of-measurement")
        poll(lambda: any("begin-of" in each for each in commands), 5, "MONITOR listens")
        commands.clear()
        yield commands
        marker.echo("end-of-measurement")
        listener.join(5)
        assert not listener.is_alive()


def _listen(feed: redis_py.client.Monitor, commands: list[str], end: str) -> None:
    listen: Callable[[], Iterator[dict[str, str]]] = feed.listen
    for row in listen():
        command = row["command"]
        if end in command:
            return
        if row["client_type"] != "lua" and not command.startswith(("CLIENT", "HELLO", "SELECT")):
            commands.append(command[:80])
