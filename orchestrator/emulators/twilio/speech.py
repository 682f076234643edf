"""Who says what: utterances, and the conversation of a room.

A conversation needs no timer: it is moved on by whoever listens (`Conversation.advance`). Utterances keep
their own start, so that two listeners of one speaker hear the same words at the same moment, and a
listener that comes later hears the rest.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.emulators.audio import FRAME_MS, Kind, frames
from orchestrator.emulators.twilio.model import Role

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.model import Leg, Room

FRAME_S: Final = FRAME_MS / 1000
_GAP_S: Final = (0.3, 0.9)
_numbers = itertools.count(1)

PHRASES: Final[dict[Role, tuple[str, ...]]] = {
    Role.CUSTOMER: (
        "hello I have a question about my last bill",
        "the parcel was promised for Monday and never came",
        "could you please change the address on my account",
        "I was charged twice for the same order",
        "the router keeps losing its connection in the evening",
        "yes that is right and thank you for checking",
        "how long will the repair take",
        "I would like to keep my old contract",
        "no the other letter that came in the spring",
        "that sounds good to me",
    ),
    Role.AGENT: (
        "good morning and thank you for calling how may I help",
        "I am sorry about that let me look into it",
        "I can see the order here in front of me",
        "may I ask you to confirm the street you live in",
        "I have sent you a confirmation by mail",
        "the technician will call before the visit",
        "we will put the amount back on your account",
        "is there anything else that I can do for you",
        "one moment please while I open your file",
        "you are welcome and have a pleasant day",
    ),
}


@dataclass(eq=False)
class Utterance:
    """Words that one leg speaks from ``start`` on (emulated seconds); ``kind`` overrides the situation's."""

    text: str
    start: float
    kind: Kind | None = None
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self._frames: dict[Kind, list[bytes]] = {}
        self.end = self.start + FRAME_S * len(self._of(Kind.SILENCE))

    def frame(self, kind: Kind, now: float) -> bytes | None:
        """Return the frame that sounds at ``now`` as ``kind``, or None when nothing is said then."""
        index = int((now - self.start) / FRAME_S + 1e-6)
        spoken = self._of(self.kind or kind)
        return spoken[index] if 0 <= index < len(spoken) else None

    def _of(self, kind: Kind) -> list[bytes]:
        if kind not in self._frames:
            self._frames[kind] = list(frames(kind, self.text, self.number))
        return self._frames[kind]


class Conversation:
    """The turns of one room, drawn from a seeded phrase book; ``is_silent``: only what is injected."""

    def __init__(self, seed: int, *, is_silent: bool = False) -> None:
        self._random = random.Random(seed)
        self._is_silent = is_silent
        self._last: Leg | None = None
        self._next_at = 0.0

    def advance(self, room: "Room", now: float) -> None:
        """Let the next speaker begin if it is time; called with every frame that somebody hears."""
        if self._is_silent or now < self._next_at:
            return
        speakers = speakers_of(room)
        if not speakers:
            return
        others = [leg for leg in speakers if leg is not self._last] or speakers
        speaker = self._random.choice(others)
        self.say(speaker, self._random.choice(PHRASES[speaker.role]), now)

    def say(self, leg: "Leg", text: str, now: float, kind: Kind | None = None) -> "Utterance":
        """Let a leg speak at once; the turn after it begins when it has finished."""
        leg.speech = Utterance(text, now, kind)
        self._last = leg
        self._next_at = leg.speech.end + self._random.uniform(*_GAP_S)
        return leg.speech


def speakers_of(room: "Room") -> Sequence["Leg"]:
    """Return who takes turns in a room.

    A customer speaks when an agent is there, held or not (a held customer talks on, to somebody in the
    room). Agents speak to an unheld customer, or to each other when they are two.
    """
    members = [member for member in room.members if not member.coaching]
    customers = [member for member in members if member.leg.role is Role.CUSTOMER]
    agents = [member for member in members if member.leg.role is Role.AGENT]
    free = [member for member in agents if not member.held]
    speaking = customers if agents else []
    if len(free) > 1 or (free and any(not customer.held for customer in customers)):
        speaking = [*speaking, *free]
    return [member.leg for member in speaking]
