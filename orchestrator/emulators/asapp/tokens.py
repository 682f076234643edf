"""Tokens of stream URLs: shaped like a JWT, good for any number of streams, judged only at opening.

The token carries its own expiry and is signed with a key made from the API secret, so it outlives a
restart of the emulator as a vendor's token outlives a deployment (ASAPP: Twilio guide, 5 minutes).
"""

import base64
import hashlib
import hmac
from typing import Final

import msgspec

_HEADER: Final = b'{"alg":"HS256","typ":"JWT"}'
_PARTS: Final = 3


class _Claims(msgspec.Struct):
    exp: float
    jti: int


class StreamTokens:
    """Issues tokens and says whether one is good at a given instant (epoch seconds)."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(secret.encode()).digest()
        self._issued = 0

    def issue(self, now: float, ttl_s: float) -> str:
        self._issued += 1
        claims = msgspec.json.encode(_Claims(exp=now + ttl_s, jti=self._issued))
        signed = f"{_encode(_HEADER)}.{_encode(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def is_good(self, token: str, now: float) -> bool:
        signed, _, signature = token.rpartition(".")
        if token.count(".") != _PARTS - 1 or not hmac.compare_digest(
            signature.encode(), self._signature(signed).encode()
        ):
            return False
        claims = msgspec.json.decode(_decode(signed.partition(".")[2]), type=_Claims)
        return now < claims.exp

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(), "sha256"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
