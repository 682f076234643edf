"""The fence: what was spoken in a pause (hold, payment, consent, survey ...) is no part of the transcript.

An utterance of which more than 500 ms fell into pauses is quarantined: when, who and how long is kept, the words are
not. The same is asked of every source: real-time messages, the finished call's list and the batch feed. Where times
are estimated the fence errs to the safe side.

Times are milliseconds since the epoch.
"""

from __future__ import annotations

import hmac
import re
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from orchestrator.core.call import Call
from orchestrator.transcripts.timing import SHORTLY_MS

TOLERATED_MS = 500
"""The vendor needs some tenths of a second to stop; a last word that runs into a hold is conversation."""

_FOREVER = 2**62
_NOT_WORDS = re.compile(r"[\W_]+")


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of pause; `end` lies in the far future while it lasts."""

    start: int
    end: int
    reason: str


def pauses_of(call: Call) -> list[Stretch]:
    """Every pause, what was between two talks, and the survey, in order of their start."""
    last = _FOREVER if call.ended_at is None else call.ended_at
    found = [
        Stretch(each.start, max(each.start, last if each.end is None else each.end), each.reason)
        for each in (*call.paused, *call.unwanted)
    ]
    if call.survey is not None:
        found.append(Stretch(call.survey.since, _FOREVER, "survey"))
    return sorted(found, key=lambda each: (each.start, each.end))


def fenced_until(call: Call) -> int:
    """Until when a message that comes may tell what was said in a pause; 0: there was none.

    Shorter than what is tolerated is none: every call ends with the one or the other's leaving first.
    """
    ends = (each.end for each in pauses_of(call) if each.end - each.start > TOLERATED_MS)
    return max((end + SHORTLY_MS for end in ends), default=0)


def fenced_by(pauses: Iterable[Stretch], start: int, end: int) -> str | None:
    """The reason of the pause that most of it was spoken in, when more than 500 ms of it were; else None."""
    shares: defaultdict[str, int] = defaultdict(int)
    spoken_until = start
    for pause in pauses:
        share = min(end, pause.end) - max(spoken_until, pause.start)
        if share > 0:
            shares[pause.reason] += share
            spoken_until = min(end, pause.end)
    if sum(shares.values()) <= TOLERATED_MS:
        return None
    return max(shares, key=lambda reason: shares[reason])


def words_of(text: str) -> str:
    """The words alone: case, spacing and punctuation differ between the vendor's outputs. Masks count as words."""
    plain = _NOT_WORDS.sub(" ", text.replace("#", "x").replace("*", "x").casefold()).strip()
    return plain or text.strip().casefold()


def fingerprint(secret: bytes, role: str, text: str) -> str:
    """Knows words again after they have been thrown away; without the secret they cannot be guessed from it."""
    return hmac.digest(secret or b"-", f"{role}\x1f{words_of(text)}".encode(), "sha256")[:12].hex()


def fingerprints(secrets: Iterable[bytes], role: str, text: str) -> tuple[str, ...]:
    """One under each secret, so that the words are known again as long as one of the secrets has not changed."""
    return tuple(fingerprint(secret, role, text) for secret in secrets)
