"""A floor in the middle of a working day, for pictures and measurements: the same calls each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

from orchestrator.core import events as e
from orchestrator.core.actions import (
    CreateStream,
    Outcome,
    StartTranscription,
    StopTranscription,
    VendorAction,
    Verdict,
)
from orchestrator.core.profile import Profile

AGENTS = ("amy", "ben", "chloe", "dev", "emma", "farid")
TALK = (
    ("agent", "Good morning, thank you for calling. How may I help?"),
    ("customer", "Hello, I was charged twice for the same order."),
    ("agent", "I am sorry about that. May I have the order number?"),
    ("customer", "It is on the invoice, one moment please."),
    ("agent", "I can see it here. I will put the amount back today."),
    ("customer", "That sounds good to me, thank you."),
)
_PROFILE = Profile(route="conference")
_MINUTE = 60_000
Story = tuple[str, list[e.Event]]


class Writer:
    """The events of one call, in order; `at` goes on."""

    def __init__(self, number: int, at: int, agent: str) -> None:
        self.sid = f"CA{random.Random(number).getrandbits(128):032x}"  # noqa: S311  the same each time
        self.at = at
        self.agent = agent
        self.attempt = 0
        self.stream, self.stream_sid = "asapp-1", f"MZ{number:032x}"
        self.told: list[e.Event] = [
            e.CallArrived(
                at=at,
                call_sid=self.sid,
                profile=_PROFILE,
                customer_number=f"+1555555{100 + number % 100:04d}",
                called_number="+15555550100",
                has_stream_url=True,
            ),
            e.StreamStarted(at=at + 400, name="asapp-1", sid=self.stream_sid),
        ]

    def comes(self, after_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.AgentConnected(at=self.at, agent_id=self.agent))
        return self.starts(300)

    def starts(self, after_ms: int) -> Writer:
        action = StartTranscription(agent_id=self.agent, stream=self.stream)
        return self._asked(action, after_ms, Outcome(verdict=Verdict.DONE, code="1000"))

    def holds(self, after_ms: int, off_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.HoldReported(at=self.at, source="desktop"))
        return self._asked(StopTranscription(), off_ms, Outcome(verdict=Verdict.DONE, code="1000"))

    def pays(self, after_ms: int, off_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.PauseRequested(at=self.at, reason="payment", source="desktop"))
        return self._asked(StopTranscription(), off_ms, Outcome(verdict=Verdict.DONE, code="1000"))

    def paid(self, after_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.PauseLifted(at=self.at, reason="payment", source="desktop"))
        return self.starts(450)

    def unholds(self, after_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.UnholdReported(at=self.at, source="desktop"))
        return self.starts(450)

    def breaks(self, after_ms: int) -> Writer:
        self.at += after_ms
        self.told.append(e.StreamFailed(at=self.at, name=self.stream, sid=self.stream_sid, error="31921 closed"))
        return self

    def heals(self, after_ms: int) -> Writer:
        self._asked(CreateStream(name="asapp-2"), after_ms, Outcome(verdict=Verdict.FAILED, code="503"))
        self._asked(CreateStream(name="asapp-3"), 900, Outcome(verdict=Verdict.DONE, code="200", sid="MZ2"))
        self.at += 500
        self.stream, self.stream_sid = "asapp-3", "MZ2"
        self.told.append(e.StreamStarted(at=self.at, name=self.stream, sid=self.stream_sid))
        self._asked(StopTranscription(purpose="reset"), 150, Outcome(verdict=Verdict.DONE, code="1000"))
        return self.starts(400)

    def notes(self, what: str, subject: str = "") -> Writer:
        self.told.append(e.TimePassed(at=self.at, what=what, subject=subject))
        return self

    def ends(self, after_ms: int) -> Writer:
        self.at += after_ms
        self._asked(StopTranscription(), 120, Outcome(verdict=Verdict.DONE, code="1000"))
        self.told.append(e.LegEnded(at=self.at + 200, leg=self.sid))
        return self

    def _asked(self, action: VendorAction, took_ms: int, outcome: Outcome) -> Writer:
        self.attempt += 1
        self.told.append(e.ActionIntended(at=self.at + 5, action=action, attempt=self.attempt, worker="worker-1"))
        self.at += took_ms
        self.told.append(e.ActionEnded(at=self.at, action=action, attempt=self.attempt, outcome=outcome))
        return self

    def story(self) -> Story:
        return self.sid, self.told


def ended(count: int, now: int) -> Iterator[Story]:
    """Calls over the day so far; every 40th had a stream that broke."""
    dice = random.Random(7)  # noqa: S311  the same each time
    midnight = now - now % 86_400_000
    for number in range(count):
        at = midnight + int((now - midnight - 12 * _MINUTE) * dice.betavariate(2.2, 1.6))
        call = Writer(number, at, dice.choice(AGENTS)).comes(dice.randrange(4_000, 40_000))
        if number % 3 == 0:
            call.holds(dice.randrange(20_000, 90_000), int(dice.lognormvariate(5.0, 0.45))).unholds(
                dice.randrange(8_000, 60_000)
            )
        if number % 40 == 0:
            call.breaks(dice.randrange(10_000, 60_000)).heals(dice.randrange(900, 6_000))
        yield call.ends(dice.randrange(40_000, 240_000)).story()


def live(now: int) -> Iterator[Story]:
    """What is up now, one of every kind; the third is the one to look at."""
    first = 9_000
    yield (
        Writer(first, now - 9 * _MINUTE, "ben")
        .comes(9_000)
        .breaks(3 * _MINUTE)
        .notes("restarts-exhausted", "31920 the handshake was refused")
        .story()
    )
    yield Writer(first + 1, now - 4 * _MINUTE, "chloe").comes(12_000).breaks(3 * _MINUTE + 20_000).story()
    yield (
        Writer(first + 2, now - 6 * _MINUTE, "amy")
        .comes(21_000)
        .holds(70_000, 140)
        .unholds(42_000)
        .breaks(48_000)
        .heals(2_300)
        .pays(40_000, 110)
        .paid(33_000)
        .story()
    )
    yield Writer(first + 3, now - 22 * _MINUTE, "dev").comes(15_000).pays(_MINUTE, 130).notes("pause-overdue").story()
    yield Writer(first + 4, now - 2 * _MINUTE, "emma").comes(8_000).holds(70_000, 95).story()
    for number, agent in enumerate(("farid", "amy", "ben", "emma", "chloe"), start=5):
        yield Writer(first + number, now - number * 47_000, agent).comes(6_000).story()
    yield Writer(first + 11, now - 20_000, "").story()
    yield Writer(first + 12, now - 9_000, "").story()
