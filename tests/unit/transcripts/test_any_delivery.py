"""Whatever is lost, late, repeated or out of order: the same transcript, or the truth about what is missing."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call, PausedStretch, Segment
from orchestrator.transcripts.merge import Merged, merged
from orchestrator.transcripts.utterance import Received
from orchestrator.transcripts.view import document
from tests.unit.transcripts.conversations import T0, given_call, listed, mark

STARTS_MS = [*range(12_000, 38_000, 3_000), *range(42_000, 57_000, 3_000), *range(63_000, 108_000, 3_000)]
HOLD_MS = (40_000, 60_000)
FIRST_MS = 10_000
FIRST_LASTS_MS = HOLD_MS[0] + 200 - FIRST_MS
SECOND_MS = 60_300
STREAM_MS = 2_000
LENGTH_MS = 1_500
ANCHORS_MS = [*range(13_500, 30_000, 6_000), *range(64_500, 80_000, 6_000)]
"""Sentences that occur once and came from everywhere; by them the sources' clocks are compared."""
SHORT = ["yes", "no thank you", "one moment please"]
WORDS = [*SHORT, "say that again", "fake number one"]
ROLES = ["customer", "agent"]


@dataclass(frozen=True)
class Counting:
    """How the vendor counts, for it does not say: offsets from where, stream ids anew after a hold, ends from where."""

    offsets: str = "segment"
    are_ids_new: bool = True
    is_end_a_length: bool = False

    def offset(self, start: int) -> int:
        is_second = start >= SECOND_MS
        match self.offsets:
            case "stream":
                return start - STREAM_MS
            case "transcribed" if is_second:
                return FIRST_LASTS_MS + start - SECOND_MS
            case _:
                return start - (SECOND_MS if is_second else FIRST_MS)


SIMPLE = Counting()


@dataclass(frozen=True)
class Said:
    """One utterance as it was, and what became of it on its ways to us."""

    start: int
    role: str
    text: str
    is_live: bool
    is_listed: bool
    is_fed: bool
    late_ms: int
    off_ms: int
    times: int

    @property
    def is_leak(self) -> bool:
        return HOLD_MS[0] <= self.start < HOLD_MS[1]

    def received(self, counting: Counting = SIMPLE) -> list[Received]:
        is_second = self.start >= SECOND_MS
        offset = counting.offset(self.start)
        one = Received(
            stream_id=f"{self.role}-{2 if is_second and counting.are_ids_new else 1}",
            role=self.role,
            start_ms=offset,
            end_ms=LENGTH_MS if counting.is_end_a_length else offset + LENGTH_MS,
            text=self.text,
            at=T0 + self.start + LENGTH_MS + self.late_ms,
            key=f"{self.role}{self.start}{mark(self.text)}",
        )
        return [replace(one, at=one.at + 700 * number) for number in range(self.times)] if self.is_live else []

    def stored(self, is_there: bool) -> list[StoredMessage]:
        item = listed(self.start + LENGTH_MS + self.off_ms, self.text.capitalize() + ".", self.role)
        return [replace(item, message_id=f"{self.start}")] * self.times if is_there else []


@st.composite
def conversations(draw: st.DrawFn) -> list[Said]:
    starts = draw(st.lists(st.sampled_from(STARTS_MS), max_size=10, unique=True))
    return [_said(draw, start) for start in sorted(starts)]


def _said(draw: st.DrawFn, start: int) -> Said:
    """Long words that were spoken in a pause are fenced wherever they occur, so here they are its own."""
    is_leak = HOLD_MS[0] <= start < HOLD_MS[1]
    return Said(
        start=start,
        role=draw(st.sampled_from(ROLES)),
        text=draw(st.sampled_from([*(SHORT if is_leak else WORDS), f"this is sentence number {start}"])),
        is_live=draw(st.booleans()),
        is_listed=draw(st.booleans()),
        is_fed=draw(st.booleans()),
        late_ms=draw(st.integers(50, 9_000)),
        off_ms=draw(st.integers(-200, 200)),
        times=draw(st.sampled_from([1, 1, 2, 3])),
    )


def countings() -> st.SearchStrategy[Counting]:
    offsets = st.sampled_from(["segment", "transcribed", "stream"])
    return st.builds(Counting, offsets=offsets, are_ids_new=st.booleans(), is_end_a_length=st.booleans())


def anchors() -> list[Said]:
    return [
        Said(
            start,
            "agent",
            f"only once at {start}",
            is_live=True,
            is_listed=True,
            is_fed=True,
            late_ms=300,
            off_ms=0,
            times=1,
        )
        for start in ANCHORS_MS
    ]


def call_of(conversation: list[Said], counting: Counting = SIMPLE) -> Call:
    def promised(rows: list[Said]) -> dict[str, int]:
        return {role: sum(1 for each in rows if each.role == role) for role in ROLES}

    first = [each for each in conversation if each.start < SECOND_MS]
    second = [each for each in conversation if each.start >= SECOND_MS]
    return replace(
        given_call(),
        paused=(PausedStretch(start=T0 + HOLD_MS[0], end=T0 + HOLD_MS[1], reason="hold"),),
        segments=(
            Segment(
                agent_id="amy",
                start=T0 + FIRST_MS,
                end=T0 + HOLD_MS[0] + 200,
                stream_ids={role: f"{role}-1" for role in ROLES},
                promised=promised(first),
            ),
            Segment(
                agent_id="amy",
                start=T0 + SECOND_MS,
                end=T0 + 110_000,
                stream_ids={role: f"{role}-{2 if counting.are_ids_new else 1}" for role in ROLES},
                promised=promised(second),
            ),
        ),
    )


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(conversations(), countings(), st.integers(-7_200_000, 7_200_000), st.randoms(use_true_random=False))
def test_any_delivery_gives_the_transcript_or_the_truth(
    said: list[Said], counting: Counting, clock_ms: int, random: Random
) -> None:
    """No leak, nothing twice, nothing invented; what came from anywhere is there; complete only when it is."""
    conversation = [*said, *anchors()]
    if counting.offsets == "transcribed":  # what is not transcribed is not counted, so nothing of a hold comes live
        conversation = [dataclasses.replace(each, is_live=each.is_live and not each.is_leak) for each in conversation]
    call = call_of(conversation, counting)
    live = [message for each in conversation for message in each.received(counting)]
    after = [skewed(message, clock_ms) for each in conversation for message in each.stored(each.is_listed)]
    fed = [message for each in conversation for message in each.stored(each.is_fed)]
    found = merged(call, live, after, fed)
    for messages in (live, after, fed):
        random.shuffle(messages)
    assert merged(call, live, after, fed) == found

    came = [each for each in conversation if each.is_live or each.is_listed or each.is_fed]
    spoken = words_of(came)
    assert shown(found) == spoken
    assert len(found.quarantined) == len(came) - spoken.total()

    told = document(call, found, len(after))
    lost = Counter(each.role for each in conversation if each not in came)
    assert told["completeness"]["missing"] == {role: lost[role] for role in ROLES}
    assert told["complete"] is (not lost)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(conversations())
def test_without_a_common_clock_it_still_never_says_too_much(conversation: list[Said]) -> None:
    """Repeated words that each source has another one of may be taken for one: then it says that one is missing."""
    call = call_of(conversation)
    live = [message for each in conversation for message in each.received()]
    after = [message for each in conversation for message in each.stored(each.is_listed)]
    found = merged(call, live, after)
    came = [each for each in conversation if each.is_live or each.is_listed]
    assert not shown(found) - words_of(came)
    told = document(call, found, len(after))
    if told["complete"]:
        assert shown(found) == words_of(conversation)
    else:
        assert sum(told["completeness"]["missing"].values()) >= len(conversation) - len(came)


def skewed(message: StoredMessage, by_ms: int) -> StoredMessage:
    return replace(message, sent_at=message.sent_at + by_ms)


def words_of(rows: list[Said]) -> Counter[tuple[str, str]]:
    return Counter((each.role, each.text) for each in rows if not each.is_leak)


def shown(found: Merged) -> Counter[tuple[str, str]]:
    return Counter((each.role, each.text.rstrip(".").lower()) for each in found.utterances)


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(conversations())
def test_times_and_order_are_those_of_the_speech(conversation: list[Said]) -> None:
    """However late each message came, of what was heard live the moment is known and the order is that of speech."""
    live = [dataclasses.replace(each, is_live=True) for each in conversation]
    found = merged(call_of(live), [message for each in live for message in each.received()])
    assert [(each.start, each.end) for each in found.utterances] == [
        (T0 + each.start, T0 + each.start + LENGTH_MS) for each in live if not each.is_leak
    ]
    assert all(each.segment == (1 if each.start >= T0 + SECOND_MS else 0) for each in found.utterances)
