"""Which hosts are this machine itself, and which URLs lead to the same place."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where a URL leads: the case of scheme and host, a default port and a fragment make no difference."""

    origin: tuple[str, str, int | None]
    path: str
    query: str


def place(url: str) -> Place | None:
    """None for what is no absolute URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    host = parts.hostname.removesuffix(".")
    return Place((parts.scheme, host, port or _PORTS.get(parts.scheme)), parts.path or "/", parts.query)


def path_below(url: str, base: str) -> str | None:
    """The rest of the URL's path where it is one of `base`, which ends with a slash; None for other places."""
    there, here = place(url), place(base)
    if there is None or here is None or there.origin != here.origin or not there.path.startswith(here.path):
        return None
    return there.path.removeprefix(here.path)


def is_loopback(host: str | None) -> bool:
    """Whether a URL's host is this machine itself."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
