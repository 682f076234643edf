"""Who may deliver transcripts: OAuth2 bearer tokens and client certificates that a proxy has checked."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.conftest import RedisServer
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site
from tests.scripted_http import ScriptedServer, answer

ISSUER, AUDIENCE = "https://issuer.example", "fake-audience"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Open = Callable[..., Site]


@pytest.fixture
def opened(redis: object, redis_server: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Iterator[Open]:
    del redis  # empties the server
    sites: list[Site] = []

    def make(**environment: str) -> Site:
        sites.append(open_site(make_settings(redis_server.url, **environment), vendor))
        return sites[-1]

    yield make
    for site in sites:
        site.services.close()


@pytest.fixture
def issuer() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OURS.public_key()))
        server.otherwise = answer(200, {"keys": [{**key, "kid": "fake-1", "use": "sig", "alg": "RS256"}]})
        yield server


def deliver(site: Site, headers: dict[str, str], *, peer: str = "127.0.0.1") -> int:
    body = {
        "type": "transcript",
        "externalConversationId": CALL,
        "streamId": "s",
        "sender": {"role": "agent"},
        "autotranscribeResponse": {"start": 1, "end": 2, "utterance": [{"text": "hello"}]},
    }
    environment = {"REMOTE_ADDR": peer}
    answered = site.client.post("/asapp/transcripts", json=body, headers=headers, environ_overrides=environment)
    assert len(site.services.utterances.all(CALL)) == (answered.status_code == 200)
    return answered.status_code


def token(key: Any = OURS, algorithm: str = "RS256", **changes: Any) -> dict[str, str]:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 300, "sub": "asapp", **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return {"Authorization": f"Bearer {jwt.encode(claims, key, algorithm=algorithm, headers={'kid': 'fake-1'})}"}


def oauth2(issuer: ScriptedServer) -> dict[str, str]:
    return {
        "TRANSCRIPT_WEBHOOK_AUTH": "oauth2",
        "TRANSCRIPT_WEBHOOK_ISSUER": ISSUER,
        "TRANSCRIPT_WEBHOOK_AUDIENCE": AUDIENCE,
        "TRANSCRIPT_WEBHOOK_JWKS_URL": f"{issuer.url}/keys",
    }


def test_the_issuers_token_for_us_is_enough(opened: Open, issuer: ScriptedServer) -> None:
    """The keys are fetched once, not for each message; the shared secret does not count any more."""
    site = opened(**oauth2(issuer))
    for _ in range(3):
        assert deliver(site, token()) == 200
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"asapp-webhook-secret": "fake-new"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        token(THEIRS),
        token(iss="https://other.example"),
        token(aud="other"),
        token(exp=time.time() - 3600),
        token(exp=None),
        token("a-fake-shared-secret-of-at-least-32-bytes", "HS256"),
    ],
)
def test_anything_else_is_refused(opened: Open, issuer: ScriptedServer, headers: dict[str, str]) -> None:
    """401: no token, another's key, issuer or audience, too old, without an end, signed by a mere secret."""
    assert deliver(opened(**oauth2(issuer)), headers) == 401


def test_a_token_that_is_not_signed_is_refused_unasked(opened: Open, issuer: ScriptedServer) -> None:
    """`alg: none`, or a public key taken for a shared secret: the issuer is not even asked."""
    site = opened(**oauth2(issuer))
    unsigned = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 300}, "", algorithm="none")
    assert deliver(site, {"Authorization": f"Bearer {unsigned}"}) == 401
    assert deliver(site, token("a-fake-shared-secret-of-at-least-32-bytes", "HS256")) == 401
    assert issuer.asked == []


def test_an_issuer_that_hangs_holds_up_one_request(opened: Open, issuer: ScriptedServer) -> None:
    """That one for two seconds; those after it are refused at once, and the issuer is asked once."""
    held = threading.Event()
    issuer.otherwise = dataclasses.replace(answer(200, {}), wait=held)
    site = opened(**oauth2(issuer))
    began = time.monotonic()
    assert deliver(site, token()) == 401
    first_s = time.monotonic() - began
    assert [deliver(site, token()) for _ in range(10)] == [401] * 10
    held.set()
    assert first_s < 4.0
    assert time.monotonic() - began - first_s < 1.0
    assert len(issuer.asked) == 1


def test_without_the_issuers_keys_nobody_comes_in(opened: Open, issuer: ScriptedServer) -> None:
    """Fails closed."""
    issuer.otherwise = answer(500, {})
    assert deliver(opened(**oauth2(issuer)), token()) == 401


@pytest.mark.parametrize(
    ("headers", "peer", "status"),
    [
        ({"X-Client-Verify": "SUCCESS"}, "10.1.2.3", 200),
        ({"X-Client-Verify": "SUCCESS"}, "192.0.2.9", 401),
        ({"X-Client-Verify": "SUCCESS", "X-Forwarded-For": "10.1.2.3"}, "192.0.2.9", 401),
        ({"X-Client-Verify": "FAILED"}, "10.1.2.3", 401),
        ({"asapp-webhook-secret": "fake-new"}, "10.1.2.3", 401),
        ({"X-Client-Verify": "SUCCESS"}, "", 401),
    ],
)
def test_a_checked_certificate_counts_from_the_proxy_only(
    opened: Open, headers: dict[str, str], peer: str, status: int
) -> None:
    """Whoever reaches us past the proxy can write any header; the connection's own address cannot be forged."""
    site = opened(TRANSCRIPT_WEBHOOK_AUTH="mtls", TRANSCRIPT_WEBHOOK_PROXIES="10.0.0.0/8,::1")
    assert deliver(site, headers, peer=peer) == status
