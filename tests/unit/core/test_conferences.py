"""Conference events: ordered per conference, leg and attribute; a hold lives and dies with its participant."""

from __future__ import annotations

from orchestrator.core import events as e
from orchestrator.core.actions import ReadParticipants
from orchestrator.core.people import is_customer_connected, is_customer_held, seat
from tests.unit.core.given import AMY, BOB, CUSTOMER, ROOM, Story, sid

OTHER = sid("CF", "other")


def held(story: Story) -> bool:
    return is_customer_held(story.call)


def test_highest_sequence_wins() -> None:
    """An unhold that arrives before its hold wins by its number (fault 2)."""
    assert not held(Story().talks().customer_unheld(sequence=9).customer_held(sequence=8))


def test_hold_dies_with_leaving() -> None:
    """A customer who leaves and returns is not held any more."""
    story = Story().talks().customer_held().customer_leaves()
    assert not held(story)
    assert not held(story.customer_joins())


def test_join_that_says_held() -> None:
    """A join that itself tells a hold is held."""
    assert held(Story().arrives().customer_joins(is_held=True))


def test_overtaken_hold_of_an_earlier_stay() -> None:
    """A hold from before the leaving does not hold a customer who has joined again since."""
    story = Story().arrives().customer_joins(sequence=4)
    assert not held(story.customer_held(sequence=2))


def test_hold_dies_with_the_conference() -> None:
    """With the end of the conference nobody is in it, held or not."""
    story = Story().talks().customer_held().told(e.ConferenceEnded, conference=ROOM, sequence=99)
    assert not held(story)
    assert not is_customer_connected(story.call)


def test_every_event_tells_the_hold() -> None:
    """A mute that tells a hold repairs a lost one."""
    assert held(Story().talks().news(e.ParticipantModified, CUSTOMER, is_held=True))


def test_event_without_the_field_tells_nothing_of_it() -> None:
    """A mute without the hold field leaves the hold as it was."""
    assert held(Story().talks().customer_held().news(e.ParticipantModified, CUSTOMER))


def test_overtaken_coaching() -> None:
    """Coaching too is ordered by its number."""
    story = (
        Story()
        .talks()
        .agent_joins(is_coaching=True, sequence=9)
        .news(e.ParticipantModified, AMY, is_coaching=False, sequence=8)
    )
    assert not story.wanted.transcription


def test_agents_hold_is_the_agents_own() -> None:
    """A hold of A's own leg dies with A's leaving; B is current (story 5)."""
    story = Story().talks().agent_joins("bob").agent_held("amy").agent_leaves("amy")
    assert story.wanted.agent_id == "bob"


def test_started_and_ended_before_anything_else() -> None:
    """A conference known only by its start has nobody in it."""
    story = Story().arrives().told(e.ConferenceStarted, conference=ROOM, sequence=1)
    assert seat(story.call, CUSTOMER) is None
    assert is_customer_connected(story.call)


def test_move_to_another_room_whose_leaving_was_lost() -> None:
    """A leg is in one conference only: the newest news of it counts."""
    story = Story().talks().customer_held().at(1_000).customer_joins(room=OTHER, sequence=1)
    assert not held(story)
    assert held(story.at(1_000).customer_held(room=OTHER, sequence=2))


def test_gap_makes_a_read_due() -> None:
    """A gap in the sequence numbers has the participants read, after a moment for what is only late."""
    story = Story().talks()
    story.sequence += 1
    story.customer_held()
    assert [(each.key, each.not_before - story.now) for each in story.call.readings] == [(f"conference:{ROOM}", 1_000)]
    assert story.settles().at(1_000).next_is(ReadParticipants).conference == ROOM


def test_no_gap_no_read() -> None:
    """Numbers without a gap make no read due."""
    assert not Story().talks().customer_held().call.readings


def test_gap_after_the_end_is_nobodys() -> None:
    """An ended call is asked about no more."""
    story = Story().talks().ends()
    story.sequence += 3
    assert not story.customer_leaves().call.readings


def listed(story: Story, *rows: e.ParticipantSnapshot, asked_ms_ago: int = 0, room: str = ROOM) -> Story:
    return story.told(e.ParticipantsRead, conference=room, asked_at=story.now - asked_ms_ago, participants=rows)


def test_read_repairs_a_lost_hold() -> None:
    """A lost last hold is found by the read (fault 5)."""
    story = Story().talks().at(60_000)
    listed(story, e.ParticipantSnapshot(leg=CUSTOMER, is_held=True), e.ParticipantSnapshot(leg=AMY))
    assert held(story)
    assert story.next_action().purpose == "wanted"  # type: ignore[union-attr]


def test_read_repairs_lost_joins_and_leavings() -> None:
    """Who is not in Twilio's list has left; who is new in it has joined."""
    story = Story().talks().at(60_000)
    listed(story, e.ParticipantSnapshot(leg=CUSTOMER), e.ParticipantSnapshot(leg=BOB, label="agent-bob"))
    assert story.wanted.agent_id == "bob"
    assert seat(story.call, AMY) is None
    listed(story.at(5_000), e.ParticipantSnapshot(leg=CUSTOMER), e.ParticipantSnapshot(leg=BOB))
    assert story.wanted.agent_id == "bob"


def test_news_after_the_question_is_newer() -> None:
    """What was told after the read was asked is not undone by its answer."""
    story = Story().talks().at(60_000).customer_held()
    rows = (e.ParticipantSnapshot(leg=CUSTOMER), e.ParticipantSnapshot(leg=AMY))
    assert held(listed(story, *rows, asked_ms_ago=500))


def test_empty_answer_right_after_news_is_not_believed() -> None:
    """An empty list for a room of which events were just seen is asked again."""
    story = listed(Story().talks().customer_held())
    assert held(story)
    assert [(each.key, each.not_before - story.now) for each in story.call.readings] == [(f"conference:{ROOM}", 2_000)]


def test_empty_answer_later_is_believed() -> None:
    """An empty list for a quiet room says that nobody is in it."""
    assert not is_customer_connected(listed(Story().talks().at(60_000)).call)


def test_unreadable_room_is_asked_again() -> None:
    """A failed read changes nobody and is repeated."""
    story = Story().talks().told(e.ParticipantsRead, conference=ROOM, asked_at=0, is_readable=False)
    assert story.wanted.transcription
    assert [each.not_before - story.now for each in story.call.readings] == [2_000]


def test_read_of_a_room_that_is_unknown_or_over() -> None:
    """An answer about a room that is not known or has ended changes nobody."""
    story = Story().talks()
    before = story.call
    assert listed(story, e.ParticipantSnapshot(leg=BOB), room=OTHER).call == before
    story.told(e.ConferenceEnded, conference=ROOM, sequence=9)
    listed(story, e.ParticipantSnapshot(leg=CUSTOMER))
    assert seat(story.call, CUSTOMER) is None


def test_an_unhold_of_before_the_last_look_is_asked_about() -> None:
    """Twilio's list said held since then, by a hold whose news was lost; only another look takes it back."""
    story = Story().talks().at(10_000)
    held = (e.ParticipantSnapshot(leg=CUSTOMER, label="customer", is_held=True, is_coaching=False),)
    free = (e.ParticipantSnapshot(leg=CUSTOMER, label="customer", is_held=False, is_coaching=False),)
    story.told(e.ParticipantsRead, conference=ROOM, asked_at=story.now, participants=held)
    story.at(1_000).news(
        e.ParticipantModified, CUSTOMER, label="customer", is_held=False, occurred_at=story.now - 4_000
    )
    assert is_customer_held(story.call)
    assert [each.key for each in story.call.readings] == [f"conference:{ROOM}"]
    story.told(e.ParticipantsRead, conference=ROOM, asked_at=story.now, participants=free)
    assert not is_customer_held(story.call)


def test_an_unhold_of_after_the_last_look_is_believed() -> None:
    """Its time is that of the second in which it happened."""
    story = Story().talks().at(10_000).customer_held()
    held = (e.ParticipantSnapshot(leg=CUSTOMER, label="customer", is_held=True, is_coaching=False),)
    story.told(e.ParticipantsRead, conference=ROOM, asked_at=story.now, participants=held)
    assert not is_customer_held(story.at(1_000).customer_unheld(occurred_at=story.now - 500).call)
