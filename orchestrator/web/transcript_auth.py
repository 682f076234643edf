"""Who may deliver transcripts: one of the ways that ASAPP's Twilio guide lists, chosen by TRANSCRIPT_WEBHOOK_AUTH.

`secret`: a shared secret in a header or a query parameter of an agreed name. `oauth2`: a bearer token of the OAuth2
client-credentials flow, signed by the issuer's key (JWKS), for our audience. `mtls`: the client certificate is checked
by the proxy in front, which says so in a header; that header counts from the proxies' own addresses only, so the
proxy has to overwrite what a client sends.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from ipaddress import ip_address, ip_network

import jwt
from flask import request

from orchestrator.http import Http
from orchestrator.settings import Settings
from orchestrator.web.issuer_keys import IssuerKeys, fetch_from

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Asymmetric ones alone: a token must not be signed with what everybody can read."""

_LEEWAY_S = 30


def is_authorized(settings: Settings) -> bool:
    """Whether the request at hand may deliver transcripts."""
    match settings.transcript_webhook_auth:
        case "oauth2":
            return _has_token(settings)
        case "mtls":
            return _is_verified(settings)
        case _:
            return _knows_secret(settings)


def _knows_secret(settings: Settings) -> bool:
    """Header first, then query parameter; any of the secrets valid now; in constant time."""
    name = settings.transcript_webhook_secret_name
    given = (request.headers.get(name) or request.args.get(name) or "").encode()
    found = False
    for secret in settings.transcript_webhook_secret.values():
        found |= hmac.compare_digest(secret.encode(), given)
    return found


def _has_token(settings: Settings) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return False
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            return False  # nobody is asked for the key of a token that cannot count
        key = _keys(settings.transcript_webhook_jwks_url or "").key(header.get("kid"))
        if key is None:
            return False
        jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=settings.transcript_webhook_audience,
            issuer=settings.transcript_webhook_issuer,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.PyJWTError:
        return False
    return True


@lru_cache(maxsize=4)
def _keys(url: str) -> IssuerKeys:
    """One set for the process, over connections of its own."""
    return IssuerKeys(fetch_from(Http(pool=1), url))


def _is_verified(settings: Settings) -> bool:
    peer = _peer()
    name, _, wanted = settings.transcript_webhook_mtls_header.partition("=")
    given = request.headers.get(name, "").encode()
    return (
        peer is not None
        and any(peer in ip_network(each) for each in settings.transcript_webhook_proxies)
        and hmac.compare_digest(given, wanted.encode())
    )


def _peer() -> object:
    """The address that the connection came from, whatever forwarding headers say; None for a socket file."""
    before = request.environ.get("werkzeug.proxy_fix.orig") or {}
    address = before.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or ""
    try:
        return ip_address(address)
    except ValueError:
        return None
