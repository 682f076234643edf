"""What an export tells of calls with pauses, whatever is still known of the call and of who spoke."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest

from orchestrator.asapp.wire import StoredMessage
from orchestrator.core.call import Call
from orchestrator.transcripts import after_call
from orchestrator.transcripts.batch_judge import fenced_by_call
from orchestrator.transcripts.batch_rows import Joined
from orchestrator.transcripts.utterance import Received
from tests.integration.transcripts.feeds import DAY, NINE_S, SIDS, TODAY, Site, nightly, said
from tests.unit.transcripts.conversations import T0, heard

CARD = "four one one one two two two two"
NAME = "and my name is smith thank you"


def hear(site: Site, call: Call, *messages: Received) -> None:
    """Live; times count from nine o'clock."""
    shift = int(NINE_S * 1000) - T0
    site.office.hear(call, *(msgspec.structs.replace(each, at=each.at + shift) for each in messages))


def forgets(site: Site, sid: str = SIDS[0]) -> None:
    """Redis does, of age."""
    keys = site.services.store.keys
    site.services.redis.execute_command("DEL", keys.of(sid).document)
    site.services.redis.execute_command("DEL", keys.of(sid).utterances)


def told(site: Site) -> list[tuple[str | None, bool]]:
    return [(each["text"], each["is_fenced"]) for each in site.written()]


def archived_call(site: Site, *messages: Received) -> None:
    """With a payment pause from 30 to 40 s, of which the archive alone still knows."""
    call = site.call(SIDS[0], (30, 40, "payment"), promised=0)
    hear(site, call, *messages)
    site.office.has_nothing()
    after_call.work(site.services, call.call_sid)
    assert site.office.archived() is not None
    forgets(site)


@pytest.mark.parametrize("late_s", [0, 4])
@pytest.mark.parametrize("has_state", [True, False])
def test_a_call_that_only_the_archive_knows_is_fenced(site: Site, late_s: int, *, has_state: bool) -> None:
    """By the pauses of its document, also where the feed's clock is late; words that the document has are told."""
    archived_call(site, heard(34_000, 37_000, CARD), heard(50_000, 53_000, NAME))
    site.plant(
        said(SIDS[0], 1, CARD, after_s=36 + late_s, has_state=has_state),
        said(SIDS[0], 2, NAME, after_s=51 + late_s, has_state=has_state),
        said(SIDS[0], 3, "lost live", after_s=70 + late_s, has_state=has_state),
        said(SIDS[0], 4, "how satisfied were you", after_s=150, has_state=has_state),
    )
    report = site.export()
    assert told(site) == [(None, True), (NAME, False), ("lost live", False), (None, True)]
    assert (report["feed"]["fenced"], report["feed"]["unjudged"]) == (2, 0)


def test_words_near_a_pause_are_told_when_the_document_has_them(site: Site) -> None:
    """What was said just before the pause, in either spelling of it."""
    archived_call(site, heard(25_000, 29_000, NAME))
    site.plant(said(SIDS[0], 1, NAME, after_s=28), said(SIDS[0], 2, "never heard of", after_s=27))
    site.export()
    assert told(site) == [(NAME, False), (None, True)]


def test_a_call_adopted_after_redis_was_emptied_is_judged_by_its_document(site: Site) -> None:
    """A late callback made it known again, without a segment and without its pauses."""
    archived_call(site, heard(34_000, 37_000, CARD))
    call = site.call(SIDS[0])
    site.office.put(msgspec.structs.replace(call, segments=(), paused=(), direction="adopted"))
    site.plant(said(SIDS[0], 1, CARD, after_s=36))
    site.export()
    assert told(site) == [(None, True)]


def test_a_call_of_the_evening_before_is_found(site: Site) -> None:
    """It is archived on the day that it began on."""
    archived_call(site, heard(34_000, 37_000, CARD), heard(50_000, 53_000, NAME))
    there = next((site.folder / "archive").rglob("CA*.json"))
    before = (TODAY - timedelta(days=2)).strftime("%Y/%m/%d")
    moved = site.folder / "archive" / before / there.name
    moved.parent.mkdir(parents=True)
    there.rename(moved)
    site.plant(said(SIDS[0], 1, CARD, after_s=36), said(SIDS[0], 2, NAME, after_s=52))
    site.export()
    assert told(site) == [(None, True), (NAME, False)]


@pytest.mark.parametrize("sid", [SIDS[0], "", "chat-17"])
def test_a_row_that_nobody_can_judge_has_no_words(site: Site, sid: str) -> None:
    """Neither Redis nor the archive knows its call; who spoke and when is told, and it is counted."""
    forgets(site)
    site.plant(said(sid, 1, CARD, "agent", sender_id="amy"))
    report = site.export()
    (line,) = site.written()
    assert (line["text"], line["is_fenced"], line["length"]) == (None, True, len(CARD))
    assert (line["role"], line["agent_id"], line["at"] is not None) == ("agent", "amy", True)
    assert (report["feed"]["unjudged"], report["feed"]["fenced"]) == (1, 0)


def test_a_broken_document_does_not_hold_up_the_day(site: Site) -> None:
    """Its call cannot be judged; the others are told."""
    archived_call(site, heard(50_000, 53_000, NAME))
    next((site.folder / "archive").rglob("CA*.json")).write_bytes(b"")
    site.plant(said(SIDS[0], 1, NAME, after_s=52), said(SIDS[1], 2, "not me"))
    assert nightly(site).look() == DAY
    text = (site.folder / "archive" / "batch" / f"utterances-{DAY}.jsonl").read_text()
    assert sorted(str(json.loads(each)["text"]) for each in text.splitlines()) == ["None", "not me"]


@pytest.mark.parametrize("has_state", [True, False])
def test_quarantined_words_are_known_again_without_a_speaker(site: Site, *, has_state: bool) -> None:
    """Four seconds late by the feed's clock, after the pause; so are words that were heard outside it."""
    call = site.call(SIDS[0], (30, 40, "payment"))
    hear(site, call, heard(34_000, 37_000, CARD), heard(50_000, 53_000, NAME))
    site.plant(
        said(SIDS[0], 1, CARD, after_s=45, has_state=has_state),
        said(SIDS[0], 2, NAME, after_s=56, has_state=has_state),
    )
    site.export()
    assert told(site) == [(None, True), (NAME, False)]


@pytest.mark.parametrize("role", ["customer", "agent", None])
def test_a_row_without_a_time_counts_as_spoken_in_the_pause(site: Site, role: str | None) -> None:
    """Whoever spoke; in a call without pauses it is told."""
    row = Joined(
        call_sid=SIDS[0],
        conversation_id="c",
        message_id="m",
        at="",
        role=role,
        sender_id="",
        agent_id="",
        text="when was this",
    )
    assert fenced_by_call(site.services, site.call(SIDS[0], (30, 40, "hold")), [row]) == {"m"}
    assert fenced_by_call(site.services, site.call(SIDS[0]), [row]) == frozenset()


def test_the_clocks_difference_is_learnt_for_rows_without_a_speaker(site: Site) -> None:
    """Words that only the feed has, of nobody: their time is put right before it is judged."""
    call = site.call(SIDS[0], (60, 70, "payment"))
    talk = ["good morning to you", "what can I do", "the parcel is late", "I will look for it"]
    hear(site, call, *(heard(20_000 + 4000 * n, 22_000 + 4000 * n, text) for n, text in enumerate(talk)))
    site.plant(
        *(said(SIDS[0], n, text, after_s=30 + 3 * n) for n, text in enumerate(talk)),
        said(SIDS[0], 8, "fake pin", after_s=66, has_state=False),
        said(SIDS[0], 9, "bye", after_s=55, has_state=False),
    )
    site.export()
    assert told(site) == [*((text, False) for text in talk), (None, True), ("bye", False)]


def test_the_finished_calls_list_names_the_speaker(site: Site) -> None:
    """A row of nobody that is a message of the list by its id is what that was, though its time lies in a pause."""
    call = site.call(SIDS[0], (30, 40, "payment"))
    hear(site, call, heard(50_000, 53_000, NAME))
    at = int(NINE_S * 1000) + 53_000
    kept = StoredMessage(message_id="01M00001", role="customer", sender_id="", text=NAME, sent_at=at, created_at=at)
    site.services.after_call_messages.keep(SIDS[0], [kept])
    site.plant(said(SIDS[0], 1, NAME, after_s=35, has_state=False))
    site.export()
    assert told(site) == [(NAME, False)]


def test_what_was_said_between_two_segments_is_not_told(site: Site) -> None:
    """Of a call that the archive alone knows; nothing was to be transcribed there, pause or not."""
    call = site.call(SIDS[0], promised=0)
    (first,) = call.segments
    again = msgspec.structs.replace(first, start=first.start + 60_000)
    call = msgspec.structs.replace(call, segments=(msgspec.structs.replace(first, end=first.start + 20_000), again))
    site.office.put(call)
    site.office.has_nothing()
    after_call.work(site.services, call.call_sid)
    forgets(site)
    site.plant(said(SIDS[0], 1, "between the agents", after_s=50), said(SIDS[0], 2, "in the second", after_s=78))
    site.export()
    assert told(site) == [(None, True), ("in the second", False)]
