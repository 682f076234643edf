"""Variables of the environment: how they are read, and what a single one of them must look like.

A `Reader` remembers every fault instead of raising at the first. A check says what is wrong with a value, or None; one
whose name begins with `is_` says whether it is good. No message repeats a value: it may be a secret's.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from orchestrator.hosts import is_loopback
from orchestrator.secret import Secret

NOT_SET = " is not set"
_TOKEN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LEAST_KEY = 24


class Reader:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self._environ.get(name, "").strip() or default

    def required(self, name: str, check: Callable[[str], str | None]) -> str:
        value = self.text(name)
        if not value:
            self.faults.append(f"{name}{NOT_SET}")
        else:
            self.check(name, value, check)
        return value

    def check(self, name: str, value: str, check: Callable[[str], str | None]) -> str:
        fault = check(value)
        if fault:
            self.faults.append(f"{name} {fault}")
        return value

    def optional(self, name: str, check: Callable[[str], str | None]) -> str | None:
        value = self.text(name)
        return self.check(name, value, check) if value else None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.optional_number(name, low, high)
        return default if value is None else value

    def optional_number(self, name: str, low: int, high: int) -> int | None:
        text = self.text(name)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            self.faults.append(f"{name} must be a whole number from {low} to {high}")
            return None
        return int(text)

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in choices:
            self.faults.append(f"{name} must be one of: {', '.join(choices)}")
        return value

    def secret(self, name: str, *, is_required: bool = False) -> Secret:
        text, path = self.text(name), self.text(f"{name}_FILE") or None
        if text and path:
            self.faults.append(f"{name} and {name}_FILE are both set; only one may be")
        try:
            secret = Secret(name, text, None if text else path)
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(f"{name}_FILE cannot be read ({type(error).__name__})")
            return Secret(name)
        if is_required and not secret:
            self.faults.append(f"{name}{NOT_SET}" if path is None else f"{name}_FILE names an empty file")
        return secret


def web_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        return "must be a URL that starts with https:// or http://"
    if parts.query or parts.fragment or parts.username is not None:
        return "must have no query, fragment, user or password"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "must be https (plain http is for loopback hosts only)"
    return None


def public_url(value: str) -> str | None:
    fault = web_url(value)
    if fault is None and "_" in (urlsplit(value).hostname or ""):
        return "has an underscore in its host name, which Twilio does not call"
    return fault


def account_sid(value: str) -> str | None:
    return None if re.fullmatch(r"AC[0-9a-zA-Z]{32}", value) else "must be AC and 32 letters or digits"


def archive_url(value: str) -> str | None:
    scheme, separator, rest = value.partition("://")
    return None if separator and rest and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) else "must be a URL"


def certificates(path: str) -> str | None:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        return "must be a readable file of certificates (PEM)"
    return None


def header_name(value: str) -> str | None:
    return None if _TOKEN_NAME.match(value) else "must be 1 to 64 letters, digits, - or _"


def header_and_value(value: str) -> str | None:
    name, separator, wanted = value.partition("=")
    is_good = _TOKEN_NAME.match(name) and separator and wanted.isprintable() and wanted
    return None if is_good else "must be NAME=VALUE, the header by which the proxy says that it checked a certificate"


def sink_url(value: str) -> str | None:
    """It may have a query; what stands before the host would be sent as a header in the clear of logs elsewhere."""
    return jwks_url(value) or ("must have no user or password" if urlsplit(value).username is not None else None)


def jwks_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
    except ValueError:
        return "is not a URL"
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    return None if is_safe and parts.hostname else "must be https (plain http is for loopback hosts only)"


def is_signing_key(entry: str) -> bool:
    try:
        key = base64.b64decode(entry.removeprefix("whsec_") + "==")
    except ValueError:
        return False
    return entry.startswith("whsec_") and len(key) >= _LEAST_KEY


def is_login(entry: str) -> bool:
    name, _, password = entry.partition(":")
    return bool(name and password)


def is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.path or parts.query)
