"""One transcript from several sources: nothing lost, nothing twice, everything at its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import (
    Call,
    Gap,
    MediaStream,
    PausedStretch,
    Progress,
    Segment,
    StreamState,
    Transcription,
    TranscriptionState,
)
from orchestrator.core.profile import Profile
from orchestrator.transcripts import merge, view
from orchestrator.transcripts.utterance import Received, Utterance
from orchestrator.transcripts.view import as_text, as_vtt

SID = "CA" + "1" * 32
T0 = 1_700_000_000_000


def given_call(*, promised: dict[str, int] | None = None, is_ended: bool = True) -> Call:
    """Two segments, amy from 10 to 30 s and bob from 50 to 70 s, on a stream that lives since 2 s."""
    told = {"customer": 1, "agent": 1} if promised is None else promised
    return Call(
        call_sid=SID,
        profile=Profile(route="conference"),
        created_at=T0,
        progress=Progress.ENDED if is_ended else Progress.IN_PROGRESS,
        ended_at=T0 + 71_000 if is_ended else None,
        streams=(
            MediaStream(name="asapp-1", generation=1, state=StreamState.STOPPED, live_at=T0 + 2_000, may_live=False),
        ),
        segments=(
            Segment(
                agent_id="amy",
                start=T0 + 10_000,
                end=T0 + 30_000,
                stream_ids={"customer": "c1", "agent": "a1"},
                promised=told,
            ),
            Segment(
                agent_id="bob",
                start=T0 + 50_000,
                end=T0 + 70_000,
                stream_ids={"customer": "c2", "agent": "a2"},
                promised={"agent": 0},
            ),
        ),
        gaps=(Gap(start=T0 + 30_000, end=T0 + 32_000, reason="stream-broken"),),
        paused=(PausedStretch(start=T0 + 35_000, end=T0 + 50_000, reason="hold"),),
    )


def merged(call: Call, received: Sequence[Received], after: Sequence[StoredMessage] = ()) -> list[Utterance]:
    return merge.merged(call, received, after).utterances


def document(call: Call, received: Sequence[Received], after: Sequence[StoredMessage] | None) -> dict[str, Any]:
    return view.document(call, merge.merged(call, received, after or ()), None if after is None else len(after))


def heard(stream_id: str, role: str, start_ms: int, end_ms: int, text: str, at_ms: int) -> Received:
    return Received(stream_id=stream_id, role=role, start_ms=start_ms, end_ms=end_ms, text=text, at=T0 + at_ms)


def stored(role: str, text: str, at_ms: int) -> StoredMessage:
    return StoredMessage(
        message_id=f"M{at_ms}", role=role, sender_id="", text=text, sent_at=T0 + at_ms, created_at=T0 + at_ms
    )


def test_offsets_from_the_segment_become_wall_clock() -> None:
    """Offsets that fit the segment's start are counted from there."""
    (utterance,) = merged(given_call(), [heard("c1", "customer", 1_000, 3_000, "hello", 13_400)])
    assert (utterance.start, utterance.end) == (T0 + 11_000, T0 + 13_000)
    assert (utterance.agent_id, utterance.segment) == ("amy", 0)


def test_offsets_from_the_media_stream_become_wall_clock() -> None:
    """Offsets that fit only the media stream's start are counted from there."""
    (utterance,) = merged(given_call(), [heard("c2", "customer", 50_000, 52_000, "hello", 54_500)])
    assert (utterance.start, utterance.end) == (T0 + 52_000, T0 + 54_000)
    assert utterance.agent_id == "bob"


def test_offsets_that_fit_nothing_end_shortly_before_receipt() -> None:
    """Without a fitting anchor an utterance ends 600 ms before its receipt."""
    (utterance,) = merged(given_call(), [heard("zz", "agent", 900_000, 902_000, "hello", 60_600)])
    assert (utterance.start, utterance.end) == (T0 + 58_000, T0 + 60_000)


def test_speech_is_ordered_by_when_it_was_spoken() -> None:
    """Arrival order does not matter."""
    late = heard("c1", "customer", 1_000, 2_000, "first", 19_000)
    early = heard("a1", "agent", 4_000, 6_000, "second", 16_400)
    assert [each.text for each in merged(given_call(), [early, late])] == ["first", "second"]


def test_stored_messages_that_were_heard_live_are_not_told_twice() -> None:
    """A match is by role and words, whatever the spacing and capitals; each live utterance matches one message."""
    live = [
        heard("c1", "customer", 1_000, 2_000, "Yes, please", 12_400),
        heard("c1", "customer", 5_000, 6_000, "yes, please", 16_400),
    ]
    after = [
        stored("customer", "yes,  please", 12_500),
        stored("customer", "Yes, please", 16_500),
        stored("agent", "yes, please", 17_000),
    ]
    utterances = merged(given_call(), live, after)
    assert [(each.role, each.source) for each in utterances].count(("customer", "both")) == 2
    assert [(each.role, each.source) for each in utterances].count(("agent", "after-call")) == 1
    assert len(utterances) == 3


def test_a_short_utterance_of_a_stretch_whose_audio_came_late_is_not_told_twice() -> None:
    """Offsets count the audio: where it came three seconds late, the vendor's times do, and the neighbours show it."""
    words = {"good morning this is amy": 3, "I would like to change my address": 5, "and where do you live now": 7}
    late = {"let me have a look at that": 10, "do for you": 12}
    live = [
        heard("c1", "customer", (end - 1) * 1_000, end * 1_000, text, 10_400 + end * 1_000 + late_ms)
        for said, late_ms in ((words, 0), (late, 3_000))
        for text, end in said.items()
    ]
    after = [
        stored("customer", text, 10_400 + end * 1_000 + late_ms)
        for said, late_ms in ((words, 0), (late, 3_000))
        for text, end in said.items()
    ]
    assert [each.source for each in merged(given_call(), live, after)] == ["both"] * 5


@pytest.mark.parametrize(
    ("words", "late_ms", "told"),
    [
        ("my order has not come yet", 300, [("my order has not come", "my order has not come yet")]),
        ("my order has not come yet", 1_600, [("my order has not come", None), ("my order has not come yet", None)]),
        ("please call me back", 300, [("my order has not come", None), ("please call me back", None)]),
    ],
    ids=["nearly the same", "too far apart", "other words"],
)
def test_nearly_the_same_words_are_one_utterance_that_tells_both(
    words: str, late_ms: int, told: list[tuple[str, str | None]]
) -> None:
    """Within a second and a half of each other; else they are two, and neither is lost."""
    live = [heard("c1", "customer", 4_000, 7_000, "my order has not come", 17_400)]
    utterances = merged(given_call(), live, [stored("customer", words, 17_000 + late_ms)])
    assert sorted((each.text, each.alternative) for each in utterances) == told


def test_a_short_utterance_with_odd_offsets_is_known_by_when_it_was_told() -> None:
    """Its offsets count from somewhere else than those of the others, and would put it six seconds too early."""
    said = {"good morning this is amy": 3, "I would like to change my address": 5, "and where do you live now": 7}
    live = [
        heard("c1", "customer", (end - 1) * 1_000, end * 1_000, text, 10_400 + end * 1_000)
        for text, end in said.items()
    ]
    live.append(heard("c1", "customer", 5_000, 6_000, "hello", 22_400))
    after = [stored("customer", text, 10_400 + end * 1_000) for text, end in said.items()]
    after.append(stored("customer", "hello", 22_300))
    assert [each.source for each in merged(given_call(), live, after)] == ["both"] * 4


def test_a_message_is_known_by_its_id_though_list_and_feed_disagree_on_its_time() -> None:
    """A short one three seconds off, and one whose redaction differs; other ids at the same times are others."""
    said = {"first sentence spoken here now": 12, "second sentence is this one": 16, "third sentence is another": 20}
    listed = [stored("customer", text, at * 1_000) for text, at in {**said, "yes": 24, "####": 28}.items()]
    told = [*listed[:3], replace(listed[3], sent_at=T0 + 27_000), replace(listed[4], text="[CARD]")]
    found = merge.merged(given_call(), [], listed, told)
    assert [each.text for each in found.utterances] == [*said, "yes", "####"]
    assert found.utterances[-1].alternative == "[CARD]"
    others = [replace(each, message_id=f"other {each.message_id}") for each in told]
    assert len(merge.merged(given_call(), [], listed, others).utterances) == 7


def test_words_thrown_away_are_known_again_by_their_id() -> None:
    """The list's were fenced and are gone; the feed has them at a time outside of the pause."""
    leak = stored("customer", "four two", 40_000)
    gone = replace(leak, text="", is_scrubbed=True)
    back = replace(leak, sent_at=T0 + 90_000)
    found = merge.merged(given_call(), [], [gone], [back])
    assert found.utterances == []
    assert len(found.quarantined) == 1
    assert found.message_ids == {leak.message_id}


def test_words_thrown_away_are_no_alternative() -> None:
    """The feed's were fenced by their own time, and come again in the list at another one."""
    said = stored("customer", "four two", 20_000)
    gone = replace(said, text="", is_scrubbed=True, sent_at=T0 + 40_000)
    found = merge.merged(given_call(), [], [said], [gone])
    assert [(each.text, each.alternative) for each in found.utterances] == [("four two", None)]
    assert len(found.quarantined) == 1


def test_what_only_the_vendor_kept_is_added_at_its_time() -> None:
    """A dropped real-time message comes back from the finished call, marked as such."""
    utterances = merged(
        given_call(), [], [stored("agent", "how can I help you", 20_000), stored("system", "joined", 21_000)]
    )
    assert [(each.text, each.source, each.segment) for each in utterances] == [("how can I help you", "after-call", 0)]


def test_an_agents_words_are_those_of_the_agent_who_is_named() -> None:
    """At a transfer ASAPP's clock is ahead or a backlog comes late; a name that no segment has says nothing."""
    last = replace(stored("agent", "goodbye and thank you", 53_000), sender_id="amy")
    heard_late = replace(heard("a1", "agent", 900_000, 902_000, "bye now", 52_600), sender_id="amy")
    strange = replace(stored("agent", "how can I help", 56_000), sender_id="somebody")
    asked = replace(stored("customer", "who is this", 58_000), sender_id="amy")
    found = merge.merged(given_call(), [heard_late], [last, strange, asked]).utterances
    assert [(each.text, each.agent_id, each.segment) for each in found] == [
        ("bye now", "amy", 0),
        ("goodbye and thank you", "amy", 0),
        ("how can I help", "bob", 1),
        ("who is this", "bob", 1),
    ]


def test_completeness_is_judged_by_the_stop_summaries() -> None:
    """Fewer utterances than promised: incomplete; all of them: complete; a call that goes on: not known."""
    both = [heard("c1", "customer", 1_000, 2_000, "one", 12_400), heard("a1", "agent", 3_000, 4_000, "two", 14_400)]
    assert document(given_call(), both, None)["complete"] is True
    assert document(given_call(), both[:1], None)["complete"] is False
    assert document(given_call(is_ended=False), both, None)["complete"] is None
    assert document(given_call(promised={}), both, None)["complete"] is None
    listed = [stored("customer", "one", 12_000), stored("agent", "two", 14_000)]
    assert document(given_call(promised={}), both, listed)["complete"] is True


def test_what_nothing_proves_is_not_called_complete() -> None:
    """A list that is empty or shorter than what came live, off unconfirmed, a start without a word of its end."""
    both = [heard("c1", "customer", 1_000, 2_000, "one", 12_400), heard("a1", "agent", 3_000, 4_000, "two", 14_400)]
    untold = given_call(promised={})
    assert document(untold, both, [])["complete"] is None
    assert document(untold, [], [])["complete"] is None
    assert document(untold, both, [stored("customer", "one", 12_000)])["complete"] is None
    stopping = Transcription(state=TranscriptionState.STOPPING, agent_id="amy")
    assert document(replace(given_call(), transcription=stopping), both, None)["complete"] is None
    silent = replace(given_call(), segments=())
    assert document(silent, [], None)["complete"] is True
    assert document(replace(silent, transcription=Transcription(agent_id="amy")), [], None)["complete"] is None
    assert document(replace(silent, direction="adopted"), [], [])["complete"] is None


def test_an_ordinary_start_is_no_gap() -> None:
    """Some tenths of a second before transcription is on are not told as missing; a second is."""
    short = Gap(start=T0, end=T0 + 999, reason="starting")
    long = Gap(start=T0 + 5_000, end=T0 + 6_000, reason="starting")
    gaps = document(replace(given_call(), gaps=(short, long)), [], None)["gaps"]
    assert [gap["start"] for gap in gaps] == ["2023-11-14T22:13:25.000Z"]


def test_text_tells_words_pauses_and_gaps_in_order() -> None:
    """A reader sees who spoke, and why there is silence in between."""
    text = as_text(document(given_call(), [heard("a1", "agent", 1_000, 2_000, "good morning", 12_400)], None))
    assert text.splitlines() == [
        "22:13:31  agent amy: good morning",
        "22:13:50  [not transcribed until 22:13:52: stream-broken]",
        "22:13:55  [paused until 22:14:10: hold]",
    ]


def test_webvtt_begins_at_zero_and_escapes_markup() -> None:
    """Cues count from the first utterance; words cannot break the format."""
    vtt = as_vtt(document(given_call(), [heard("c1", "customer", 1_000, 2_500, "a <b> --> c", 12_900)], None))
    assert vtt == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v Customer>a &lt;b> --&gt; c\n"
    assert as_vtt({"utterances": []}) == "WEBVTT\n"


@pytest.mark.parametrize(("second_ms", "is_complete"), [(20_000, False), (40_000, True)], ids=["own", "running on"])
def test_summaries_that_run_on_are_not_added_up(second_ms: int, is_complete: bool) -> None:
    """Two summaries of 1 and 2: three are promised if each tells of its own 20 s of audio, two if the second has 40."""
    call = given_call(promised={"customer": 1, "agent": 0})
    amy, bob = call.segments
    told = (replace(amy, promised_ms=20_000), replace(bob, promised={"customer": 2}, promised_ms=second_ms))
    both = [heard("c1", "customer", 1_000, 2_000, "one", 12_400), heard("c2", "customer", 3_000, 4_000, "two", 54_400)]
    assert document(replace(call, segments=told), both, None)["complete"] is is_complete


def test_where_summaries_cannot_be_told_apart_only_the_list_proves() -> None:
    """A first segment of half a second before a long one: nothing is said to be missing, nor to be complete."""
    call = given_call(promised={"customer": 1, "agent": 0})
    amy, bob = call.segments
    short = replace(amy, end=amy.start + 500, promised_ms=400)
    told = replace(call, segments=(short, replace(bob, promised={"customer": 2}, promised_ms=20_400)))
    both = [heard("c1", "customer", 100, 300, "one", 10_700), heard("c2", "customer", 3_000, 4_000, "two", 54_400)]
    assert document(told, both, None)["complete"] is None
    listed = [stored("customer", "one", 10_300), stored("customer", "two", 54_000)]
    assert document(told, both, listed)["complete"] is True
