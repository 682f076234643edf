"""A slow name server costs time once, not every request; one host's trouble is no other's."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.names import LATE_S, Names
from tests.scarce import no_threads

HOST, OTHER = "api.asapp.example", "api.twilio.example"


class NameServer:
    """Answers about a host once it may; `addresses` are what it says, none is a failure."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.silent: dict[str, threading.Event] = {}
        self.addresses = {HOST: "192.0.2.1", OTHER: "192.0.2.2"}

    def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        self.asked[host] += 1
        if host in self.silent:
            self.silent[host].wait(10)
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.addresses[host], port))]

    def is_silent_about(self, host: str) -> threading.Event:
        self.silent[host] = threading.Event()
        return self.silent[host]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    found = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    yield found
    for each in found.silent.values():
        each.set()


@pytest.fixture
def names() -> Names:
    return Names()


def address(names: Names, host: str = HOST, wait_s: float = 5.0) -> str:
    return str(names.addresses(host, 443, wait_s)[0][4][0])


def learnt(names: Names, expected: str) -> None:
    """The answer of a question whose asker did not wait for it has come in."""
    until = time.monotonic() + 5
    while names._known[HOST, 443][0][4][0] != expected:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_all_who_ask_meanwhile_share_one_question(server: NameServer, names: Names) -> None:
    """Sixteen threads, an answer that is slower than some are patient: the others have it."""
    speaks = server.is_silent_about(HOST)
    with ThreadPoolExecutor(16) as threads:
        hasty = [threads.submit(address, names, HOST, 0.05) for _ in range(8)]
        patient = [threads.submit(address, names) for _ in range(8)]
        for each in hasty:
            with pytest.raises(TimeoutError):
                each.result(5)
        speaks.set()
        assert {each.result(5) for each in patient} == {"192.0.2.1"}
    assert server.asked[HOST] == 1


def test_the_last_answer_serves_while_the_next_is_late(server: NameServer, names: Names) -> None:
    """Within half a second, or half of what is left; once it has come in, the new one is used."""
    assert address(names) == "192.0.2.1"
    server.addresses[HOST] = "192.0.2.99"
    speaks = server.is_silent_about(HOST)
    began = time.monotonic()
    assert address(names, wait_s=0.2) == "192.0.2.1"
    assert time.monotonic() - began < 0.2
    assert address(names) == "192.0.2.1"
    assert time.monotonic() - began < LATE_S + 0.7
    assert server.asked[HOST] == 2
    speaks.set()
    learnt(names, "192.0.2.99")
    assert address(names) == "192.0.2.99"


def test_the_last_answer_serves_while_there_is_none(server: NameServer, names: Names) -> None:
    """The name server fails: what is known is used, what is not known fails too, at once."""
    assert address(names) == "192.0.2.1"
    server.addresses.clear()
    assert address(names) == "192.0.2.1"
    with pytest.raises(OSError, match="name resolution"):
        address(names, OTHER)


def test_hosts_that_are_not_answered_for_keep_no_other_waiting(server: NameServer, names: Names) -> None:
    """Ten of them, each asked for by two."""
    lost = [f"{number}.lost.example" for number in range(10)]
    for host in lost:
        server.is_silent_about(host)
    for host in lost * 2:
        with pytest.raises(TimeoutError):
            address(names, host, 0.01)
    assert address(names, OTHER, 2.0) == "192.0.2.2"
    assert [server.asked[host] for host in lost] == [1] * 10


def test_without_a_thread_what_is_known_serves(server: NameServer, names: Names) -> None:
    """And the next question is asked once there is one again."""
    assert address(names) == "192.0.2.1"
    with no_threads():
        assert address(names) == "192.0.2.1"
        with pytest.raises(OSError, match="name resolution"):
            address(names, OTHER)
    assert address(names, OTHER) == "192.0.2.2"
    assert server.asked == {HOST: 1, OTHER: 1}
