"""The issuer's keys are at hand whatever the issuer does, and a new one is found."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.web.issuer_keys import FRESH_S, RETRY_S, TRUSTED_S, IssuerKeys

KEY = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))


def page(*ids: str) -> bytes:
    return json.dumps({"keys": [{**KEY, "kid": each, "use": "sig", "alg": "ES256"} for each in ids]}).encode()


@dataclass
class Issuer:
    """Answers what it is told to, and the time that has passed."""

    answer: bytes | None = None
    asked: int = 0
    now: float = 1000.0
    held: threading.Event | None = None
    is_asked: threading.Event = field(default_factory=threading.Event)

    def fetch(self) -> bytes | None:
        self.asked += 1
        self.is_asked.set()
        if self.held is not None:
            assert self.held.wait(10)
        return self.answer

    def keys(self) -> IssuerKeys:
        return IssuerKeys(self.fetch, lambda: self.now)


def test_keys_are_fetched_once_an_hour() -> None:
    """Not for each message."""
    issuer = Issuer(page("a"))
    keys = issuer.keys()
    assert all(keys.key("a") for _ in range(5))
    assert issuer.asked == 1
    issuer.now += FRESH_S + 1
    assert keys.key("a")
    assert issuer.asked == 2


def test_a_new_key_is_looked_for_at_once_but_not_for_every_stranger() -> None:
    """Whoever invents ids makes us ask every ten seconds at most."""
    issuer = Issuer(page("a"))
    keys = issuer.keys()
    assert keys.key("a")
    issuer.answer = page("a", "b")
    issuer.now += RETRY_S
    assert keys.key("b")
    assert [keys.key(f"stranger-{number}") for number in range(50)] == [None] * 50
    assert issuer.asked == 2


@pytest.mark.parametrize("answer", [None, b"", b"nonsense", b"[]", b"{}", b'{"keys": []}', b'{"keys": [1]}', b"\xff"])
def test_an_outage_does_not_shut_out_who_is_known(answer: bytes | None) -> None:
    """For a day; then nobody vouches for the key any more."""
    issuer = Issuer(page("a"))
    keys = issuer.keys()
    assert keys.key("a")
    issuer.answer = answer
    issuer.now += FRESH_S + 1
    assert keys.key("a")
    issuer.now += TRUSTED_S
    assert keys.key("a") is None


def test_without_any_key_the_issuer_is_left_alone_for_a_while() -> None:
    """Fails closed, and does not hold up each request."""
    issuer = Issuer()
    keys = issuer.keys()
    assert [keys.key("a") for _ in range(20)] == [None] * 20
    assert issuer.asked == 1
    issuer.now += RETRY_S
    issuer.answer = page("a")
    assert keys.key("a")


def test_one_thread_at_a_time_waits_for_the_issuer() -> None:
    """Who needs the key waits for it with that one; who has an older key does not wait at all."""
    issuer = Issuer(page("a"))
    keys = issuer.keys()
    assert keys.key("a")
    issuer.now += FRESH_S + 1
    issuer.held = threading.Event()
    issuer.is_asked.clear()
    first = threading.Thread(target=keys.key, args=("a",))
    first.start()
    assert issuer.is_asked.wait(10)
    assert keys.key("a")  # would hang here
    issuer.held.set()
    first.join()
    assert issuer.asked == 2


def test_a_token_without_a_key_id_means_the_only_key() -> None:
    """Of two nobody knows which."""
    assert Issuer(page("a")).keys().key(None)
    assert Issuer(page("a", "b")).keys().key(None) is None
