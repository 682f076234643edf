"""Connection overrides: the fragment of a webhook URL, honoured and never sent.

Twilio: "Webhooks: Connection Overrides", such as ``https://h/p#rc=3&rp=5xx,ct,rt``. Defaults: 5 s to
connect, 15 s to read and in all, one retry and that only after a failed connection.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urldefrag

_POLICIES = frozenset({"4xx", "5xx", "ct", "rt", "all"})
_EDGES = frozenset(["ashburn", "dublin", "frankfurt", "sao-paulo", "singapore", "sydney", "tokyo", "umatilla"])
_LIMITS_MS = {"ct": (100, 10_000), "rt": (100, 15_000), "tt": (100, 15_000)}
_MOST_RETRIES = 5


class OverrideError(ValueError):
    """A fragment that the vendor does not accept (11243 for the retry policy)."""


@dataclass(frozen=True)
class Overrides:
    """How one delivery is tried: times in seconds."""

    connect_s: float = 5.0
    read_s: float = 15.0
    total_s: float = 15.0
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def retries_after(self, failure: str) -> bool:
        """Tell whether a failure (``ct``, ``rt``, ``4xx`` or ``5xx``) is tried again."""
        return "all" in self.retry_on or failure in self.retry_on


def split(url: str) -> tuple[str, Overrides]:
    """Split a webhook URL into what is requested and how; raise `OverrideError` for a bad fragment."""
    bare, fragment = urldefrag(url)
    found = dict(parse_qsl(fragment))
    times = {key: _milliseconds(key, found[key]) for key in _LIMITS_MS if key in found}
    default = Overrides()
    return bare, Overrides(
        connect_s=times.get("ct", default.connect_s),
        read_s=times.get("rt", default.read_s),
        total_s=times.get("tt", default.total_s),
        retries=_retries(found["rc"]) if "rc" in found else default.retries,
        retry_on=_policy(found["rp"]) if "rp" in found else default.retry_on,
    ) if _edges_known(found.get("e")) else default


def _milliseconds(key: str, text: str) -> float:
    low, high = _LIMITS_MS[key]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise OverrideError(f"{key} is {low} to {high} milliseconds, not {text!r}")
    return int(text) / 1000


def _retries(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_RETRIES:
        raise OverrideError(f"rc is 0 to {_MOST_RETRIES}, not {text!r}")
    return int(text)


def _policy(text: str) -> frozenset[str]:
    policy = frozenset(text.split(","))
    if not policy <= _POLICIES:
        raise OverrideError(f"rp is a list of {', '.join(sorted(_POLICIES))}, not {text!r}")
    return policy


def _edges_known(text: str | None) -> bool:
    if text is not None and not set(text.split(",")) <= _EDGES:
        raise OverrideError(f"no such edge: {text!r}")
    return True
