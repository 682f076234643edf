"""Two vendors and a caller as the core sees them: what is really transcribed, which media streams really live.

Small on purpose: enough to say whether the core's wishes came true. A request may be served at once, not at all, or
after its sender gave up on it; what the vendors tell by callback goes to a mailbox, from which a test delivers in any
order, twice or never.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.core import actions as a
from orchestrator.core import events as e
from orchestrator.core.actions import Outcome, Verdict
from tests.unit.core.given import CUSTOMER, ROOM, sid

Move = e.ParticipantJoined | e.ParticipantLeft | e.ParticipantHeld | e.ParticipantUnheld


@dataclass
class Letter:
    """A callback on its way. What nobody else would tell is never lost."""

    event: e.Event
    may_be_lost: bool = True


@dataclass
class Vendors:
    """Two switches: whether ASAPP's session dies with its media stream, and whether news of streams can get lost."""

    forgets_session: bool = False
    loses_stream_news: bool = True
    is_in_progress: bool = True
    transcribing_for: str | None = None
    streams: dict[str, str] = field(default_factory=dict)
    seats: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """In the conference: leg -> (label, is held)."""
    sequence: int = 0
    mailbox: list[Letter] = field(default_factory=list)

    @property
    def is_hearing(self) -> bool:
        return self.transcribing_for is not None and bool(self.streams)

    # --- what happens by itself

    def hang_up(self, now: int) -> None:
        self.is_in_progress = False
        for name in list(self.streams):
            self.break_stream(name, now, has_error=False)
        self.seats.clear()
        self.mailbox.append(Letter(e.LegEnded(at=now, leg=CUSTOMER)))

    def break_stream(self, name: str, now: int, *, has_error: bool) -> None:
        stream_sid = self.streams.pop(name)
        if self.forgets_session and not self.streams:
            self.transcribing_for = None
        kind = e.StreamFailed if has_error else e.StreamStopped
        self.mailbox.append(Letter(kind(at=now, name=name, sid=stream_sid), self.loses_stream_news))

    def move(self, kind: type[Move], leg: str, label: str, now: int) -> None:
        """Somebody joins, leaves, is held or unheld; Twilio tells it with the next sequence number."""
        self.sequence += 1
        is_held = kind is e.ParticipantHeld
        if kind is e.ParticipantLeft:
            self.seats.pop(leg, None)
        else:
            self.seats[leg] = (label, is_held)
        news = kind(at=now, conference=ROOM, leg=leg, label=label, sequence=self.sequence, is_held=is_held)
        self.mailbox.append(Letter(news))

    # --- requests

    def serve(self, action: a.Action, now: int) -> Outcome:
        match action:
            case a.StartTranscription(agent_id=agent_id):
                return self._start(agent_id)
            case a.StopTranscription():
                return self._stop()
            case a.CreateStream(name=name):
                return self._create(name, now)
            case a.StopStream(name=name):
                return self._stop_stream(name, now)
            case a.RedirectToSurvey(streams=names):
                for name in set(names) & set(self.streams):
                    self.break_stream(name, now, has_error=False)
                return Outcome(verdict=Verdict.DONE if self.is_in_progress else Verdict.NOT_IN_PROGRESS)
            case a.CompleteConference():
                for leg, (label, _) in list(self.seats.items()):
                    self.move(e.ParticipantLeft, leg, label, now)
                return Outcome(verdict=Verdict.DONE)
            case _:
                raise AssertionError(f"not a request that changes anything: {action}")

    def _start(self, agent_id: str) -> Outcome:
        if not self.streams:
            return Outcome(verdict=Verdict.NO_STREAM)
        if self.transcribing_for is not None:
            return Outcome(verdict=Verdict.ALREADY)
        self.transcribing_for = agent_id
        return Outcome(verdict=Verdict.DONE, stream_ids={"customer": "1", "agent": "2"})

    def _stop(self) -> Outcome:
        was_on, self.transcribing_for = self.transcribing_for, None
        if not self.streams:
            return Outcome(verdict=Verdict.NO_STREAM)
        return Outcome(verdict=Verdict.ALREADY if was_on is None else Verdict.DONE)

    def _create(self, name: str, now: int) -> Outcome:
        if not self.is_in_progress:
            return Outcome(verdict=Verdict.NOT_IN_PROGRESS)
        self.streams[name] = sid("MZ", name)
        self.mailbox.append(Letter(e.StreamStarted(at=now, name=name, sid=self.streams[name]), may_be_lost=False))
        return Outcome(verdict=Verdict.DONE, sid=self.streams[name])

    def _stop_stream(self, name: str, now: int) -> Outcome:
        if name not in self.streams:
            return Outcome(verdict=Verdict.NOT_FOUND)
        self.break_stream(name, now, has_error=False)
        return Outcome(verdict=Verdict.DONE)

    def read(self, action: a.Action, now: int) -> e.Event:
        match action:
            case a.ReadCall():
                return e.CallRead(at=now, status="in-progress" if self.is_in_progress else "ended")
            case a.ReadLeg(leg=leg):
                return e.LegRead(at=now, leg=leg, identity="+15555550102", is_child_of_call=False)
            case a.ReadParticipants(conference=conference):
                return e.ParticipantsRead(
                    at=now,
                    conference=conference,
                    asked_at=now,
                    participants=tuple(
                        e.ParticipantSnapshot(leg=leg, label=label, is_held=is_held)
                        for leg, (label, is_held) in self.seats.items()
                        if conference == ROOM
                    ),
                )
            case _:
                raise AssertionError(f"not a read: {action}")
