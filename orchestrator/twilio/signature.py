"""Was this request signed by our Twilio account?

Twilio: Security, Validating requests:

    base64(HMAC-SHA1(auth token, URL + every form field's name and value, sorted))

The URL is made of the configured public base and the raw target that arrived, never of `Host` or forwarded headers.
Over HTTPS Twilio leaves a port out of the URL it signs, elsewhere it keeps it; the likelier form is tried first, so a
genuine request costs one HMAC per token. A fragment is not part of the URL, user name and password neither. Of repeated
fields each different value counts once, in order. A JSON body is not in the signature; its hash is, in the query.

Any of the tokens counts, so that a rotation drops nothing. Comparisons take constant time. Nothing here raises,
whatever arrives.

A request that names a SharedKey (header `X-Twilio-Webhooks-Signature-Settings: key=...,algorithm=HMAC_SHA256`) has the
same text signed with that key and HMAC-SHA256. The header, which anybody can send, only chooses among the keys that
are configured: such a request never counts for the auth token's signature, nor for another key's or hash's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import parse_qs, urlsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}
_SHARED_KEY_ALGORITHM = "HMAC_SHA256"


class SignatureCheck:
    """`tokens()` are the auth tokens that are valid now, the likeliest first; an empty one never counts.

    `shared_keys()` are pairs of a key's name and secret. With `is_shared_key_wanted` the auth token's signature counts
    for nothing.
    """

    def __init__(
        self,
        public_base_url: str,
        tokens: Callable[[], Sequence[str]],
        shared_keys: Callable[[], Iterable[tuple[str, str]]] = tuple,
        *,
        is_shared_key_wanted: bool = False,
    ) -> None:
        """`public_base_url`: how Twilio reaches us, a path prefix included, e.g. `https://calls.example.com/voice`."""
        parts = urlsplit(public_base_url)
        host = parts.netloc.rpartition("@")[2]
        bare = re.sub(r":\d+\Z", "", host)
        with_port = host if host != bare else f"{bare}:{_DEFAULT_PORTS.get(parts.scheme, 443)}"
        is_port_kept = parts.scheme != "https" and host != bare
        names = (with_port, bare) if is_port_kept else (bare, with_port)
        self._origins = tuple(f"{parts.scheme}://{name}" for name in names)
        self._prefix = parts.path.rstrip("/")
        self._tokens = tokens
        self._shared_keys = shared_keys
        self._is_shared_key_wanted = is_shared_key_wanted

    def is_valid(
        self,
        path_and_query: str,
        form_items: Iterable[tuple[str, str]],
        signature: str | None,
        body: bytes | None = None,
        named: str | None = None,
    ) -> bool:
        """`path_and_query` is the raw target; `body` is given instead of a form where the request carries JSON.

        `named`: the header that names a SharedKey, if there is one.
        """
        if not signature:
            return False
        if body is None:
            signed = signed_form(form_items)
        elif _has_hash_of(body, path_and_query):
            signed = ""
        else:
            return False
        return self.fitting(self.urls(path_and_query), signed, signature, named) is not None

    def fitting(self, urls: Iterable[str], form: str, signature: str, named: str | None = None) -> str | None:
        """The first of these URLs that was signed together with this `signed_form`; None when none was."""
        secrets, digest = self._secrets(named)
        keys, given = [_bytes(secret) for secret in secrets if secret], _bytes(signature)
        return next(
            (url for url in urls for key in keys if hmac.compare_digest(_signature(key, url + form, digest), given)),
            None,
        )

    def _secrets(self, named: str | None) -> tuple[Sequence[str], str]:
        """With what this request may have been signed, and the hash."""
        if not named:
            return (() if self._is_shared_key_wanted else self._tokens()), "sha1"
        pairs = (part.partition("=") for part in named.split(","))
        told = {name.strip(): value.strip() for name, _, value in pairs}
        if told.get("algorithm") != _SHARED_KEY_ALGORITHM:
            return (), "sha256"
        return [secret for key, secret in self._shared_keys() if key == told.get("key")], "sha256"

    def urls(self, path_and_query: str) -> list[str]:
        """What Twilio may have signed, the likeliest first.

        A proxy may take the prefix away or leave it; the URL that Twilio used has it once.
        """
        has_prefix = bool(self._prefix) and path_and_query.startswith((self._prefix + "/", self._prefix + "?"))
        paths = [path_and_query, self._prefix + path_and_query] if has_prefix else [self._prefix + path_and_query]
        return [origin + path for path in paths for origin in self._origins]


def signed_form(items: Iterable[tuple[str, str]]) -> str:
    """What a form adds to the text that is signed."""
    return "".join(name + value for name, value in sorted(set(items)))


def sign(token: str, url: str, items: Iterable[tuple[str, str]]) -> str:
    """As Twilio signs a form posted to `url`, for requests to ourselves."""
    return _signature(_bytes(token), url + signed_form(items), "sha1").decode()


def _signature(key: bytes, text: str, digest: str) -> bytes:
    return base64.b64encode(hmac.digest(key, _bytes(text), digest))


def _has_hash_of(body: bytes, path_and_query: str) -> bool:
    query = path_and_query.partition("?")[2]
    try:
        given = parse_qs(query, max_num_fields=50).get("bodySHA256", [""])[0]
    except ValueError:  # too many fields
        return False
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), _bytes(given.lower()))


def _bytes(text: str) -> bytes:
    """Bytes that were no UTF-8 as they arrived (`surrogateescape`); any other text in some way that does not raise."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
