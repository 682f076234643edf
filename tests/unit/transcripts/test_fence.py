"""The fence: what was spoken in a pause comes out of no source."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.core.call import PausedStretch
from orchestrator.core.events import TimePassed
from orchestrator.core.transition import transition
from orchestrator.transcripts.fence import Stretch, fenced_by, fenced_until, fingerprint, fingerprints, words_of
from orchestrator.transcripts.merge import Merged, merged
from orchestrator.transcripts.view import as_text, as_vtt, document
from tests.unit.transcripts.conversations import T0, given_call, heard, listed, mark

LEAK = "four two four two fake card"
HOLD = (40, 60, "hold")
SECRET = b"fake-secret"


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (0, 10_500, None),
        (0, 10_501, "hold"),
        (19_500, 25_000, None),
        (19_499, 25_000, "hold"),
        (12_000, 13_000, "hold"),
        (9_000, 10_000, None),
        (29_600, 30_600, "payment"),
        (39_000, 99_000, "payment"),
    ],
)
def test_more_than_half_a_second_in_a_pause_is_too_much(start: int, end: int, reason: str | None) -> None:
    """A last word may run into a hold; 500 ms are tolerated, in neighbouring pauses together."""
    pauses = [Stretch(10_000, 20_000, "hold"), Stretch(30_000, 40_000, "payment")]
    assert fenced_by(pauses, start, end) == reason


def test_neighbouring_pauses_count_together_and_overlapping_ones_once() -> None:
    """Toggling between reasons opens no hole in the fence; what two pauses share is not counted twice."""
    hold, payment, survey = Stretch(1_000, 1_300, "hold"), Stretch(1_300, 1_700, "payment"), Stretch(1_000, 1_300, "x")
    assert fenced_by([hold, payment], 0, 5_000) == "payment"
    assert fenced_by([hold, survey], 0, 5_000) is None


@pytest.mark.parametrize("reason", ["hold", "payment", "consent", "agent-hold", "manual"])
def test_a_live_leak_is_fenced(reason: str) -> None:
    """Whatever paused the conversation."""
    found = merged(given_call((40, 60, reason)), [heard(45_000, 47_000, LEAK), heard(62_000, 63_000, "I am back")])
    assert [each.text for each in found.utterances] == ["I am back"]
    (out,) = found.quarantined
    assert (out.role, out.start, out.end, out.reason) == ("customer", T0 + 45_000, T0 + 47_000, reason)
    assert out.length == len(LEAK)
    assert found.keys == {f"customer-45000-{mark(LEAK)}"}


def test_everything_said_in_a_survey_or_in_a_pause_that_lasts_is_fenced() -> None:
    """A survey has no end; a pause that nobody took away lasts to the end of the call."""
    said = [heard(100_000, 101_000, LEAK)]
    assert merged(given_call(survey_at=90), said).utterances == []
    assert merged(given_call((90, None, "payment")), said).utterances == []


def test_nothing_is_told_of_the_time_between_two_talks() -> None:
    """An agent went, and another one came; ASAPP took its time to confirm the stop."""
    stretch = PausedStretch(start=T0 + 40_000, end=T0 + 60_000, reason="no-agent")
    call = msgspec.structs.replace(given_call(), unwanted=(stretch,))
    said = [heard(38_000, 40_300, "good bye"), heard(41_000, 43_000, LEAK), heard(62_000, 63_000, "hello, bob here")]
    found = merged(call, said)
    assert [each.text for each in found.utterances] == ["good bye", "hello, bob here"]
    assert [each.reason for each in found.quarantined] == ["no-agent"]


def test_a_message_is_looked_at_for_some_time_after_what_was_not_to_be_heard() -> None:
    """Not because one left half a second before the other."""
    left = PausedStretch(start=T0 + 119_600, reason="no-agent")
    assert fenced_until(msgspec.structs.replace(given_call(), unwanted=(left,))) == 0
    long_gone = msgspec.structs.replace(left, start=T0 + 100_000)
    assert fenced_until(msgspec.structs.replace(given_call(), unwanted=(long_gone,))) == T0 + 130_000


def test_a_leak_whose_end_counts_from_its_own_beginning_is_fenced() -> None:
    """Read as an offset such an end lies before the start, and nothing at all would have been spoken in the hold."""
    said = [heard(45_000, 47_000, LEAK), heard(12_000, 13_000, "hello there")]
    counted = [msgspec.structs.replace(each, end_ms=each.end_ms - each.start_ms) for each in said]
    (out,) = merged(given_call(HOLD), counted).quarantined
    assert (out.start, out.end) == (T0 + 45_000, T0 + 47_000)


def test_a_leak_without_a_length_is_fenced() -> None:
    """An end that is the start says nothing of how long it took; its words do."""
    leak = heard(45_000, 47_000, LEAK)
    empty = msgspec.structs.replace(leak, start_ms=leak.end_ms)
    assert merged(given_call(HOLD), [empty]).utterances == []


def test_a_leak_that_comes_after_the_resume_is_fenced() -> None:
    """The stream id goes on after the hold and its offsets begin anew; the late message still belongs before."""
    first = given_call().segments[0]
    call = msgspec.structs.replace(
        given_call(HOLD),
        segments=(
            msgspec.structs.replace(first, end=T0 + 40_200),
            msgspec.structs.replace(first, start=T0 + 60_300),
        ),
    )
    late = heard(51_000, 52_500, LEAK, late_ms=8_000)
    assert [each.start for each in merged(call, [late]).quarantined] == [T0 + 51_000]


def test_a_leak_in_the_finished_calls_list_is_fenced() -> None:
    """Also when no real-time message told of it; a little pause before its time is no way out."""
    found = merged(given_call(HOLD), [], [listed(47_000, LEAK), listed(70_000, "thank you very much")])
    assert [each.text for each in found.utterances] == ["thank you very much"]
    assert [each.reason for each in found.quarantined] == ["hold"]
    assert found.message_ids == {f"Mcustomer47000{mark(LEAK)}"}


def test_a_leak_in_the_batch_feed_is_fenced() -> None:
    """The feed comes a day later and meets the same fence."""
    found = merged(given_call(HOLD), [], [], [listed(47_000, LEAK), listed(70_000, "thank you very much")])
    assert [each.source for each in found.utterances] == ["batch"]
    assert found.message_ids == {f"Mcustomer47000{mark(LEAK)}"}


@pytest.mark.parametrize("source", ["after-call", "batch"])
@pytest.mark.parametrize("behind_ms", [1_400, 0, -1_400])
def test_a_later_source_tells_no_more_than_was_heard_before_a_pause(source: str, behind_ms: int) -> None:
    """Real time has the sentence up to the payment, the later source a digit as well; clocks differ a little."""
    live = [heard(37_000, 39_900, "my card number is")]
    item = [listed(39_900 + behind_ms, "my card number is four two")]
    after, batch = (item, []) if source == "after-call" else ([], item)
    found = merged(given_call((40, 60, "payment")), live, after, batch)
    assert [(each.text, each.source, each.alternative) for each in found.utterances] == [
        ("my card number is", "both", None)
    ]
    assert found.quarantined == []
    assert found.message_ids == {item[0].message_id}
    assert found.instead == {item[0].message_id: "my card number is"}


def test_a_later_source_tells_no_more_than_was_heard_after_a_pause() -> None:
    """Its last digits before the sentence that follows."""
    live = [heard(60_100, 62_100, "is what it says")]
    (utterance,) = merged(given_call((40, 60, "payment")), live, [listed(62_100, "four is what it says")]).utterances
    assert (utterance.source, utterance.alternative) == ("both", None)


@pytest.mark.parametrize("text", [LEAK, LEAK.upper() + "!", "  four, two - four two; fake card."])
@pytest.mark.parametrize("source", ["after-call", "batch"])
def test_what_matches_a_fenced_utterance_is_fenced_too(text: str, source: str) -> None:
    """The later source's clock may be hours off and its punctuation its own: the words tell."""
    item = [listed(100_000, text)]
    after, batch = (item, []) if source == "after-call" else ([], item)
    found = merged(given_call(HOLD), [heard(45_000, 47_000, LEAK)], after, batch)
    assert found.utterances == []
    assert len(found.message_ids) == 1


def test_a_fenced_utterance_that_comes_again_is_fenced_each_time() -> None:
    """A list that has it under two ids at odd times brings nothing back."""
    again = listed(100_000, LEAK)
    twice = [again, msgspec.structs.replace(again, message_id="other")]
    found = merged(given_call(HOLD), [heard(45_000, 47_000, LEAK)], twice)
    assert found.utterances == []
    assert len(found.message_ids) == 2


def test_words_thrown_away_are_known_again() -> None:
    """Of a scrubbed record and a blanked message nothing comes back when the list is fetched once more."""
    call = given_call(HOLD)
    whole = heard(45_000, 47_000, LEAK)
    print_ = fingerprint(SECRET, "customer", LEAK)
    scrubbed = msgspec.structs.replace(whole, text="", length=len(LEAK), fingerprints=(print_,))
    again = merged(call, [scrubbed], [listed(100_000, LEAK)], secrets=[SECRET])
    assert again.utterances == []
    assert {each.length for each in again.quarantined} == {len(LEAK)}
    nearby = merged(call, [scrubbed], [listed(47_300, LEAK)], secrets=[SECRET])
    assert [(each.length, each.source) for each in nearby.quarantined] == [(len(LEAK), "both")]
    blank = msgspec.structs.replace(listed(47_000, LEAK), text="", is_scrubbed=True)
    assert merged(call, [scrubbed], [blank], secrets=[SECRET]).utterances == []
    assert merged(call, [], [blank], secrets=[SECRET]).utterances == []


@pytest.mark.parametrize("text", ["", "  "])
def test_a_message_without_words_is_no_leak(text: str) -> None:
    """Of list or feed, in a pause or not: nothing was said, so there is nothing to keep out."""
    empty = [msgspec.structs.replace(listed(at, LEAK), text=text) for at in (47_000, 70_000)]
    for after, batch in ((empty, []), ([], empty)):
        found = merged(given_call(HOLD), [heard(12_000, 13_000, "hello there")], after, batch)
        assert [each.text for each in found.utterances] == ["hello there"]
        assert found.quarantined == []


def test_words_are_known_again_after_a_secret_was_changed() -> None:
    """One of the two that stayed is enough, whichever; with both changed only time and length tell."""
    call = given_call(HOLD)
    scrubbed = msgspec.structs.replace(
        heard(45_000, 47_000, LEAK),
        text="",
        length=len(LEAK),
        fingerprints=fingerprints([b"fake-old", b"fake-other"], "customer", LEAK),
    )
    far_off = [listed(100_000, LEAK)]
    for secrets in ([b"fake-new", b"fake-other"], [b"fake-old", b"fake-changed"], [b"fake-new", b"fake-old", b"x"]):
        assert merged(call, [scrubbed], far_off, secrets=secrets).utterances == []
        assert merged(call, [scrubbed], [], far_off, secrets=secrets).utterances == []
    strangers = merged(call, [scrubbed], far_off, secrets=[b"fake-new", b"fake-changed"])
    assert len(strangers.utterances) == 1


def test_the_same_short_word_before_a_hold_is_kept() -> None:
    """A "yes" of the conversation is not lost because another one was spoken in the pause."""
    live = [heard(30_000, 30_500, "Yes."), heard(45_000, 46_000, "Yes.")]
    for after in ([], [listed(30_500, "yes"), listed(46_000, "yes")], [listed(30_500, "yes")]):
        found = merged(given_call(HOLD), live, after)
        assert [(each.text, each.start) for each in found.utterances] == [("Yes.", T0 + 30_000)]
        assert len(found.quarantined) == 1


def test_no_output_has_the_words() -> None:
    """JSON, text and WebVTT."""
    found = merged(given_call(HOLD), [heard(45_000, 47_000, LEAK)], [listed(47_000, LEAK)])
    told = document(given_call(HOLD), found, 1)
    for output in (str(told), as_text(told), as_vtt(told), repr(_bare(found))):
        assert "four" not in output
    assert told["completeness"]["quarantined"] == 1
    assert told["quarantined"][0]["length"] == len(LEAK)


def _bare(found: Merged) -> list[object]:
    return [*found.utterances, *found.quarantined]


def test_words_are_compared_without_case_spacing_and_punctuation() -> None:
    """A mask counts as what it hides; another role or another secret is another fingerprint."""
    assert words_of("It's  ####, OK?") == words_of("it s **** ok")
    assert words_of("...") == "..."
    prints = {
        fingerprint(SECRET, "agent", "ok"),
        fingerprint(SECRET, "customer", "ok"),
        fingerprint(b"", "agent", "ok"),
    }
    assert len(prints) == 3
    assert fingerprint(SECRET, "agent", "OK!") in prints


def test_a_leak_is_a_problem_of_the_call() -> None:
    """People see it beside the call; telling it again keeps its beginning."""
    told = TimePassed(at=T0 + 130_000, what="utterances-quarantined", subject="1 utterance")
    call = transition(transition(given_call(HOLD), told), msgspec.structs.replace(told, at=T0 + 140_000))
    assert call.problem is not None
    assert (call.problem.id, call.problem.since, call.problem.gave_up) == (
        "utterances-quarantined",
        T0 + 130_000,
        False,
    )
