"""The signature that the vendor puts on webhooks and WebSocket upgrades (Twilio: Security).

``base64(HMAC-SHA1(auth token, URL + name and value of every form parameter, sorted by name))``.
The signed URL is the requested one without user information and fragment; over TLS the port goes too. Webhooks signed
with a SharedKey have HMAC-SHA256 over the same text, and a header that names key and algorithm.
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"


def headers(
    token: str, shared_key: tuple[str, str] | None, url: str, params: Mapping[str, str] | None
) -> dict[str, str]:
    """What a webhook bears: signed with the token, or with a SharedKey (name, secret) that it names."""
    if shared_key is None:
        return {HEADER: sign(token, url, params)}
    name, secret = shared_key
    return {HEADER: sign(secret, url, params, "sha256"), SETTINGS_HEADER: f"key={name},algorithm=HMAC_SHA256"}


def sign(token: str, url: str, params: Mapping[str, str] | None = None, digest: str = "sha1") -> str:
    """Sign a request to ``url`` that carries ``params`` as its form (none for GET and upgrades)."""
    text = signed_url(url) + "".join(name + value for name, value in sorted((params or {}).items()))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), digest)).decode()


def signed_url(url: str) -> str:
    """Return the URL as the vendor signs it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme in {"https", "wss"} and parts.port is not None:
        host = host[: host.rindex(":")]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
