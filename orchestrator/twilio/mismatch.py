"""Help with signatures that do not fit: which URL Twilio did sign, and which setting has to change.

A wrong PUBLIC_BASE_URL, a proxy that rewrites paths and a token of another account all look alike: 403. So after a
refusal the variants of scheme, host, port, path prefix, slash and query are tried. A variant that fits proves that the
request is Twilio's, and is told; what signature was expected is not. At most one refusal in a second is looked at, so
that nobody can keep us busy with it, and what was found is kept in this process alone: a refused request causes no
access to Redis.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.twilio.signature import SignatureCheck, signed_form

LOOK_EVERY_S = 1.0
_LONGEST_FORM = 16_384
_SHA1_LENGTH, _SHA256_LENGTH = 28, 44
_ENDPOINT = "/twilio/"


@dataclass(frozen=True)
class Mismatch:
    """What differs (`scheme`, `host`, `port`, `path`, `slash`, `query`), the URL that Twilio signed, and the cure."""

    differs: tuple[str, ...]
    signed_url: str
    cure: str

    def __str__(self) -> str:
        return f"Twilio signed {self.signed_url} ({', '.join(self.differs)}): {self.cure}"


@dataclass(frozen=True)
class Refused:
    """A refused request. `hosts`: by which names it was asked for (Host, X-Forwarded-Host)."""

    target: str
    items: Sequence[tuple[str, str]]
    signature: str
    named: str | None = None
    hosts: Sequence[str] = ()


class Mismatches:
    """Looks at refusals, not too often, and remembers the latest that was Twilio's. Thread-safe."""

    def __init__(self, check: SignatureCheck, now: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._now = now
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._latest: tuple[float, Mismatch] | None = None

    def look(self, refused: Refused) -> Mismatch | None:
        """What Twilio signed instead; None: nothing that we know of, or it is too soon to look again."""
        with self._lock:
            if self._now() - self._looked_at < LOOK_EVERY_S:
                return None
            self._looked_at = self._now()
        found = explain(self._check, refused)
        if found is not None:
            self._latest = (self._now(), found)
        return found

    def latest(self) -> tuple[float, Mismatch] | None:
        """How many seconds ago a request of Twilio's own was refused, and why."""
        if self._latest is None:
            return None
        at, found = self._latest
        return self._now() - at, found


def explain(check: SignatureCheck, refused: Refused) -> Mismatch | None:
    """The variant that fits, if one does."""
    form = signed_form(refused.items)
    if len(refused.signature) not in {_SHA1_LENGTH, _SHA256_LENGTH} or len(form) > _LONGEST_FORM:
        return None
    expected = check.urls(refused.target)
    variants = _variants(expected[0], refused.target, refused.hosts)
    fitting = check.fitting(variants, form, refused.signature, refused.named)
    return None if fitting is None else _told(expected[0], fitting)


def _variants(expected: str, target: str, hosts: Sequence[str]) -> Iterator[str]:
    """All URLs that Twilio may have been given for this request; the configured host comes before the others."""
    configured = urlsplit(expected).netloc
    paths = list(dict.fromkeys(_paths(urlsplit(expected).path, target)))
    for host in dict.fromkeys(name for each in (configured, *hosts) for name in _ports(each)):
        for scheme in ("https", "http"):
            yield from (f"{scheme}://{host}{path}" for path in paths)


def _ports(host: str) -> Iterator[str]:
    """With the port that it has, and without."""
    if re.fullmatch(r"[\w.:\[\]-]{1,255}", host):
        yield host
        yield re.sub(r":\d+\Z", "", host)


def _paths(expected: str, target: str) -> Iterator[str]:
    """Of the whole expected path, of what arrived, and of our endpoint alone; with the query and without."""
    arrived, mark, query = target.partition("?")
    _, _, endpoint = arrived.rpartition(_ENDPOINT)
    for path in (expected, arrived, f"{_ENDPOINT}{endpoint}"):
        for slashed in (path, path.rstrip("/") if path.endswith("/") else f"{path}/"):
            yield f"{slashed}{mark}{query}"
            yield slashed


def _told(expected: str, fitting: str) -> Mismatch:
    ours, theirs = urlsplit(expected), urlsplit(fitting)
    host, port = ours.netloc.partition(":")[::2]
    their_host, their_port = theirs.netloc.partition(":")[::2]
    bare, their_bare = ours.path.rstrip("/"), theirs.path.rstrip("/")
    differences = {
        "scheme": ours.scheme != theirs.scheme,
        "host": host != their_host,
        "port": port != their_port,
        "path": bare != their_bare,
        "slash": bare == their_bare and ours.path != theirs.path,
        "query": ours.query != theirs.query,
    }
    differs = tuple(name for name, is_different in differences.items() if is_different)
    prefix = theirs.path.rpartition(_ENDPOINT)[0]
    base = f"{theirs.scheme}://{theirs.netloc}{prefix}"
    return Mismatch(differs, f"{theirs.scheme}://{theirs.netloc}{theirs.path}", _cure(differs, base))


def _cure(differs: Iterable[str], base: str) -> str:
    changed = set(differs)
    cures = []
    if changed & {"scheme", "host", "port", "path"}:
        cures.append(f"set PUBLIC_BASE_URL to {base}, or give Twilio URLs that begin with PUBLIC_BASE_URL")
    if "slash" in changed:
        cures.append(
            "take the slash at the end off the URL at Twilio, or let the proxy in front leave paths as they are"
        )
    if "query" in changed:
        cures.append("let the proxy in front leave the query as it is")
    return "; ".join(cures)
