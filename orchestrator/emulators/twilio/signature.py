"""The signature that the vendor puts on webhooks and WebSocket upgrades (Twilio: Security).

``base64(HMAC-SHA1(auth token, URL + name and value of every form parameter, sorted by name))``.
The signed URL is the requested one without user information and fragment; over TLS the port goes too.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HEADER = "X-Twilio-Signature"


def sign(token: str, url: str, params: Mapping[str, str] | None = None) -> str:
    """Sign a request to ``url`` that carries ``params`` as its form (none for GET and upgrades)."""
    text = signed_url(url) + "".join(name + value for name, value in sorted((params or {}).items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed_url(url: str) -> str:
    """Return the URL as the vendor signs it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme in {"https", "wss"} and parts.port is not None:
        host = host[: host.rindex(":")]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
