"""What the emulated account holds: numbers, legs (call resources), rooms and who is in them.

Plain state and the questions that can be asked of it. A leg is in at most one room; a room is either a
conference or the bridge of a `<Dial>`.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestrator.emulators.audio import Kind
from orchestrator.emulators.twilio.formats import sid, utc_now

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.media import MediaStream
    from orchestrator.emulators.twilio.speech import Conversation, Utterance

TERMINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


class Role(StrEnum):
    """Who is at the far end of a leg."""

    CUSTOMER = "customer"
    AGENT = "agent"


@dataclass
class Number:
    """A phone number of the account: its voice settings by their REST names (`voice_url`, ...)."""

    phone_number: str
    settings: dict[str, str]
    sid: str = field(default_factory=lambda: sid("PN"))
    created: datetime = field(default_factory=utc_now)


@dataclass(frozen=True)
class Callback:
    """Where status callbacks go, and which."""

    url: str
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})


@dataclass(eq=False)
class Leg:
    """One call resource. ``playing``: what Twilio itself plays to it; ``asides``: more webhook parameters."""

    sender: str
    to: str
    direction: str
    role: Role
    status: str = "queued"
    status_before_end: str = ""
    parent: "Leg | None" = None
    sid: str = field(default_factory=lambda: sid("CA"))
    created: datetime = field(default_factory=utc_now)
    updated: datetime = field(default_factory=utc_now)
    started: datetime | None = None
    ended: datetime | None = None
    answered_at: float | None = None
    duration_s: int = 0
    asides: dict[str, str] = field(default_factory=dict)
    enqueue_outcome: str = ""
    callbacks: list[Callback] = field(default_factory=list)
    fallback: tuple[str, str] | None = None
    sequence: int = 0
    streams: "list[MediaStream]" = field(default_factory=list)
    room: "Room | None" = None
    playing: Kind | None = None
    speech: "Utterance | None" = None
    position: str = ""
    ended_by: str = ""
    children: "list[Leg]" = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    interruption: str = ""
    picked_up: "asyncio.Future[str] | None" = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_in_progress(self) -> bool:
        return self.status == "in-progress"

    @property
    def member(self) -> "Member | None":
        return self.room.member(self) if self.room else None


@dataclass(eq=False)
class Member:
    """A leg inside a room, with the flags that a conference participant has."""

    leg: Leg
    label: str = ""
    muted: bool = False
    held: bool = False
    hold_is_silent: bool = False
    coaching: bool = False
    coached_sid: str = ""
    start_on_enter: bool = True
    end_on_exit: bool = False
    joined: datetime = field(default_factory=utc_now)
    updated: datetime = field(default_factory=utc_now)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Room:
    """Legs that hear one another."""

    conversation: "Conversation"
    members: list[Member] = field(default_factory=list)

    def member(self, leg: Leg) -> Member | None:
        return next((member for member in self.members if member.leg is leg), None)

    @property
    def is_waiting(self) -> bool:
        """Tell whether those inside hear the waiting music."""
        return len(self.members) < 2  # noqa: PLR2004 - a conversation takes two


@dataclass(eq=False)
class Conference(Room):
    """A named room. The first to join fixes its callback and event list (Twilio: Conference)."""

    name: str = ""
    callback: Callback | None = None
    sid: str = field(default_factory=lambda: sid("CF"))
    status: str = "init"
    sequence: int = 1
    created: datetime = field(default_factory=utc_now)
    updated: datetime = field(default_factory=utc_now)
    reason_ended: str | None = None
    ended_by_sid: str | None = None

    @property
    def is_waiting(self) -> bool:
        return self.status == "init" or super().is_waiting
