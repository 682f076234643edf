"""Which calls a list shows and in what order, and the front page's figures."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.actions import StopTranscription, Verdict
from orchestrator.web.console.lists import Wish, chosen, figures, in_need
from orchestrator.web.console.rows import Row, need_of
from tests.unit.web.console.floors import NOW, asked, held, row, talking

MIDNIGHT = NOW - NOW % 86_400_000


def sid(number: int) -> str:
    return f"CA{number:032x}"


def talk(number: int, at: int = NOW - 60_000) -> list[e.Event]:
    return talking(sid(number), at, f"+1555555{number:04d}", f"agent-{number}")


def floor() -> dict[str, Row]:
    """One call of every kind of need."""
    stuck = [*talk(1), e.HoldReported(at=NOW - 30_000)]
    gave_up = [*talk(2), e.TimePassed(at=NOW - 20_000, what="restarts-exhausted")]
    broken = [*talk(3), e.StreamFailed(at=NOW - 10_000, name="asapp-1", sid="MZ1", error="31921")]
    forgotten = [*talk(4), *held(NOW - 50_000, 100), e.TimePassed(at=NOW - 5_000, what="pause-overdue")]
    slow = talk(5, NOW - 60_000)[:3]
    well = talk(6)
    newer = talk(7, NOW - 30_000)
    over = [*talk(8), e.LegEnded(at=NOW - 1_000, leg=sid(8))]
    was_bad = [*gave_up_again(9), e.LegEnded(at=NOW - 1_000, leg=sid(9))]
    told = [stuck, gave_up, broken, forgotten, slow, well, newer, over, was_bad]
    return {str(number): row(each) for number, each in enumerate(told, start=1)}


def gave_up_again(number: int) -> list[e.Event]:
    return [*talk(number), e.TimePassed(at=NOW - 20_000, what="restarts-exhausted")]


def test_need_of_attention() -> None:
    """Who may be heard, then what gave up, is not transcribed, has a problem, is slow; then the newest; then ended."""
    rows = floor()
    found = chosen(reversed(rows.values()), Wish(), NOW)
    assert [each.call_sid for each in found] == [sid(number) for number in (1, 2, 3, 4, 5, 7, 6, 9, 8)]
    assert [need_of(each, NOW).why for each in found[:5]] == [
        "heard",
        "gave-up",
        "interrupted",
        "problem",
        "slow-start",
    ]
    assert in_need(rows.values(), NOW) == 5


def test_a_fresh_pause_is_no_need() -> None:
    """Off takes its moment; two seconds are given."""
    pausing = row([*talk(1), e.HoldReported(at=NOW - 1_500)])
    assert need_of(pausing, NOW).why == ""
    assert need_of(pausing, NOW + 1_000).why == "heard"


def test_wishes() -> None:
    """Each narrows; a number is met by its last digits or a Call SID's beginning."""
    rows = floor().values()

    def found(wish: Wish) -> list[int]:
        return sorted(int(each.call_sid.removeprefix("CA"), 16) for each in chosen(rows, wish, NOW))

    assert found(Wish(state="transcribing")) == [2, 6, 7]
    assert found(Wish(state="live")) == [1, 2, 3, 4, 5, 6, 7]
    assert found(Wish(agent="GENT-4")) == [4]
    assert found(Wish(number="0003")) == [3]
    assert found(Wish(number="(556) 0003")) == []
    assert found(Wish(number=sid(5))) == [5]
    assert found(Wish(problem="any")) == [2, 4, 9]
    assert found(Wish(problem="pause-overdue", state="live")) == [4]


def test_other_orders() -> None:
    """Newest, and longest; the length of a live call goes on."""
    rows = floor().values()
    assert chosen(rows, Wish(sort="newest"), NOW)[0].call_sid == sid(7)
    assert chosen(rows, Wish(sort="longest"), NOW)[-1].call_sid == sid(7)


def test_pause_to_off() -> None:
    """From each pause's beginning to ASAPP's confirmation; the share's figure is one that was measured."""
    pauses = [row([*talk(number), *held(NOW - 20_000, 100 * number)]) for number in range(1, 11)]
    found = figures(pauses, NOW)
    assert found.offs == [100 * number for number in range(1, 11)]
    assert (found.off_within(0.5), found.off_within(0.99)) == (600, 1_000)
    assert figures([], NOW).off_within(0.99) is None


def test_a_resume_before_off_counts_with_its_segment() -> None:
    """A stop that was never confirmed within its pause is no measurement."""
    told = [*talk(1), e.HoldReported(at=NOW - 20_000), e.UnholdReported(at=NOW - 19_900)]
    assert row(told).offs == ()


def test_coverage_of_today() -> None:
    """Talk that was transcribed beside talk that was not, of calls begun today; a live call's talk goes on."""
    begun = NOW - 100_000
    broken = [
        *talk(1, begun),
        e.StreamFailed(at=begun + 25_500, name="asapp-1", sid="MZ1", error="31921"),
        e.LegEnded(at=begun + 45_500, leg=sid(1)),
    ]
    yesterday = talk(2, MIDNIGHT - 10_000)
    found = figures([row(broken), row(yesterday)], NOW)
    assert (found.transcribed_ms, found.missing_ms, found.calls_today) == (20_000, 20_000, 1)
    assert found.coverage == 0.5
    going_on = figures([row(talk(3, NOW - 65_500))], NOW)
    assert going_on.transcribed_ms == 60_000


def test_states_are_counted_of_live_calls() -> None:
    """Ended ones are no part of the floor."""
    found = figures(list(floor().values()), NOW)
    assert found.live == 7
    assert found.states["ended"] == 0
    assert found.states["pausing"] == 1


def test_failed_requests_do_not_count_as_off() -> None:
    """Only a confirmed stop ends a segment."""
    told = [*talk(1), e.HoldReported(at=NOW - 20_000)]
    told += asked(StopTranscription(), 2, NOW - 19_990, NOW - 19_500, Verdict.FAILED)
    assert row(told).offs == ()
